"""Flavour ``istio``: a cluster per service and lane and a route per lane, as upstream Istio makes them of its resources.

It shows what upstream Istio can't do: a lane's service without endpoint is a 503, for only a route that is not there falls
back. It has no memory of trace IDs either, so that in trace-ID mode applications must forward the route header.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..._settings import BAGGAGE, BAGGAGE_MODE
from ..._wire import MAX_VALUE
from ..model import STRICT_MODE
from .script import LANES, context, lanes_filter

if TYPE_CHECKING:
    from ..model import LaneGroup
    from ..services import ServiceRef
    from .options import Json, Options


class PerLane:
    """The flavour of upstream Istio for one group."""

    def __init__(self, group: LaneGroup, options: Options) -> None:
        self._group = group
        self.strict = group.mode == STRICT_MODE
        self._key = options.baggage_key or group.route_header

    def lanes_of(self, service: ServiceRef) -> list[str]:
        """The lanes in which a service has a cluster: those that some route leads to."""
        return list(dict.fromkeys(self._target(service, lane.name) for lane in self._group.lanes))

    def _target(self, service: ServiceRef, lane: str) -> str:
        """The lane whose instances serve a lane's requests, settled when the routes are made."""
        group = self._group
        return lane if self.strict or group.lane(lane).has(service) else group.fallback(service)

    def towards(self, label: str, service: ServiceRef, lane: str) -> Json:
        """Where a route goes whose lane is settled."""
        return {"cluster": cluster_name(label, self._target(service, lane))}

    def routes(self, label: str, service: ServiceRef, lane: str | None) -> list[Json]:
        """The routes of a service in a sidecar: one for each lane, and the baseline last."""
        group = self._group
        if self.strict:
            return [{"match": {"prefix": "/"}, "route": self.towards(label, service, lane or group.baseline)}]
        routes = [
            {"name": one.name, "match": {"prefix": "/", "headers": [self._header(one.name)]}, "route": route}
            for one in group.lanes
            if one.name != group.baseline
            for route in (self.towards(label, service, one.name),)
        ]
        return [*routes, {"name": "baseline", "match": {"prefix": "/"}, "route": self.towards(label, service, group.baseline)}]

    def filters(self) -> list[Json]:
        """The filters of a sidecar: none."""
        return []

    def gateway_filters(self) -> list[Json]:
        """The filters of the gateway; upstream Istio needs an EnvoyFilter for it in baggage mode."""
        return [lanes_filter()] if self._group.mode == BAGGAGE_MODE else []

    def everywhere(self) -> Json:
        """What the route configuration of sidecars says once for all services."""
        return {}

    def for_service(self, service: ServiceRef) -> Json:  # noqa: ARG002 - the other flavour's signature
        """What the virtual host of a service in a sidecar says about finding the lane."""
        return {}

    def at_gateway(self, lane: str) -> Json:
        """What a route of the gateway says about the lane that it sets."""
        if self._group.mode != BAGGAGE_MODE:
            return {}
        return context({}, LANES, role="gateway", lane=lane, key=self._key, limit=MAX_VALUE)

    def _header(self, lane: str) -> Json:
        if self._group.mode != BAGGAGE_MODE:
            return {"name": self._group.route_header, "string_match": {"exact": lane}}
        key, value = re.escape(self._key), re.escape(lane)
        member = rf"(?:.*,)?[ \t]*{key}[ \t]*=[ \t]*{value}[ \t]*(?:[;,].*)?"
        return {"name": BAGGAGE, "string_match": {"safe_regex": {"regex": member}}}


def cluster_name(label: str, lane: str) -> str:
    """Name of the cluster of a service in a lane."""
    return f"{label}|{lane}"
