"""Lints for Istio's routes: subsets that no DestinationRule has, routes that are never reached, two owners of one host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import error, warning
from .overlap import candidates, exact_headers, hides_route
from .routes import ANY_SENDER, MESH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .errors import Finding
    from .routes import VirtualHost
    from .tables import RouteTable


def route_findings(table: RouteTable) -> Iterator[Finding]:
    """What is wrong with routes, or would surprise."""
    owners: dict[str, VirtualHost] = {}
    for host in table.hosts:
        yield from _host(host, table)
        for service in map(str, table.meant(host)) if MESH in host.gateways else ():
            other = owners.setdefault(service, host)
            if other is not host:
                what = f"{service} is in two VirtualServices, {other.name} and {host.name}"
                why = "sidecars take the one that was created first and ignore the other"
                yield error("host-in-two-routes", host.place, what, why, "Put the routes into one")


def _host(host: VirtualHost, table: RouteTable) -> Iterator[Finding]:
    yield from _unreachable(host)
    for route in host.routes:
        name = route.name
        total = sum(each.weight for each in route.destinations)
        if len(route.destinations) > 1 and total == 0:
            what = f"all weights of route {name} of {host.name} are 0"
            yield error("weights", route.place, what, "no destination gets a request", "Write weights that add up to 100")
        elif len(route.destinations) > 1 and total != 100 and not host.by_specificity:
            what = f"the weights of route {name} of {host.name} add up to {total}, not to 100"
            why = "shares are weight by sum, so that the numbers are no percentages"
            yield warning("weights", route.place, what, why, "Make them add up to 100")
        for each in (target for one in route.destinations for target in (one, *one.fallback)):
            if each.subset and each.subset not in table.subsets.get(each.service, {}):
                what = f"route {name} of {host.name} sends to subset {each.subset} of {each.service}"
                why = "no DestinationRule in the files has it, and the proxy answers 503 for a subset that it does not know"
                fix = "Add the subset to the DestinationRule, or give its file too"
                yield error("unknown-subset", route.place, what, why, fix)
    if host.routes and MESH in host.gateways and not any(route.is_catch_all for route in host.routes):
        what = f"{host.name} has no route without condition"
        yield warning("no-default-route", host.place, what, "what no route matches ends in 404", "Add one, as the last")


def _unreachable(host: VirtualHost) -> Iterator[Finding]:
    """Routes that an earlier one hides; the first match of each is enough to find those that can."""
    flat = [(at, match) for at, route in enumerate(host.routes) for match in route.matches or (ANY_SENDER,)]
    earlier: dict[int, list[int]] = {}
    for (at, _), before in zip(flat, candidates([exact_headers(match.headers) for _, match in flat]), strict=True):
        earlier.setdefault(at, [flat[each][0] for each in before])
    for at, route in enumerate(host.routes):
        for other in dict.fromkeys(earlier[at]):
            first = host.routes[other]
            if other < at and hides_route(first, route):
                what = f"route {route.name} of {host.name} is never reached"
                covers = "has no condition" if first.is_catch_all else "matches all that it matches"
                why = f"route {first.name} comes first and {covers}"
                yield error("unreachable-rule", route.place, what, why, "Make it narrower than the other, or put it first")
                break
