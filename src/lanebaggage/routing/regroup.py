"""The lane group that Istio's or Gateway API's routes stand for, with a finding for each thing that no lane group can say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from .._settings import BAGGAGE
from .errors import Finding, RoutingError, warning
from .matching import Match, StringMatch
from .model import RULE_BASED, WEIGHTED, Gateway, IngressRule, IngressWeight, Lane, LaneGroup
from .routes import MESH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .routes import Route, RouteMatch, VirtualHost
    from .services import ServiceRef
    from .tables import RouteTable


_LOST: Final = (
    "whole path elements",
    "case",
    "method",
    "host by regex",
    "absent headers",
    "query parameters",
    "source labels",
)


def group_of(table: RouteTable, findings: list[Finding], name: str = "lanes") -> LaneGroup:
    """A lane group: subsets are lanes, the last route of a service says its baseline lane; strict where callers' labels decide.

    :param findings: takes what is lost.
    :raises RoutingError: no subset is in the routes.
    """
    if not table.lanes:
        raise RoutingError("the routes name no subset, so there is no lane; give the DestinationRules too")
    defaults = {service: route for service, route in _defaults(table) if route.destinations}
    counted = Counter(route.destinations[0].subset for route in defaults.values())
    baseline = next((subset for subset, _ in counted.most_common() if subset in table.lanes), next(iter(table.lanes)))
    rules: dict[str, list[IngressRule]] = {lane: [] for lane in table.lanes}
    weights: dict[str, IngressWeight] = {}
    weighted: list[tuple[VirtualHost, Route]] = []
    gateway = Gateway()
    for host in table.hosts:
        if MESH in host.gateways:
            continue
        namespace, _, gateway_name = host.gateways[0].partition("/")
        gateway = Gateway(gateway_name, namespace)
        for route in host.routes:
            if len(route.destinations) > 1:
                weights.update(_weights(table, route))
                weighted.append((host, route))
            elif route.destinations and not route.is_catch_all:
                lane = _lane_set(table, route) or route.destinations[0].subset
                found = list(_rules(host, route, findings))
                rules.setdefault(lane, []).extend(found)
    strict = _is_strict(table)
    for host in table.hosts:
        if MESH in host.gateways:
            findings += _lost_in_mesh(host, table, strict)
    carriers = {each for host in table.hosts for route in host.routes for match in route.matches for each, _ in match.headers}
    return LaneGroup(
        name=name,
        services=tuple(dict.fromkeys(table.subsets)),
        lanes=tuple(
            Lane(
                lane,
                labels,
                tuple(service for service, subsets in table.subsets.items() if lane in subsets),
                tuple(rules[lane]),
                weights.get(lane),
            )
            for lane, labels in table.lanes.items()
        ),
        permissive=not strict,
        baseline="" if strict else baseline,
        service_fallback={} if strict else dict(_service_fallback(table, baseline)),
        route_header="" if strict else table.route_header,
        trace_header=BAGGAGE if BAGGAGE in carriers and not strict else "",
        strategy=WEIGHTED if weights else RULE_BASED,
        weighted_hosts=tuple(dict.fromkeys(each for host, _ in weighted for each in host.hosts)),
        weighted_matches=tuple(match for _, route in weighted for match in _conditions(route, findings)),
        gateway=gateway,
    )


def _is_strict(table: RouteTable) -> bool:
    """Whether sidecars go by the caller's labels, and by no header."""
    matches = [match for host in table.hosts if MESH in host.gateways for route in host.routes for match in route.matches]
    return any(match.source_labels for match in matches) and not any(match.headers for match in matches)


def _lost_in_mesh(host: VirtualHost, table: RouteTable, strict: bool) -> Iterator[Finding]:
    """What sidecars go by besides the lane; in a lane group nothing else counts there."""
    carriers = (table.route_header, BAGGAGE)
    for route in host.routes:
        lost: dict[str, None] = {}
        for match in route.matches:
            path = match.path is not None and match.path != StringMatch("prefix", "/")
            others = any(name.lower() not in carriers for name, _ in (*match.headers, *match.without_headers))
            unlike = (path or match.path_elements not in ("", "/"), match.method, match.authority, others, match.query)
            names = ("uri", "method", "authority", "other headers", "query parameters")
            lost |= dict.fromkeys(name for name, there in zip(names, unlike, strict=True) if there)
            if match.source_labels and not strict:
                lost["source labels"] = None
        if len(route.destinations) > 1:
            lost["weights"] = None
        if strict and route.is_catch_all and route.destinations:
            lost["callers outside every lane"] = None
        if lost:
            what = f"route {route.name} of {host.name} is about {', '.join(lost)}"
            why = "inside the mesh a lane group goes by the lane alone, so this is left out"
            yield warning("lost", route.place, what, why, "Keep the route, or do without")


def _defaults(table: RouteTable) -> Iterator[tuple[ServiceRef, Route]]:
    for host in table.hosts:
        if MESH in host.gateways:
            for service in table.meant(host):
                yield from ((service, route) for route in host.routes if route.is_catch_all)


def _service_fallback(table: RouteTable, baseline: str) -> Iterator[tuple[ServiceRef, str]]:
    """Lanes that a service's routes send others to, where that is not the baseline."""
    for host in table.hosts:
        for service in table.meant(host) if MESH in host.gateways else ():
            for route in host.routes:
                wanted = {
                    condition.value
                    for match in route.matches
                    for name, condition in match.headers
                    if name.lower() == table.route_header and condition.kind == "exact"
                }
                for each in route.destinations[:1]:
                    target = each.fallback[0].subset if each.fallback else each.subset
                    elsewhere = bool(each.fallback) or (bool(wanted) and target not in wanted)
                    if elsewhere and target != baseline and target in table.lanes:
                        yield service, target


def _lane_set(table: RouteTable, route: Route) -> str | None:
    changes = (route.changes, *(each.changes for each in route.destinations))
    found = [value for each in changes for name, value in each.set if name == table.route_header and value in table.lanes]
    return found[0] if found else None


def _rules(host: VirtualHost, route: Route, findings: list[Finding]) -> Iterator[IngressRule]:
    for match in _conditions(route, findings):
        destination = route.destinations[0]
        yield IngressRule(route.name, destination.service, match, host.hosts, port=destination.port, place=route.place)


def _conditions(route: Route, findings: list[Finding]) -> Iterator[Match]:
    for match in route.matches:
        elements = match.path_elements not in ("", "/")
        lost = [name for name, there in zip(_LOST, (elements, *_others(match)), strict=True) if there]
        if lost:
            what = f"route {route.name} has a condition on {', '.join(lost)}"
            why = "a lane rule has conditions on uri and headers only, so the rule is left out"
            findings.append(warning("lost", route.place, what, why, "Write a rule that does without"))
        else:
            yield Match(match.path, match.headers)


def _others(match: RouteMatch) -> tuple[object, ...]:
    conditions = match.without_headers, match.query, match.source_labels
    return match.ignore_case, match.method, match.authority, *conditions


def _weights(table: RouteTable, route: Route) -> Iterator[tuple[str, IngressWeight]]:
    for each in route.destinations:
        sets = [value for name, value in (*each.changes.set, *route.changes.set) if name == table.route_header]
        lane = sets[0] if sets else each.subset
        if lane in table.lanes:
            yield lane, IngressWeight(each.service, each.weight, each.port)
