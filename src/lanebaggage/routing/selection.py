"""Parts of a decision by routes: which host fits best, which routes can be reached, which destination a number picks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .routes import ANY_SENDER, MESH
from .services import plain_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .request import Request
    from .routes import Destination, Route, RouteMatch, VirtualHost


class RouteList:
    """The routes of one host, in order; those that compare a header or the path exactly are looked up, the rest tried.

    :param routes: in order.
    """

    __slots__ = ("_headers", "_paths", "_rest", "routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._headers: dict[str, dict[str, list[int]]] = {}
        self._paths: dict[str, list[int]] = {}
        self._rest: list[int] = []
        matches = [(at, match) for at, route in enumerate(self.routes) for match in route.matches or (ANY_SENDER,)]
        counted = Counter(name for _, match in matches for name in _exact(match))
        for at, match in matches:
            exact = _exact(match)
            if exact:
                name = max(exact, key=counted.__getitem__)
                self._headers.setdefault(name, {}).setdefault(exact[name], []).append(at)
            elif match.path is not None and match.path.kind == "exact" and not match.ignore_case:
                self._paths.setdefault(match.path.wire, []).append(at)
            else:
                self._rest.append(at)

    def candidates(self, request: Request, *, each: bool) -> Iterator[Route]:
        """The routes that a request can match, in order."""
        found = self._rest.copy()
        for name, table in self._headers.items():
            for value in request.texts(name, each=each):
                found += table.get(value, ())
        if self._paths:
            found += self._paths.get(request.plain_path, ())
        return (self.routes[at] for at in sorted(set(found)))


def _exact(match: RouteMatch) -> dict[str, str]:
    return {name.lower(): condition.wire for name, condition in match.headers if condition.kind == "exact"}


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
