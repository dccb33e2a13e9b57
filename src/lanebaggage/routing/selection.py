"""Parts of a decision by routes: which host fits best, which routes can be reached, which destination a number picks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .routes import MESH
from .services import plain_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .routes import Destination, Route, VirtualHost


def common_labels(subsets: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """Subsets by name, with the labels that all services of that subset share."""
    found: dict[str, dict[str, str]] = {}
    for each in subsets:
        for name, labels in each.items():
            before = found.get(name, labels)
            found[name] = {label: value for label, value in labels.items() if before.get(label) == value}
    return found


def picked(destinations: Sequence[Destination], choice: float) -> Destination | None:
    """The destination that a number from 0 up to 1 falls to: weight through sum; a single one gets all."""
    if len(destinations) == 1:
        return destinations[0]
    point = choice * sum(each.weight for each in destinations)
    for each in destinations:
        if point < each.weight:
            return each
        point -= each.weight
    return None


def reachable(host: VirtualHost) -> Iterator[Route]:
    """Routes up to the first that takes everything: Istio drops what comes after it."""
    for route in host.routes:
        yield route
        if route.is_catch_all:
            return


def applies(gateways: Sequence[str], gateway: str) -> bool:
    """Whether a gateway is among these; an empty name is any gateway, and no sidecar."""
    return gateway in gateways if gateway else any(each != MESH for each in gateways)


def specificity(pattern: str, host: str) -> int:
    """How closely a host pattern fits (Envoy's order of domains): exact, longest suffix, ``*``; -1 if not at all."""
    pattern, host = plain_host(pattern), plain_host(host)
    if pattern == host:
        return 1000
    if pattern == "*":
        return 0
    return len(pattern) if pattern.startswith("*") and host.endswith(pattern[1:]) else -1
