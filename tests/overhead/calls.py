"""The regression guard: one hop makes no more calls in lanebaggage's code than ``bounds.toml`` allows.

The cases are those of ``benchmarks/``. After a change that needs more, or that got by with less, write the bounds anew, and
say why in the commit: ``OVERHEAD=write python -m pytest tests/overhead``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks import cases  # noqa: F401 - enters them
from benchmarks.case import CASES
from benchmarks.configs import Lanebaggage

from .counting import Counts, count

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUNDS = Path(__file__).with_name("bounds.toml")
HEADER = """\
# Calls that one hop makes in code of the library, by case and function: times entered, C functions called, lines executed.
# Lines may be a tenth and two more. Written by: OVERHEAD=write python -m pytest tests/overhead
"""
WORDS = ("Python calls", "C calls", "lines")
WRITE = os.environ.get("OVERHEAD") == "write"

Figures = dict[str, list[int]]


def figures(counts: Counts) -> Figures:
    """Counts by function, in the order of ``WORDS``."""
    c: dict[str, int] = {}
    for call, number in counts.c.items():
        c[call.partition(" > ")[0]] = c.get(call.partition(" > ")[0], 0) + number
    return {name: [counts.python[name], c.get(name, 0), number] for name, number in sorted(counts.lines.items())}


def grown(measured: Figures, allowed: Figures) -> list[str]:
    """What is above its bound, in words; the bound is the sum over the functions, so that work may move between them."""
    problems = []
    for column, word in enumerate(WORDS):
        total = sum(row[column] for row in measured.values())
        bound = sum(row[column] for row in allowed.values())
        if total > (bound * 1.1 + 2 if word == "lines" else bound):
            more = [
                f"{name} {before} -> {row[column]}"
                for name, row in measured.items()
                if row[column] > (before := allowed.get(name, [0, 0, 0])[column])
            ]
            problems.append(f"{total} {word} a hop, {bound} are allowed; grown: {', '.join(more)}")
    return problems


@pytest.fixture(scope="module")
def bounds() -> Iterator[dict[str, Figures]]:
    if not WRITE:
        yield tomllib.loads(BOUNDS.read_text(encoding="utf-8"))
        return
    written: dict[str, Figures] = {}
    yield written
    tables = (
        f"\n[{name!r}]\n" + "".join(f"{function!r} = {row}\n" for function, row in table.items())
        for name, table in written.items()
    )
    BOUNDS.write_text((HEADER + "".join(tables)).replace("'", '"'), encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_hop_makes_no_more_calls_than_allowed(name: str, bounds: dict[str, Figures]) -> None:
    """Nothing that is done at every hop has grown unnoticed."""
    case = CASES[name]
    config = Lanebaggage(case)
    config.on()
    try:
        run: Any = case.make(config, case.situation)
        run(1)
        run(1)
        measured = figures(count(lambda: run(1)))
    finally:
        config.end()
    if WRITE:
        bounds[name] = measured
        return
    assert measured, "nothing of lanebaggage ran: the case does not reach it"
    assert name in bounds, f"{name} has no bound; write it: OVERHEAD=write python -m pytest tests/overhead"
    problems = grown(measured, bounds[name])
    assert not problems, f"{name}: " + "; ".join(problems)


def test_the_guard_names_what_grew() -> None:
    """A call more is told by the function that makes it, and work that moves between functions is none."""
    allowed = {"_wire.from_environ": [1, 2, 9], "_wire._build": [1, 1, 9]}
    assert grown({"_wire.from_environ": [1, 1, 9], "_wire._build": [1, 2, 9]}, allowed) == []
    assert grown({"_wire.from_environ": [1, 4, 9], "_wire._build": [1, 1, 9]}, allowed) == [
        "5 C calls a hop, 3 are allowed; grown: _wire.from_environ 2 -> 4"
    ]
    assert grown({"_wire.from_environ": [1, 2, 99], "_wire._build": [1, 1, 9]}, allowed) == [
        "108 lines a hop, 18 are allowed; grown: _wire.from_environ 9 -> 99"
    ]
