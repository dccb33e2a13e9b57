"""What a hop costs does not depend on how many lanes, tasks and requests there are; held by counts, not by time."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks import traffic
from benchmarks.case import CASES
from benchmarks.cases.servers import BareASGI, BareWSGI
from benchmarks.configs import Lanebaggage

import lanebaggage

from .counting import OURS, count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LANES = 1000


@pytest.fixture
def instrumented() -> Iterator[Callable[[str], Lanebaggage]]:
    made = []

    def instrument(case: str) -> Lanebaggage:
        made.append(Lanebaggage(CASES[case]))
        made[-1].on()
        return made[-1]

    yield instrument
    for config in made:
        config.end()


def environ_of(lane: str) -> dict[str, Any]:
    return {**traffic.environ("nothing"), "HTTP_X_ASM_PREFER_TAG": lane}


def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
    """Of a server that wants nothing of it."""


def test_a_request_costs_the_same_with_one_lane_and_with_a_thousand(instrumented: Callable[[str], Lanebaggage]) -> None:
    """Neither the number of lanes seen nor a lane's place among them changes what a request does."""
    app = instrumented("wsgi").bare_wsgi(BareWSGI)

    def cost(lane: str) -> dict[str, int]:
        app(environ_of(lane), start_response)
        environ = environ_of(lane)
        return count(lambda: app(environ.copy(), start_response)).totals()

    alone = cost("lane-0")
    costs = [cost(f"lane-{number}") for number in range(1, LANES)]
    assert costs == [alone] * (LANES - 1)


def test_a_lane_beyond_those_remembered_costs_no_more_than_a_first_request(instrumented: Callable[[str], Lanebaggage]) -> None:
    """Whoever sends random lanes fills what is remembered and no more; every further lane is read anew."""
    app = instrumented("wsgi").bare_wsgi(BareWSGI)

    def cost(lane: str) -> dict[str, int]:
        environ = environ_of(lane)
        return count(lambda: app(environ.copy(), start_response)).totals()

    first = cost("first")
    for number in range(3000):
        app(environ_of(f"lane-{number}"), start_response)
    unseen = cost("unseen")
    assert all(unseen[figure] <= first[figure] for figure in first)


def test_a_request_costs_the_same_beside_a_thousand_tasks(instrumented: Callable[[str], Lanebaggage]) -> None:
    """A thousand requests in flight, each in its lane, change nothing for the next one."""
    app = instrumented("asgi").bare_asgi(BareASGI)
    scope = {**traffic.scope("nothing"), "headers": [(b"x-asm-prefer-tag", b"s2")]}

    async def send(message: Any) -> None:
        """Of a server that wants nothing of it."""

    def one() -> None:
        coroutine = app(scope.copy(), None, send)
        with pytest.raises(StopIteration):
            coroutine.send(None)

    async def in_lane(name: str, go_on: asyncio.Event) -> str | None:
        with lanebaggage.lane(name):
            await go_on.wait()
            return lanebaggage.current_lane()

    async def beside_tasks() -> tuple[dict[str, int], list[str | None]]:
        go_on = asyncio.Event()
        tasks = [asyncio.create_task(in_lane(f"lane-{number}", go_on)) for number in range(LANES)]
        await asyncio.sleep(0)
        cost = count(one).totals()
        go_on.set()
        return cost, await asyncio.gather(*tasks)

    one()
    alone = count(one).totals()
    beside, lanes = asyncio.run(beside_tasks())
    assert beside == alone
    assert lanes == [f"lane-{number}" for number in range(LANES)]


@pytest.mark.parametrize("trace_header", [None, "baggage", "my-trace-id"])
def test_memory_stays_flat_whatever_requests_bring(trace_header: str | None) -> None:
    """New lanes, baggage, trace IDs and hosts at every request keep no memory once what is remembered is full."""
    lanebaggage.auto_instrument(trace_header=trace_header, allow=["*.partner.example"])

    def requests(start: int, number: int) -> None:
        for unique in range(start, start + number):
            arrived = {
                "x-asm-prefer-tag": f"lane-{unique}",
                "baggage": f"x-asm-prefer-tag=lane-{unique},k{unique}=v{unique}",
                "my-trace-id": f"{unique}",
            }
            with lanebaggage.extract(arrived):
                for host in ("svc", "partner.example", "stranger.example"):
                    lanebaggage.inject({}, f"http://h{unique}.{host}/")

    def ours() -> int:
        gc.collect()
        traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(inclusive=True, filename_pattern=f"{OURS}*")])
        return sum(statistic.size for statistic in traces.statistics("filename"))

    requests(0, 1500)
    tracemalloc.start()
    try:
        requests(1500, 200)
        before = ours()
        requests(1700, 3000)
        assert ours() - before < 2048
    finally:
        tracemalloc.stop()
