"""Counts what one call makes lanebaggage do: its functions that are entered, the C functions that they call, their lines.

Counts are the same on a busy machine and on an idle one. Only code of ours is counted, so that a new version of a framework
changes nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lanebaggage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

OURS = str(Path(lanebaggage.__file__).parent) + "/"
_INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")
"""Functions of their own until Python 3.12 (PEP 709)."""


@dataclass
class Counts:
    """What was counted, by function: ``_wire.from_environ`` and ``_wire.from_environ > get``."""

    python: Counter[str] = field(default_factory=Counter)
    c: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)

    def totals(self) -> dict[str, int]:
        """The sums."""
        return {"python": self.python.total(), "c": self.c.total(), "lines": self.lines.total()}


def count(call: Callable[[], Any]) -> Counts:
    """Count one call, in this thread."""
    counts = Counts()
    entered: set[FrameType] = set()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and _is_ours(frame) and frame not in entered:
            entered.add(frame)  # a coroutine is entered once, and resumed as often as the framework likes
            if frame.f_code.co_name not in _INLINED:
                counts.python[_name(frame)] += 1
        elif event == "c_call" and _is_ours(frame):
            counts.c[f"{_name(frame)} > {argument.__name__}"] += 1

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not _is_ours(frame):
            return None
        if event == "line":
            counts.lines[_name(frame)] += 1
        return trace

    before = sys.getprofile(), sys.gettrace()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.setprofile(before[0])
        sys.settrace(before[1])
    return counts


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(OURS)


def _name(frame: FrameType) -> str:
    module = frame.f_code.co_filename[len(OURS) :].removesuffix(".py").replace("/", ".")
    return f"{module.removeprefix('instrumentation.')}.{frame.f_code.co_name}"
