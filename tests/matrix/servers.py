"""Servers: situations, and a driver of a few lines per library."""

from __future__ import annotations

from .table import Role

SERVERS = Role("servers", "Servers", {})
