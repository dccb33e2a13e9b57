"""What a routing decision costs, from 1 to 1,000 lanes of 100 services, and hostile YAML: ``python -m benchmarks.routing``.

Rounds of all sizes take turns in one process, and only the time that the thread itself runs is counted, so that what the
machine does meanwhile matters little; the table has the medians, and each size against one lane as the median of the rounds'
ratios.
"""

from __future__ import annotations

import gc
from itertools import cycle, islice
from statistics import median
from time import thread_time
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from lanebaggage.routing import (
    LaneGroup,
    Request,
    Router,
    RouteTable,
    RoutingError,
    ServiceRef,
    StringMatch,
    TraceMemory,
    load_text,
)
from lanebaggage.routing.routes import MESH, Destination, Route, RouteMatch, Subsets, VirtualHost

from .grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = (1, 10, 100, 1000)
SERVICES = [f"service{number}" for number in range(100)]
CALLS = 2000
ROUNDS = 31
HOSTILE = {
    "anchors that expand to 9^9 values": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "10 MB": "a: " + "x" * 10_000_000,
    "300,000 values": "[" + "a," * 300_000 + "]",
    "100,000 levels": "[" * 100_000,
    "a tag that would run a command": "a: !!python/object/apply:os.system [id]",
}


class Size(NamedTuple):
    """One lane group: its router, and what is asked of it."""

    lanes: int
    router: Router
    tracing: Router
    table: RouteTable
    hops: list[tuple[str, Request]]
    traced: list[tuple[str, Request]]
    memory: TraceMemory


def group_of(lanes: int, trace_header: str = "x-lane") -> LaneGroup:
    """A baseline lane with every service; each other lane has thirty of them."""
    names = {f"lane{number}": SERVICES[number % 50 :][:30] for number in range(lanes)}
    names["lane0"] = SERVICES
    return LaneGroup.simple(baseline="lane0", lanes=names, trace_header=trace_header, route_header="x-lane")


def size_of(lanes: int) -> Size:
    """A lane group, with hops that go round its lanes and services."""
    common = [("host", "service1:8000"), ("user-agent", "python"), ("accept", "*/*"), ("accept-encoding", "gzip")]
    memory = TraceMemory()
    hops = []
    traced = []
    for number, service in enumerate(islice(cycle(SERVICES), CALLS)):
        lane = f"lane{number * 7 % lanes}"
        memory.remember(f"t{number}", lane, 0.0)
        hops.append((service, Request("GET", "/", "service1", [*common, ("x-lane", lane)])))
        traced.append((service, Request("GET", "/", "service1", [*common, ("trace", f"t{number}")])))
    group = group_of(lanes)
    return Size(lanes, Router(group), Router(group_of(lanes, "trace")), table_of(group), hops, traced, memory)


def table_of(group: LaneGroup) -> RouteTable:
    """The same lanes as Istio's routes: one for each lane that a service is in, then the baseline."""
    hosts = []
    subsets = []
    for service in group.services:
        lanes = [lane for lane in group.lanes if lane.has(service)]
        routes = [_route(service, lane.name, group.route_header) for lane in lanes]
        routes.append(Route("baseline", (), (Destination(service, group.baseline),)))
        hosts.append(VirtualHost(service.name, service.namespace, (service.name,), (MESH,), tuple(routes)))
        subsets.append(Subsets(service, {lane.name: lane.selector for lane in lanes}))
    return RouteTable(hosts, subsets, route_header=group.route_header)


def _route(service: ServiceRef, lane: str, header: str) -> Route:
    return Route(lane, (RouteMatch(headers=((header, StringMatch("exact", lane)),)),), (Destination(service, lane),))


def hop(size: Size) -> None:
    """A hop, by the route header."""
    route = size.router.route
    for service, request in size.hops:
        route(service, request)


def hop_with_request(size: Size) -> None:
    """The same, with the making of the request."""
    route = size.router.route
    for service, request in size.hops:
        route(service, Request("GET", "/", "service1", request.headers))


def hop_with_health(size: Size) -> None:
    """A hop that asks for health."""
    route = size.router.route

    def available(service: str, lane: str) -> bool:
        return True

    for service, request in size.hops:
        route(service, request, available=available)


def hop_by_trace(size: Size) -> None:
    """A hop by what a sidecar remembers."""
    route = size.tracing.route
    for service, request in size.traced:
        route(service, request, memory=size.memory, now=1.0)


def hop_by_istio(size: Size) -> None:
    """A hop by Istio's routes, one per lane."""
    route = size.table.route
    for service, request in size.hops:
        route(service, request)


def gateway(size: Size) -> None:
    """The gateway, with a rule for each lane."""
    ingress = size.router.ingress
    for _, request in size.hops:
        ingress(request)


def timed(call: Callable[[Size], None], size: Size) -> float:
    """Microseconds of the processor for each call, once what is asked for is in the processor's caches."""
    call(size)
    started = thread_time()
    call(size)
    return (thread_time() - started) / CALLS * 1e6


def once(work: Callable[[], object]) -> float:
    """Milliseconds, the median of five."""
    taken = []
    for _ in range(5):
        started = thread_time()
        work()
        taken.append((thread_time() - started) * 1e3)
    return median(taken)


def measure(*, quick: bool) -> Grid:
    """Microseconds of a decision, and against one lane; milliseconds of what is done seldom."""
    sizes = [size_of(lanes) for lanes in LANES]
    cases = (hop, hop_with_request, hop_with_health, hop_by_trace, gateway, hop_by_istio)
    gc.freeze()
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(5 if quick else ROUNDS):
        for case in cases:
            for size in sizes:
                found.setdefault((case.__name__, size.lanes), []).append(timed(case, size))
    gc.unfreeze()
    grid = Grid((f"what, {len(SERVICES)} services", *(f"lanes: {lanes:,}" for lanes in LANES)))
    for case in cases:
        first = found[case.__name__, 1]
        cells = []
        for lanes in LANES:
            taken = found[case.__name__, lanes]
            ratio = median(one / other for one, other in zip(taken, first, strict=True))
            cells.append(f"{median(taken):.2f} us ({ratio:.2f})")
        grid.rows.append(((case.__doc__ or "").rstrip("."), *cells))
    groups = {size.lanes: size.router.group for size in sizes}
    compiling = [once(lambda lanes=lanes: Router(groups[lanes])) for lanes in LANES]
    grid.rows.append(("Compiling the group", *(f"{taken:.2f} ms" for taken in compiling)))
    replacing = [once(lambda size=size: size.router.replace(size.router.group.lanes[-1])) for size in sizes]
    grid.rows.append(("Replacing one lane", *(f"{taken:.2f} ms" for taken in replacing)))
    return grid


def main() -> None:
    """Measure and print."""
    Console(width=140).print(measure(quick=False).shown("A decision; in brackets, against one lane"))
    print("milliseconds until hostile YAML is refused")
    for name, text in HOSTILE.items():
        print(f"{name:40}{once(lambda text=text: refused(text)):>18.3f}")


def refused(text: str) -> None:
    """Read what must not be read."""
    try:
        load_text(text)
    except RoutingError:
        return
    raise AssertionError("it was read")


if __name__ == "__main__":
    main()
