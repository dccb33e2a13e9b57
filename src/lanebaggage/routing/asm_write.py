"""Writes lane groups as ASM's resources: every field that the model has, so that reading gives the same group again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .asm import GROUP_KIND, GROUP_LABEL, LANE_KIND
from .model import WEIGHTED
from .writing import http_match, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import IngressRule, IngressWeight, Lane, LaneGroup
    from .services import ServiceRef

API_VERSION: Final = "istio.alibabacloud.com/v1"


def write_asm(groups: Iterable[LaneGroup]) -> str:
    """ASMSwimLaneGroup and ASMSwimLane documents.

    :param groups: the lane groups.
    """
    return yaml_text(([], each) for group in groups for each in (_group(group), *(_lane(lane, group) for lane in group.lanes)))


def _object(kind: str, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _group(group: LaneGroup) -> dict[str, Any]:
    gateway = group.gateway
    ingress: dict[str, Any] = {"gateway": {"name": gateway.name, "namespace": gateway.namespace, "type": gateway.type}}
    if group.strategy == WEIGHTED:
        rule: dict[str, Any] = {"hosts": list(group.weighted_hosts)} if group.weighted_hosts else {}
        if group.weighted_matches:
            rule["requestMatches"] = [http_match(match) for match in group.weighted_matches]
        ingress["ingressRouting"] = {"ingressRoutingStrategy": WEIGHTED, "weightedRoutingRule": rule}
    spec: dict[str, Any] = {"services": _services(group.services), "ingress": ingress, "isPermissive": group.permissive}
    if group.permissive:
        mode: dict[str, Any] = {"fallbackTarget": group.baseline, "traceHeader": group.trace_header}
        mode["routeHeader"] = group.route_header
        if group.service_fallback:
            mode["serviceLevelFallbackTarget"] = {str(service): lane for service, lane in group.service_fallback.items()}
        spec["permissiveModeConfiguration"] = mode
    return _object(GROUP_KIND, group.name, spec)


def _lane(lane: Lane, group: LaneGroup) -> dict[str, Any]:
    spec: dict[str, Any] = {"labelSelector": dict(lane.selector)}
    if lane.services is not None:
        spec["services"] = _services(lane.services)
    if lane.rules:
        spec["ingressRules"] = [_rule(rule) for rule in lane.rules]
    if lane.weight is not None:
        spec["ingressWeight"] = {**_destination(lane.weight), "weight": lane.weight.weight}
    return _object(LANE_KIND, lane.name, spec, {GROUP_LABEL: group.name})


def _rule(rule: IngressRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "online": rule.online,
        "hosts": list(rule.hosts),
        "match": http_match(rule.match),
        "route": _destination(rule),
    }


def _destination(entry: IngressRule | IngressWeight) -> dict[str, Any]:
    port = {} if entry.port is None else {"portNum": entry.port}
    return {"destination": {"host": entry.destination.host, **port}}


def _services(services: Iterable[ServiceRef]) -> list[dict[str, str]]:
    return [{"name": service.name, "namespace": service.namespace} for service in services]
