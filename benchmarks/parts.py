"""What is measured beside the cases: start-up, scale, routing, services under load, a hop of the mesh, lane tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from . import lane_tests, mesh, routing, scale, startup, throughput

if TYPE_CHECKING:
    from .grid import Grid


class Measure(Protocol):
    """Measures a part; ``quick`` for a first look."""

    def __call__(self, *, quick: bool) -> Grid: ...


class Part(NamedTuple):
    """A part; its name is what the command line takes, and what the page marks its table with."""

    what: str
    measure: Measure


PARTS: dict[str, Part] = {
    "startup": Part("start-up: imports, auto_instrument(), launchers", startup.measure),
    "scale": Part("cost and memory with many lanes, tasks and requests", scale.measure),
    "router": Part("a routing decision, 1 to 1,000 lanes", routing.measure),
    "hop": Part("a hop: direct, embedded proxy, Envoy (needs wrk)", mesh.hop),
    "lane-tests": Part("in-process hops, a thousand lane tests, stopping an engine", lane_tests.measure),
    "throughput": Part("services under load (needs wrk)", throughput.measure),
}
