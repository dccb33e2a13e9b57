"""Whether a request costs the same with many lanes and many tasks, and whether memory stays flat over a million of them."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from . import traffic
from .case import CASES
from .cases.servers import BareASGI, BareWSGI
from .configs import Lanebaggage

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
        start = perf_counter()
        for environ in environs:
            app(environ, start_response)
        return (perf_counter() - start) / REQUESTS * 1e6

    def environs(number: int) -> list[dict[str, Any]]:
        plain = traffic.environ("nothing")
        return [{**plain, "HTTP_X_ASM_PREFER_TAG": f"lane-{lane}"} for lane in islice(cycle(range(number)), REQUESTS)]

    return _paired(rounds, config, lambda: config.bare_wsgi(BareWSGI), lambda number: batch(environs(number)))


def tasks(rounds: int) -> dict[str, float]:
    """Microseconds that an ASGI request costs more, by the number of tasks that serve requests at the same time."""
    config = Lanebaggage(CASES["asgi"])
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
        start = perf_counter()
        await asyncio.gather(*map(serve, scopes))
        return (perf_counter() - start) / REQUESTS * 1e6

    return _paired(rounds, config, lambda: config.bare_asgi(BareASGI), lambda number: asyncio.run(batch(number)))


def _paired(rounds: int, config: Lanebaggage, make: Callable[[], Any], batch: Callable[[int], float]) -> dict[str, float]:
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


def memory() -> dict[str, float]:
    """Megabytes resident before and after a million requests, each in a lane, with baggage, and with a call made meanwhile."""
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
    requests(MILLION, MILLION)
    gc.collect()
    return {"before_mb": round(before, 2), "after_mb": round(_resident(), 2)}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    import json

    json.dump({"lanes": lanes, "tasks": tasks}[sys.argv[1]](int(sys.argv[2])) if len(sys.argv) > 2 else memory(), sys.stdout)
