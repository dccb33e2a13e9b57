"""Writes a lane group as Gateway API's HTTPRoute and Service, with a comment where Gateway API cannot say a thing.

There are no subsets there, so each lane of a service becomes a Service of its own: ``mocka-s2`` selects the pods of mocka
that have the labels of lane s2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._settings import BAGGAGE, BAGGAGE_MODE, TRACE_ID_MODE
from .writing import baggage_regex, default_entry, first_with, is_dns_label, literally, online_rules, shares_of, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .matching import Match, StringMatch
    from .model import IngressWeight, Lane, LaneGroup
    from .services import ServiceRef
    from .writing import Written

API_GROUP: Final = "gateway.networking.k8s.io"
API_VERSION: Final = f"{API_GROUP}/v1"
MAX_RULES: Final = 16
"""Of one HTTPRoute; more of them for one parent count as one (HTTPRouteSpec ``rules``)."""

NO_FALLBACK: Final = (
    "Gateway API cannot say: fall back where a lane has no healthy endpoint. It answers 503 there;",
    "write this again when a service joins or leaves a lane.",
)
NO_SENDER: Final = (
    "Gateway API cannot say: route by the lane of the caller, which is all that strict mode goes by.",
    "Only the gateway's rules are written.",
)
NO_MEMORY: Final = "Gateway API cannot say: remember the lane of a trace ID. Applications have to forward the route header too."
NO_EXCEPT: Final = (
    "Gateway API cannot say: read baggage only where the route header is absent. A route header that names no lane",
    "gives way to baggage here.",
)
NO_BAGGAGE_EDIT: Final = (
    "Gateway API cannot say: replace one member of baggage. The gateway adds a baggage header of its own; where the",
    "client sent the member too, the route header decides.",
)
NO_ORDER: Final = (
    "Gateway API cannot say: first rule first. The most specific match goes first there; make the rules disjoint.",
)
NO_TEXT_PREFIX: Final = "Gateway API cannot say: a prefix of text. {value} is compared by whole path elements here."
NO_NAME: Final = (
    "Gateway API cannot say: a Service named {name}. Kubernetes takes letters a-z, digits and hyphens; rename the lane."
)
NO_ERROR: Final = "Gateway API cannot say: 503 for lane {lane}, which lacks {service}. It answers 500 without a backend."


def write_gateway_api(groups: Iterable[LaneGroup], *, selectors: Mapping[ServiceRef, Mapping[str, str]] | None = None) -> str:
    """HTTPRoute documents, and a Service for each lane of each service.

    :param groups: the lane groups.
    :param selectors: of the Services that are there; ``app: <name>`` where one is not among them.
    """
    written: list[Written] = []
    for group in groups:
        port = _port(group)
        for service in group.services:
            selector = dict((selectors or {}).get(service) or {"app": service.name})
            written += _lane_services(group, service, selector, port)
            if group.permissive:
                written += _service_routes(group, service, port)
        written += _gateway_routes(group, port)
    return yaml_text(written)


def _port(group: LaneGroup) -> int:
    entries = [rule.port for lane in group.lanes for rule in lane.rules]
    entries += [lane.weight.port for lane in group.lanes if lane.weight is not None]
    return next((port for port in entries if port), 80)


def _lane_services(group: LaneGroup, service: ServiceRef, selector: dict[str, str], port: int) -> list[Written]:
    written: list[Written] = []
    for lane in group.lanes:
        if lane.has(service):
            name = f"{service.name}-{lane.name}"
            spec = {"selector": {**selector, **lane.selector}, "ports": [{"name": "http", "port": port}]}
            metadata = {"name": name, "namespace": service.namespace}
            made = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
            written.append(([] if is_dns_label(name) else [NO_NAME.format(name=name)], made))
    return written


def _routes(name: str, namespace: str, spec: dict[str, Any], comments: list[str]) -> list[Written]:
    """One HTTPRoute, or as many as its rules need; names sort in the order of the rules, which decides between equals."""
    rules: list[dict[str, Any]] = spec["rules"]
    digits = len(str(len(rules) // MAX_RULES + 1))
    written: list[Written] = []
    for number, first in enumerate(range(0, len(rules), MAX_RULES), 1):
        metadata = {"name": name if number == 1 else f"{name}.{number:0{digits}}", "namespace": namespace}
        part = {**spec, "rules": rules[first : first + MAX_RULES]}
        route = {"apiVersion": API_VERSION, "kind": "HTTPRoute", "metadata": metadata, "spec": part}
        written.append((comments if number == 1 else [], route))
    return written


def _grants(group: LaneGroup, rules: Iterable[dict[str, Any]]) -> list[Written]:
    """What lets the gateway's routes send to Services of other namespaces (ReferenceGrant)."""
    gateway = group.gateway.namespace
    namespaces = dict.fromkeys(backend["namespace"] for rule in rules for backend in rule.get("backendRefs", ()))
    sender = {"group": API_GROUP, "kind": "HTTPRoute", "namespace": gateway}
    return [
        (
            [],
            {
                "apiVersion": f"{API_GROUP}/v1beta1",
                "kind": "ReferenceGrant",
                "metadata": {"name": f"{group.name}-ingress", "namespace": namespace},
                "spec": {"from": [sender], "to": [{"group": "", "kind": "Service"}]},
            },
        )
        for namespace in namespaces
        if namespace != gateway
    ]


