"""The table of docs/reference/upstream-suites.md: a row per suite, kept from the last run that ended well."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from suite import Suite, names, read

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "upstream-suites.md"
_BEGIN, _END = "<!-- {}: written by tests/upstream/run.py -->\n", "<!-- end of {} -->"
_ORDER = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
_HEAD = (
    "| suite | version | without lanebaggage | on, in no lane | changed | on, every test in a lane | changed | unsteady |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Row:
    """What came out of one suite."""

    name: str
    version: str
    counts: dict[str, Counter[str]]
    known: dict[str, int]
    unsteady: int

    def __str__(self) -> str:
        off, on, lane = (counted(self.counts[mode]) for mode in ("off", "on", "lane"))
        cells = (self.name, self.version, off, on, self.known["on"], lane, self.known["lane"], self.unsteady)
        return f"| {' | '.join(map(str, cells))} |"


def counted(counts: Counter[str]) -> str:
    kinds = sorted(counts, key=lambda kind: (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), kind))
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds)


def write(row: Row) -> None:
    """Put a row into the table, and every suite's reasons below it."""
    text = PAGE.read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in _inside(text, "table").splitlines()[2:]}
    rows[row.name] = str(row)
    suites = names()
    table = _HEAD + "".join(f"{rows[name]}\n" for name in suites if name in rows)
    text = _with(text, "table", table)
    PAGE.write_text(_with(text, "reasons", "".join(_reasons(read(name)) for name in suites)), encoding="utf-8")


def _reasons(suite: Suite) -> str:
    parts = [
        ("left out", {"": suite.notes} if suite.notes else {}),
        ("not run", suite.deselect),
        ("changes when on", suite.changed),
        ("changes in a lane", suite.changed_in_a_lane),
        ("a call that goes out unchanged, with a warning", suite.failures),
    ]
    lines = ""
    for what, entries in parts:
        for reason, count in Counter(entries.values()).items():
            lines += f"- {what}: {reason}" + (f" ({count})\n" if any(entries) else "\n")
    return f"**{suite.name}**\n\n{lines}\n" if lines else ""


def _inside(text: str, name: str) -> str:
    found = re.search(f"{re.escape(_BEGIN.format(name))}(.*?){re.escape(_END.format(name))}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE} has no place for the {name}")
    return found[1]


def _with(text: str, name: str, inside: str) -> str:
    begin, end = _BEGIN.format(name), _END.format(name)
    return text.replace(f"{begin}{_inside(text, name)}{end}", f"{begin}{inside}{end}")
