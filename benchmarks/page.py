"""What was measured, in tables: on the terminal, and between the marks of docs/performance.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from . import picture
from .budgets import BUDGETS
from .case import CASES
from .configs import CONFIGS
from .grid import Grid
from .rounds import ROOT

if TYPE_CHECKING:
    from .case import Case

Results = dict[str, dict[str, dict[str, float]]]
"""By case and configuration, figures by name, in microseconds."""

PAGE = ROOT / "docs" / "performance.md"
PICTURE = PAGE.with_suffix(".svg")
END = "<!-- end -->"
LIBRARIES = (
    *("aiohttp", "celery", "ddtrace", "django", "fastapi", "flask", "grpcio", "httpx"),
    *("opentelemetry-api", "opentelemetry-instrumentation", "requests", "sentry-sdk", "starlette", "urllib3"),
)


def line(case: Case, figures: dict[str, dict[str, float]]) -> str:
    """One case in short: what each configuration adds."""
    added = (f"{name} {values['added']:+.2f}" for name, values in figures.items() if "added" in values)
    return f"{case.name:24}{figures['none']['median']:8.1f} us  {'  '.join(added)}"


def within_budget(results: Results) -> Grid:
    """What lanebaggage adds against its budgets, the floor and OpenTelemetry; switched off and on in one process."""
    grid = Grid(("case", "budget", "lanebaggage", "floor", "times the floor", "OpenTelemetry", "times less", "reached"))
    for name, budget in BUDGETS.items():
        figures = results.get(name, {})
        if "lanebaggage" not in figures:
            continue
        ours = figures["lanebaggage"]["added_here"]
        floor = figures["floor"]["added_here"] if "floor" in figures else None
        peer = figures["otel-api"]["added"] if "otel-api" in figures else None
        grid.rows.append(
            (
                CASES[name].what,
                f"{budget:g} us",
                f"{ours:+.2f} us",
                "" if floor is None else f"{floor:+.2f} us",
                _ratio(ours, floor),
                "" if peer is None else f"{peer:+.1f} us",
                _ratio(peer, ours),
                "yes" if ours < budget else "no",
            )
        )
    return grid


def _ratio(more: float | None, less: float | None) -> str:
    """A ratio, where both are enough to be told from nothing."""
    return f"{more / less:.1f}" if more is not None and less is not None and min(more, less) >= 0.1 else ""


def added(results: Results) -> Grid:
    """What each configuration adds to each case."""
    grid = Grid(("case", "un-instrumented, us", *(name for name in CONFIGS if name != "none")))
    for name, figures in results.items():
        cells = (f"{figures[one]['added']:+.2f}" if one in figures else "" for one in CONFIGS if one != "none")
        grid.rows.append((CASES[name].what, f"{figures['none']['median']:.2f}", *cells))
    return grid


def every(results: Results) -> Grid:
    """All figures of all cases."""
    grid = Grid(("case", "configuration", "median us", "IQR", "added us", "IQR", "same process", "ratio"))
    for name, figures in results.items():
        for configuration, values in figures.items():
            grid.rows.append(
                (
                    CASES[name].what if configuration == "none" else "",
                    configuration,
                    f"{values['median']:.2f}",
                    f"{values['low']:.2f} to {values['high']:.2f}",
                    f"{values['added']:+.2f}" if "added" in values else "",
                    f"{values['added_low']:+.2f} to {values['added_high']:+.2f}" if "added" in values else "",
                    f"{values['added_here']:+.2f}" if "added_here" in values else "",
                    f"{values['ratio']:.2f}" if "ratio" in values else "",
                )
            )
    return grid


def machine() -> str:
    """Where and with what it was measured, in words; the load is that before anything was measured."""
    where = f"{os.cpu_count()} processors ({platform.machine()}), {platform.system()}, CPython {platform.python_version()}"
    with_what = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{where}; load average {os.getloadavg()[0]:.1f} at the start. {with_what}."


def write_cases(results: Results, where: str, rounds: int) -> None:
    """Write the tables of the cases, and the picture, that these results fill."""
    if results.keys() >= BUDGETS.keys():
        write("budgets", within_budget(results).markdown())
    if not all(results.get(name, {}).keys() >= set(case.only or CONFIGS) for name, case in CASES.items()):
        return
    write("machine", [f"{where} {rounds} rounds of each case and configuration."])
    write("added", added(results).markdown())
    write("every", every(results).markdown())
    PICTURE.write_text(picture.drawn(results), encoding="utf-8")


def write(mark: str, lines: list[str]) -> None:
    """Put lines between a mark of the page and the next end."""
    text = PAGE.read_text(encoding="utf-8")
    before, found, rest = text.partition(f"<!-- written: {mark} -->\n")
    if not found:
        raise ValueError(f"{PAGE.name} has no mark for {mark}")
    after = rest.partition(END)[2]
    PAGE.write_text("\n".join((f"{before}{found}", *lines, "", f"{END}{after}")), encoding="utf-8")