def _service_routes(group: LaneGroup, service: ServiceRef, port: int) -> list[Written]:
    comments = list(NO_FALLBACK)
    if group.mode == TRACE_ID_MODE:
        comments.append(NO_MEMORY)
    default = first_with(group, service, group.baseline, group.fallback(service))
    rules: list[dict[str, Any]] = []
    carriers = [_exact_header(group.route_header)]
    if group.mode == BAGGAGE_MODE:
        comments += NO_EXCEPT
        carriers.append(_baggage_header(group.route_header))
    for carrier in carriers:
        for lane in group.lanes:
            target = first_with(group, service, lane.name, group.fallback(service))
            if target is None:
                comments.append(NO_ERROR.format(lane=lane.name, service=service.name))
            if target is None or target != default or len(carriers) > 1:
                rules.append({"matches": [{"headers": [carrier(lane.name)]}], **_backends(service, target, port)})
    rules.append(_backends(service, default, port))
    parent = {"group": "", "kind": "Service", "name": service.name, "port": port}
    spec = {"parentRefs": [parent], "rules": rules}
    return _routes(f"{group.name}-{service.name}", service.namespace, spec, list(dict.fromkeys(comments)))


def _exact_header(name: str) -> Any:
    return lambda lane: {"type": "Exact", "name": name, "value": lane}


def _baggage_header(key: str) -> Any:
    return lambda lane: {"type": "RegularExpression", "name": BAGGAGE, "value": baggage_regex(key, lane)}


def _backends(service: ServiceRef, lane: str | None, port: int, **more: Any) -> dict[str, Any]:
    return {} if lane is None else {"backendRefs": [_backend(service, lane, port, **more)]}


def _backend(service: ServiceRef, lane: str, port: int, **more: Any) -> dict[str, Any]:
    return {"name": f"{service.name}-{lane}", "namespace": service.namespace, "port": port, **more}


# --- the gateway


def _gateway_routes(group: LaneGroup, port: int) -> list[Written]:
    """HTTPRoutes for each list of hosts that the rules have."""
    comments: list[str] = [] if group.permissive else list(NO_SENDER)
    if group.mode == BAGGAGE_MODE:
        comments += NO_BAGGAGE_EDIT
    by_hosts: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    rules = online_rules(group)
    if len(rules) > 1:
        comments += NO_ORDER
    if shares := shares_of(group):
        by_hosts.setdefault(_hostnames(group.weighted_hosts), []).append(_weights(group, shares, port, comments))
    for lane, rule in rules:
        entry = rule.destination
        target = first_with(group, entry, *([lane.name, group.fallback(entry)] if group.permissive else [lane.name]))
        if target is None:
            comments.append(NO_ERROR.format(lane=lane.name, service=entry.name))
        written = {"matches": [_match(rule.match, comments)], "filters": _filters(group, lane.name)}
        by_hosts.setdefault(_hostnames(rule.hosts), []).append({**written, **_backends(entry, target, rule.port or port)})
    default = default_entry(group)
    if default is not None:
        target = first_with(group, default.destination, group.baseline, group.fallback(default.destination))
        filters = {"filters": _filters(group, group.baseline)}
        by_hosts.setdefault((), []).append({**filters, **_backends(default.destination, target, default.port or port)})
    parent = {"name": group.gateway.name, "namespace": group.gateway.namespace}
    written_routes: list[Written] = []
    for index, (hosts, entries) in enumerate(by_hosts.items()):
        filled = [{name: value for name, value in entry.items() if value} for entry in entries]
        spec = {"parentRefs": [parent], **({"hostnames": list(hosts)} if hosts else {}), "rules": filled}
        name = f"{group.name}-ingress" if index == 0 else f"{group.name}-ingress-hosts-{index + 1}"
        written_routes += _routes(name, group.gateway.namespace, spec, comments if index == 0 else [])
    return written_routes + _grants(group, (entry for entries in by_hosts.values() for entry in entries))


def _hostnames(hosts: tuple[str, ...]) -> tuple[str, ...]:
    return () if "*" in hosts else hosts


def _filters(group: LaneGroup, lane: str) -> list[dict[str, Any]]:
    if not group.permissive:
        return []
    changes: dict[str, Any] = {"set": [{"name": group.route_header, "value": lane}]}
    if group.mode == BAGGAGE_MODE:
        changes["add"] = [{"name": BAGGAGE, "value": f"{group.route_header}={lane}"}]
    return [{"type": "RequestHeaderModifier", "requestHeaderModifier": changes}]


def _weights(group: LaneGroup, shares: list[tuple[Lane, IngressWeight]], port: int, comments: list[str]) -> dict[str, Any]:
    backends = []
    for lane, share in shares:
        entry = share.destination
        targets = [lane.name, group.fallback(entry)] if group.permissive else [lane.name]
        target = first_with(group, entry, *targets)
        if target is None:
            comments.append(NO_ERROR.format(lane=lane.name, service=entry.name))
        more = {"weight": share.weight or 1, "filters": _filters(group, lane.name)}
        backends.append(_backend(entry, target or lane.name, share.port or port, **more))
    matches = [_match(match, comments) for match in group.weighted_matches]
    return {"matches": matches, "backendRefs": backends}


def _match(match: Match, comments: list[str]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if match.uri is not None:
        kind = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression", "present": "PathPrefix"}[match.uri.kind]
        if match.uri.kind == "prefix" and match.uri.value != "/":
            comments.append(NO_TEXT_PREFIX.format(value=match.uri.value))
        written["path"] = {"type": kind, "value": match.uri.value or "/"}
    if match.headers:
        written["headers"] = [{"name": name, **_condition(condition)} for name, condition in match.headers]
    return written


def _condition(condition: StringMatch) -> dict[str, str]:
    if condition.kind == "exact":
        return {"type": "Exact", "value": condition.value}
    regex = {"prefix": literally(condition.value) + ".*", "regex": condition.value, "present": ".*"}[condition.kind]
    return {"type": "RegularExpression", "value": regex}
