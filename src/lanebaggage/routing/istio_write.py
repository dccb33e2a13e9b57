"""Writes a lane group as Istio's DestinationRule and VirtualService, with a comment where Istio cannot say a thing.

Routes for services that a lane lacks go to the fallback target, since upstream Istio has no fallback of its own: what was
missing when this was written stays missing until it is written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._settings import BAGGAGE, BAGGAGE_MODE, TRACE_ID_MODE
from .matching import ANY_REQUEST
from .model import WEIGHTED
from .routes import MESH
from .writing import (
    baggage_regex,
    default_entry,
    first_with,
    is_dns_label,
    istio_match,
    literally,
    online_rules,
    shares_of,
    yaml_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import IngressRule, IngressWeight, Lane, LaneGroup
    from .services import ServiceRef
    from .writing import Written

API_VERSION: Final = "networking.istio.io/v1"

NO_FALLBACK: Final = (
    "Istio cannot say: fall back where a subset has no healthy endpoint. It answers 503 there;",
    "write this again when a service joins or leaves a lane, or give ASM its own fallback (--asm-fallback).",
)
NO_MEMORY: Final = (
    "Istio cannot say: remember the lane of a trace ID. Applications have to forward the route header too,",
    "or ASM's TrafficLabel has to restore it.",
)
NO_BAGGAGE_EDIT: Final = (
    "Istio cannot say: replace one member of baggage. The gateway adds a baggage header of its own; where the client",
    "sent the member too, the route header decides.",
)
NO_NAME: Final = (
    "Istio cannot say: a subset named {lane}. Its names are of letters a-z, digits and hyphens, at most 63; rename the lane."
)
NO_LABELS: Final = "Istio cannot say: who is in lane {lane}, which has no labelSelector. Its route is left out."


def write_istio(groups: Iterable[LaneGroup], *, asm_fallback: bool = False) -> str:
    """DestinationRule and VirtualService documents.

    :param groups: the lane groups.
    :param asm_fallback: write ASM's extension ``route[].fallback``, which upstream Istio rejects or ignores.
    """
    written: list[Written] = []
    for group in groups:
        for service in group.services:
            written += [_subsets(group, service), _virtual_service(group, service, asm_fallback)]
        written.append(_ingress(group, asm_fallback))
    return yaml_text(written)


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _subsets(group: LaneGroup, service: ServiceRef) -> Written:
    subsets = [{"name": lane.name, "labels": dict(lane.selector)} for lane in group.lanes if lane.has(service)]
    spec = {"host": service.host, "subsets": subsets}
    comments = [NO_NAME.format(lane=each["name"]) for each in subsets if not is_dns_label(str(each["name"]))]
    return comments, _object("DestinationRule", f"{group.name}-{service.name}", service.namespace, spec)


def _virtual_service(group: LaneGroup, service: ServiceRef, asm_fallback: bool) -> Written:
    comments: list[str] = []
    if group.permissive:
        comments += [] if asm_fallback else NO_FALLBACK
        comments += NO_MEMORY if group.mode == TRACE_ID_MODE else ()
        default = first_with(group, service, group.baseline, group.fallback(service))
        by_lane = (_by_header(group, service, lane, asm_fallback) for lane in group.lanes)
        routes = [route for route, target in by_lane if target is None or target != default]
        routes.append({"name": "baseline", **_to(group, service, default, asm_fallback)})
    else:
        comments += [NO_LABELS.format(lane=lane.name) for lane in group.lanes if not lane.selector]
        routes = [
            {
                "name": f"lane-{lane.name}",
                "match": [{"sourceLabels": dict(lane.selector)}],
                **_to(group, service, lane.name if lane.has(service) else None, asm_fallback=False),
            }
            for lane in group.lanes
            if lane.selector
        ]
        routes.append({"name": "no-lane", **_to(group, service, None, asm_fallback=False)})
    spec = {"hosts": [service.host], "gateways": [MESH], "http": routes}
    return comments, _object("VirtualService", f"{group.name}-{service.name}", service.namespace, spec)


def _by_header(group: LaneGroup, service: ServiceRef, lane: Lane, asm_fallback: bool) -> tuple[dict[str, Any], str | None]:
    """The route of one lane, and where it goes; None means an error."""
    target = first_with(group, service, lane.name, group.fallback(service))
    matches: list[dict[str, Any]] = [{"headers": {group.route_header: {"exact": lane.name}}}]
    if group.mode == BAGGAGE_MODE:
        regex = baggage_regex(group.route_header, lane.name)
        matches.append({"headers": {BAGGAGE: {"regex": regex}}, "withoutHeaders": {group.route_header: {}}})
    return {"name": f"lane-{lane.name}", "match": matches, **_to(group, service, target, asm_fallback)}, target


def _to(group: LaneGroup, service: ServiceRef, lane: str | None, asm_fallback: bool, port: int | None = None) -> dict[str, Any]:
    """The action of a route: a subset, or the 503 of a service that is in none of the lanes asked for."""
    if lane is None:
        return {"directResponse": {"status": 503, "body": {"string": f"{service.name} is not in this lane"}}}
    return {"route": [_destination(group, service, lane, asm_fallback, port)]}


def _destination(
    group: LaneGroup, service: ServiceRef, lane: str, asm_fallback: bool, port: int | None = None, **more: Any
) -> dict[str, Any]:
    number = {} if port is None else {"port": {"number": port}}
    written: dict[str, Any] = {"destination": {"host": service.host, "subset": lane, **number}}
    target = group.fallback(service)
    if asm_fallback and group.permissive and target != lane and group.lane(target).has(service):
        written["fallback"] = {"target": {"host": service.host, "subset": target}}
    return written | more


# --- the gateway


def _ingress(group: LaneGroup, asm_fallback: bool) -> Written:
    comments = list(NO_BAGGAGE_EDIT) if group.mode == BAGGAGE_MODE else []
    weighted = group.strategy == WEIGHTED
    shares = shares_of(group)
    routes = [_weights(group, shares, asm_fallback)] if shares else []
    hosts: list[str] = [*group.weighted_hosts] if weighted else []
    for lane, rule in online_rules(group):
        hosts += rule.hosts or ["*"]
        routes.append({"name": rule.name, **_rule_matches(rule), **_entry(group, lane.name, rule, asm_fallback)})
    entry = default_entry(group)
    if entry is not None:
        hosts.append("*")
        routes.append({"name": "no-rule", **_entry(group, group.baseline, entry, asm_fallback)})
    wide = "*" in hosts or not hosts
    gateway = f"{group.gateway.namespace}/{group.gateway.name}"
    spec = {"hosts": ["*"] if wide else list(dict.fromkeys(hosts)), "gateways": [gateway], "http": routes}
    return comments, _object("VirtualService", f"{group.name}-ingress", group.gateway.namespace, spec)


def _entry(group: LaneGroup, lane: str, entry: IngressRule | IngressWeight, asm_fallback: bool) -> dict[str, Any]:
    service = entry.destination
    target = first_with(group, service, *([lane, group.fallback(service)] if group.permissive else [lane]))
    return {**_headers(group, lane), **_to(group, service, target, asm_fallback, entry.port)}


def _headers(group: LaneGroup, lane: str) -> dict[str, Any]:
    if not group.permissive:
        return {}
    request: dict[str, Any] = {"set": {group.route_header: lane}}
    if group.mode == BAGGAGE_MODE:
        request["add"] = {BAGGAGE: f"{group.route_header}={lane}"}
    return {"headers": {"request": request}}


def _weights(group: LaneGroup, shares: list[tuple[Lane, IngressWeight]], asm_fallback: bool) -> dict[str, Any]:
    destinations = []
    for lane, share in shares:
        entry = share.destination
        target = first_with(group, entry, lane.name, group.fallback(entry)) if group.permissive else None
        more = {"weight": share.weight, **_headers(group, lane.name)}
        destinations.append(_destination(group, entry, target or lane.name, asm_fallback, share.port, **more))
    hosts = _authorities(group.weighted_hosts)
    matches = [{**istio_match(match), **host} for match in group.weighted_matches or (ANY_REQUEST,) for host in hosts]
    return {"name": "weights", **_when(matches), "route": destinations}


def _rule_matches(rule: IngressRule) -> dict[str, Any]:
    return _when([{**istio_match(rule.match), **host} for host in _authorities(rule.hosts)])


def _when(matches: list[dict[str, Any]]) -> dict[str, Any]:
    """The ``match`` of a route, none where one of them holds for every request."""
    return {"match": matches} if all(matches) else {}


def _authorities(hosts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Conditions for the hosts of one rule, since a VirtualService has one list of hosts for all of them."""
    if not hosts or "*" in hosts:
        return [{}]
    return [{"authority": {"regex": f"(?i){literally(host).replace(literally('*'), '.*')}(:[0-9]+)?"}} for host in hosts]
