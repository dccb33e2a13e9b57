"""Paired rounds: every configuration once per round, in rotating order, each in a process of its own.

The configurations take turns within fractions of a second, so that whatever the machine is doing meets all of them, and a
difference is always one between neighbours in time. The processes are made anew a few times, since where things happen to lie
in memory makes one process faster than its twin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from .configs import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .case import Case

ROOT = Path(__file__).parents[1]
LONG = 30.0
"""Microseconds of a call in whose variations what is added to it would be lost."""
PAIRS = 5
"""How often a process with such calls is switched off and on in each round."""


class WorkerError(Exception):
    """A configuration could not be measured."""


class Worker:
    """One configuration's process."""

    def __init__(self, case: Case, configuration: str) -> None:
        self.configuration = configuration
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANEBAGGAGE_", "OTEL_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", case.name, configuration],
            cwd=ROOT,
            env={**environment, **CONFIGS[configuration].environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        """The next line that the process writes."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            raise WorkerError(f"{self.configuration}: {errors.strip() or 'it ended'}")
        return line

    def measure(self, state: str) -> float:
        """Seconds of one call, ``on`` or ``off``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{state}\n")
        self._process.stdin.flush()
        return float(self.answer())

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@dataclass
class Figures:
    """What was measured of one case in one configuration; microseconds, one entry per round."""

    took: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)
    """More than the un-instrumented process took in the same round."""
    added_here: list[float] = field(default_factory=list)
    """More than the same process took with the instrumentation undone."""

    def summary(self, base: Figures | None) -> dict[str, float]:
        """Medians and the spread, for the table and the results' file."""
        low, _, high = quantiles(self.took, n=4) if len(self.took) > 1 else (self.took[0],) * 3
        result = {"median": median(self.took), "low": low, "high": high, "rounds": len(self.took)}
        if base is not None:
            result["added"] = median(self.added)
            result["added_low"], _, result["added_high"] = quantiles(self.added, n=4)
            result["ratio"] = result["median"] / median(base.took)
        if self.added_here:
            result["added_here"] = median(self.added_here)
        return {name: round(value, 3) for name, value in result.items()}


def measure(
    case: Case, wanted: Iterable[str], *, rounds: int, generations: int, tick: Callable[[], None]
) -> dict[str, dict[str, float]]:
    """Measure one case.

    :param wanted: configurations.
    :param rounds: of each generation of processes.
    :param tick: called after each round.
    :return: by configuration, figures by name, in microseconds.
    :raises WorkerError: a configuration does not work.
    """
    names = [name for name in wanted if not case.only or name in case.only]
    figures = {name: Figures() for name in names}
    for _ in range(generations):
        workers: list[Worker] = []
        try:
            workers += (Worker(case, name) for name in names)
            for worker in workers:
                worker.answer()
            for number in range(rounds):
                at = number % len(workers)
                _round([*workers[at:], *workers[:at]], figures)
                tick()
        finally:
            for worker in workers:
                worker.end()
    base = figures.get("none")
    return {name: figures[name].summary(base if name != "none" else None) for name in names}


def _switched(worker: Worker, on: float) -> float:
    """Microseconds more than with the instrumentation undone, in the same process.

    :param on: what was measured just now.
    """
    added = [on - worker.measure("off") * 1e6]
    for number in range(1, PAIRS if on > LONG else 1):
        states = ("off", "on") if number % 2 else ("on", "off")  # each pair begins as the one before ended
        took = {state: worker.measure(state) * 1e6 for state in states}
        added.append(took["on"] - took["off"])
    return median(added)


def _round(workers: list[Worker], figures: dict[str, Figures]) -> None:
    took = {}
    for worker in workers:
        name = worker.configuration
        took[name] = worker.measure("on") * 1e6
        figures[name].took.append(took[name])
        if CONFIGS[name].switchable:
            figures[name].added_here.append(_switched(worker, took[name]))
    if "none" in took:
        for name, microseconds in took.items():
            if name != "none":
                figures[name].added.append(microseconds - took["none"])
