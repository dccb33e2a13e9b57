"""Why a request goes where it goes: what was compared, rule by rule, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import STRICT_MODE, WEIGHTED
from .services import host_matches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .decision import Decision
    from .model import IngressRule, Lane, LaneGroup
    from .request import Request
    from .services import ServiceRef
    from .tables import RouteTable


def explain(group: LaneGroup, request: Request, decision: Decision, service: ServiceRef | None = None) -> list[tuple[str, str]]:
    """Lines of what and how, for one decision.

    :param group: the lane group.
    :param request: the request that was decided.
    :param decision: what the router decided.
    :param service: the service that was called; None for the gateway.
    """
    lines = [("lane group", f"{group.name} ({group.mode}{f', baseline {group.baseline}' if group.permissive else ''})")]
    if service is None:
        lines += _gateway(group, request, decision)
    elif group.mode != STRICT_MODE:
        lines += [
            ("header", f"{name}: {_seen(request, name)}") for name in dict.fromkeys((group.route_header, group.trace_header))
        ]
    called = service or next((each for each in group.services if decision.service in (each.name, str(each))), None)
    if called is not None:
        having = [lane.name for lane in group.lanes if lane.has(called)]
        there = f"in {', '.join(having)}" if having else "in no lane"
        fallback = f"; falls back to {group.fallback(called)}" if group.permissive else "; no fallback in strict mode"
        lines.append((decision.service, there + fallback))
    if decision.target is not None:
        lines.append(("served by", _pods(decision.target, group.lane(decision.target).selector)))
    return [*lines, *_set_headers(decision)]


def explain_routes(
    table: RouteTable, request: Request, decision: Decision, service: str | None = None, source: str | None = None
) -> list[tuple[str, str]]:
    """Lines of what and how, for one decision by routes.

    :param service: the service that was called; None for the gateway.
    :param source: the caller's subset.
    """
    called = None if service is None else table.service(service)
    labels = None if service is None else table.lanes.get(source or "", {})
    routes = [] if service is not None and called is None else table.routes_for(called, request)
    lines = []
    taken = False
    for route in routes:
        wanted = table.wants(route, request, labels)
        verdict = ("matches, taken" if not taken else "matches too, but is not the first") if wanted else "does not match"
        taken = taken or wanted
        conditions = " or ".join(map(str, route.matches)) or "any request"
        lines.append((f"route {route.name}", f"{conditions}: {verdict}"))
    if decision.target is not None and decision.target in table.lanes:
        lines.append(("served by", _pods(decision.target, table.lanes[decision.target])))
    return [*lines, *_set_headers(decision)]


def _pods(lane: str, labels: Mapping[str, str]) -> str:
    shown = ", ".join(f"{name}={value}" for name, value in labels.items())
    return f"pods of lane {lane}" + (f", labelled {shown}" if shown else "")


def _set_headers(decision: Decision) -> list[tuple[str, str]]:
    return [("set header", f"{name}: {value}") for name, value in decision.set_headers.items()]


def _gateway(group: LaneGroup, request: Request, decision: Decision) -> list[tuple[str, str]]:
    if group.strategy == WEIGHTED:
        shares = [f"{lane.name} {lane.weight.weight}" for lane in group.lanes if lane.weight is not None]
        return [("weights", ", ".join(shares))]
    return [
        (f"rule {rule.name}", _verdict(lane, rule, request, taken=decision.rule == rule.name and decision.lane == lane.name))
        for lane in group.lanes
        for rule in lane.rules
    ]


def _verdict(lane: Lane, rule: IngressRule, request: Request, *, taken: bool) -> str:
    text = f"lane {lane.name}: "
    if not rule.online:
        return text + "not online"
    if not host_matches(rule.hosts, request.host):
        return text + f"host {request.host or '(none)'} is none of {', '.join(rule.hosts)}"
    if rule.match.uri is not None and not rule.match.uri.matches(request.plain_path):
        return text + f"path {request.plain_path} is not {rule.match.uri}"
    for name, condition in rule.match.headers:
        value = request.value(name)
        if value is None or not condition.matches(value):
            return text + f"{name} is {_seen(request, name)}, not {condition}"
    return text + ("matches, taken" if taken else "matches too, but is not the first")


def _seen(request: Request, name: str) -> str:
    value = request.value(name)
    if value is None:
        return "absent"
    return value if 0 < len(value) <= 120 and value.isprintable() else f"{len(value)} characters"
