"""One case in one configuration, in a process of its own: measures when the parent asks, ``python -m benchmarks.worker``.

A line of input is ``on`` or ``off``; the answer is the seconds of one call, the best of a few batches. ``off`` measures the
same process with the instrumentation undone, where that is possible.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from .case import CASES
from .configs import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = 8
"""Measured each time; the best one counts, since what disturbs a batch only ever makes it longer."""
SECONDS = 0.004
"""How long a batch is about to take."""
WARM = 0.1
"""Seconds of calls before anything is measured, for caches and for the interpreter's specialisation."""
AGAIN = 300
"""Calls after a switch, at least: a class that was changed is specialised anew, and its users with it."""


def calibrate(run: Callable[[int], float]) -> int:
    """Number of calls in a batch."""
    count, warmed = 1, 0.0
    while warmed < WARM or run(count) < SECONDS:
        seconds = run(count)
        warmed += seconds
        if seconds < SECONDS:
            count *= 2
    return count


def main(name: str, configuration: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    from . import cases  # noqa: F401 - enters them

    case = CASES[name]
    config = CONFIGS[configuration](case)
    config.on()
    run = case.make(config, case.situation)
    count = calibrate(run)
    gc.collect()
    gc.freeze()
    print("ready", file=answers)
    state = "on"
    for line in sys.stdin:
        asked = line.strip()
        if asked != state:
            (config.on if asked == "on" else config.off)()
            state = asked
            run(AGAIN)
        run(count)  # the caches are another process's, or the other state's
        run(count)
        print(min(run(count) for _ in range(BATCHES)) / count, file=answers)
    config.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
