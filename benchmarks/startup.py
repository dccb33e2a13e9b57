"""What a start costs: imports, ``auto_instrument()`` and the launchers, each a new Python, in paired rounds.

Bytecode is cached for all of them, as it is where packages were installed by pip, in a directory of this run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from .grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "python -c pass"

_BIN = Path(sys.executable).parent
LAUNCHERS = {
    "lanebaggage run": [str(_BIN / "lanebaggage"), "run", "--"],
    "opentelemetry-instrument": [str(_BIN / "opentelemetry-instrument")],
    "ddtrace-run": [str(_BIN / "ddtrace-run")],
}
_PROGRAMS = {
    BASE: "pass",
    "import lanebaggage": "import lanebaggage",
    "import lanebaggage, auto_instrument()": "import lanebaggage; lanebaggage.auto_instrument()",
}
ENVIRONMENT = {
    **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
}
_PEAK = (
    "; import sys; sys.stdout.write(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
)
"""Written by the program itself: what ``wait4`` tells of a child begins with the size of its parent."""

COMMANDS = {
    **{name: [sys.executable, "-c", program] for name, program in _PROGRAMS.items()},
    **{f"{name} {BASE}": [*launcher, sys.executable, "-c", "pass"] for name, launcher in LAUNCHERS.items()},
}
SLOW = frozenset(name for name in COMMANDS if name.startswith(("opentelemetry", "ddtrace")))
"""Measured in every third round."""

_INSIDE = """
import sys
from time import perf_counter
known = set(sys.modules)
start = perf_counter()
import lanebaggage
imported = perf_counter()
lanebaggage.auto_instrument()
done = perf_counter()
names = {name.partition(".")[0] for name in set(sys.modules) - known}
print(imported - start, done - imported, *sorted(names - {"lanebaggage", *sys.stdlib_module_names}))
"""
"""What a program that imports lanebaggage first of all sees of it."""


def measure(*, quick: bool) -> Grid:
    """Every program, and the same from inside of one."""
    grid = Grid(("what", "median", "added", "peak memory", "added"))
    for name, figures in programs(3 if quick else 15).items():
        added = (f"{figures['added_ms']:+.1f} ms", f"{figures['added_mb']:+.1f} MB") if name != BASE else ("", "")
        grid.rows.append((f"`{name}`", f"{figures['ms']:.1f} ms", added[0], f"{figures['mb']:.1f} MB", added[1]))
    seen = inside(3 if quick else 15)
    grid.rows += [(what, "", f"+{seconds * 1e3:.1f} ms", "", "") for what, seconds in seen.items()]
    return grid


def inside(rounds: int) -> dict[str, float]:
    """Seconds that the import and the call take, medians; where anything third-party is imported, its name is told."""
    imports, calls, others = [], [], set()
    with _environment() as environment:
        for number in range(rounds + 1):
            _, said = _run([sys.executable, "-c", _INSIDE], environment)
            imported, called, *foreign = said.split()
            others |= set(foreign)
            if number:  # the first run writes the bytecode
                imports.append(float(imported))
                calls.append(float(called))
    modules = f"and {', '.join(sorted(others))} with it" if others else "and no third-party module"
    return {f"`import lanebaggage` alone, {modules}": median(imports), "`auto_instrument()` alone": median(calls)}


def programs(rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds and megabytes of each command, and what it adds to the bare interpreter of the same round."""
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    added: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with _environment() as environment:
        peaks = {name: _peak(command, environment) for name, command in COMMANDS.items()}
        for number in range(rounds):
            names = [name for name in COMMANDS if name not in SLOW or number % 3 == 0]
            at = number % len(names)
            seconds = {name: _run(COMMANDS[name], environment)[0] for name in [*names[at:], *names[:at]]}
            for name in names:
                took[name].append(seconds[name])
                added[name].append(seconds[name] - seconds[BASE])
    return {
        name: {
            "ms": round(median(took[name]) * 1e3, 1),
            "added_ms": round(median(added[name]) * 1e3, 1),
            "mb": round(peaks[name], 1),
            "added_mb": round(peaks[name] - peaks[BASE], 1),
        }
        for name in COMMANDS
    }


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """Variables of a Python whose bytecode is cached in a directory of its own."""
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        yield environment


def _run(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Seconds, and what the program wrote."""
    start = perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return perf_counter() - start, done.stdout


def _peak(command: list[str], environment: dict[str, str]) -> float:
    """Megabytes of peak resident memory; run twice, since the first run writes the bytecode."""
    asking = [*command[:-1], command[-1] + _PEAK]
    _run(asking, environment)
    return int(_run(asking, environment)[1]) / 1024
