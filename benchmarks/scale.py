"""Whether a request costs the same with many lanes and many tasks, and whether memory stays flat over a million of them.

Each question has a process of its own: ``python -m benchmarks.scale lanes 7`` asks the first one, in seven rounds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import thread_time
from typing import TYPE_CHECKING, Any

from . import traffic
from .case import CASES
from .cases.servers import BareASGI, BareWSGI
from .configs import Config, Floor, Lanebaggage
from .grid import Grid
from .rounds import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = (1, 10, 100, 1000)
REQUESTS = 4000
MILLION = 1_000_000


def lanes(rounds: int) -> dict[str, float]:
    """Microseconds that a WSGI request costs more, by the number of lanes that requests are in, in turn."""
    config = Lanebaggage(CASES["wsgi"])
    app = BareWSGI()

    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        return None

    def batch(environs: list[dict[str, Any]]) -> float:
        start = thread_time()
        for environ in environs:
            app(environ, start_response)
        return (thread_time() - start) / REQUESTS * 1e6

    def environs(number: int) -> list[dict[str, Any]]:
        plain = traffic.environ("nothing")
        return [{**plain, "HTTP_X_ASM_PREFER_TAG": f"lane-{lane}"} for lane in islice(cycle(range(number)), REQUESTS)]

    return _paired(rounds, config, lambda: config.bare_wsgi(BareWSGI), lambda number: batch(environs(number)))


def tasks(rounds: int, configuration: type[Config] = Lanebaggage) -> dict[str, float]:
    """Microseconds that an ASGI request costs more, by the number of tasks that serve requests at the same time."""
    config = configuration(CASES["asgi"])
    app = BareASGI()

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    async def serve(scopes: list[dict[str, Any]]) -> None:
        for scope in scopes:
            await app(scope, None, send)

    def scope(lane: int) -> dict[str, Any]:
        return {**traffic.scope("nothing"), "headers": [(b"x-asm-prefer-tag", f"lane-{lane}".encode())]}

    async def batch(number: int) -> float:
        scopes = [[scope(lane) for _ in range(REQUESTS // number)] for lane in range(number)]
        start = thread_time()
        await asyncio.gather(*map(serve, scopes))
        return (thread_time() - start) / REQUESTS * 1e6

    return _paired(rounds, config, lambda: config.bare_asgi(BareASGI), lambda number: asyncio.run(batch(number)))


def tasks_by_hand(rounds: int) -> dict[str, float]:
    """The same with the floor, whose ContextVar is looked up in as many contexts."""
    return tasks(rounds, Floor)


def _paired(rounds: int, config: Config, make: Callable[[], Any], batch: Callable[[int], float]) -> dict[str, float]:
    config.on()
    make()
    added: dict[int, list[float]] = {number: [] for number in NUMBERS}
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for number in NUMBERS:
            took = {}
            for state in ("on", "off"):
                getattr(config, state)()
                batch(number)
                took[state] = min(batch(number) for _ in range(3))
            added[number].append(took["on"] - took["off"])
    gc.enable()
    return {str(number): round(median(differences), 2) for number, differences in added.items()}


def memory(number: int) -> dict[str, float]:
    """Megabytes resident before and after so many requests, each in a lane, with baggage, and with a call made meanwhile."""
    import lanebaggage

    config = Lanebaggage(CASES["wsgi-baggage-10"])
    config.on()

    class Application:
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            lanebaggage.inject({}, url="http://mockc:8000/")
            return []

    app = config.bare_wsgi(Application)
    plain = traffic.environ("nothing")

    def requests(start: int, number: int) -> None:
        for unique in range(start, start + number):
            app({**plain, "HTTP_BAGGAGE": f"user={unique},x-asm-prefer-tag=lane-{unique % 5000}"}, None)

    requests(0, MILLION // 20)
    gc.collect()
    before = _resident()
    requests(MILLION, number)
    gc.collect()
    return {"before_mb": round(before, 2), "after_mb": round(_resident(), 2)}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(*, quick: bool) -> Grid:
    """Ask all three."""
    grid = Grid(("what", *(f"{number:,}" for number in NUMBERS)))
    for question, what in (
        ("lanes", "added to a WSGI request, by lanes"),
        ("tasks", "added to an ASGI request, by tasks at a time"),
        ("tasks_by_hand", "the same, by the floor"),
    ):
        added = _asked(question, "3" if quick else "15")
        grid.rows.append((what, *(f"{added[str(number)]:.2f} us" for number in NUMBERS)))
    grown = _asked("memory", str(MILLION // 20 if quick else MILLION))
    cells = (f"{grown['before_mb']:.1f} MB before", f"{grown['after_mb']:.1f} MB after", "", "")
    grid.rows.append(("memory, a million requests with lanes and baggage of their own", *cells))
    return grid


def _asked(*question: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *question], cwd=ROOT, capture_output=True, text=True, check=True
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    json.dump(
        {"lanes": lanes, "tasks": tasks, "tasks_by_hand": tasks_by_hand, "memory": memory}[sys.argv[1]](int(sys.argv[2])),
        sys.stdout,
    )
