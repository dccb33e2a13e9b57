"""Threads, tasks and processes: situations, and a driver of a few lines per library."""

from __future__ import annotations

from .table import Role

CONCURRENCY = Role("concurrency", "Threads, tasks and processes", {})
