"""The commands on lane files: ``lanebaggage route``, ``check`` and ``convert``."""

from __future__ import annotations

from ._check import check
from ._convert import convert
from ._route import route

__all__ = ["check", "convert", "route"]
