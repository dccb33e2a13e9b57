"""Flavour ``plain``: one cluster per service, whose endpoints say which lanes they serve; Envoy picks by the request's lane.

This is what ASM calls dynamic subsets. A service that the lane lacks falls back to the cluster's default subset. Adding or
removing a lane's service moves one file of endpoints. With ``health``, a list of lanes is tried instead, since Envoy does
not leave a subset that exists but is unhealthy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ..._settings import BAGGAGE_MODE, CUSTOM_HEADER_MODE, TRACE_ID_MODE
from ..._wire import MAX_VALUE
from ..memory import TraceMemory
from ..model import STRICT_MODE
from .options import MAX_PATTERN
from .resources import LANE, lane_metadata, typed
from .script import LANES, context, lanes_filter

if TYPE_CHECKING:
    from ..model import LaneGroup
    from ..services import ServiceRef
    from .options import Json, Options

_HEADER_TO_METADATA: Final = "envoy.filters.http.header_to_metadata"
_LIST: Final = "fallback_list"

_CHECKS: Final[Json] = {
    "health_checks": [
        {
            "timeout": "0.2s",
            "interval": "0.1s",
            "no_traffic_interval": "0.1s",
            "unhealthy_interval": "0.1s",
            "unhealthy_edge_interval": "0.05s",
            "healthy_edge_interval": "0.05s",
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "tcp_health_check": {},
        }
    ],
    "outlier_detection": {
        "consecutive_5xx": 3,
        "consecutive_gateway_failure": 3,
        "enforcing_consecutive_gateway_failure": 100,
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 1,
        "interval": "0.05s",
        "base_ejection_time": "1s",
        "max_ejection_time": "2s",
        "max_ejection_percent": 100,
    },
}


class Subsets:
    """The plain flavour for one group."""

    def __init__(self, group: LaneGroup, options: Options) -> None:
        self._group = group
        self._options = options
        self.strict = group.mode == STRICT_MODE
        simple = group.mode == CUSTOM_HEADER_MODE and "error" not in (options.no_lane, options.unknown_lane)
        too_many = bool(group.service_fallback) and sum(len(lane.name) + 1 for lane in group.lanes) > MAX_PATTERN // 2
        self.scripted = not self.strict and (options.health or too_many or not simple)

    # --- clusters

    def cluster(self, service: ServiceRef) -> Json:
        """What the cluster of a service has beside its endpoints."""
        group = self._group
        subsets: Json = {"subset_selectors": [{"keys": [LANE]}], "list_as_any": True, "fallback_policy": "NO_FALLBACK"}
        if not self.strict:
            subsets |= {"fallback_policy": "DEFAULT_SUBSET", "default_subset": {LANE: group.fallback(service)}}
        if not self._options.health:
            return {"lb_subset_config": subsets}
        return {"lb_subset_config": {**subsets, "metadata_fallback_policy": "FALLBACK_LIST"}, **_CHECKS}

    # --- routes

    def towards(self, label: str, service: ServiceRef, lane: str) -> Json:
        """Where a route goes whose lane is settled: at the gateway, and everywhere in strict mode."""
        if self._options.health:
            lanes = [lane] if self.strict else list(dict.fromkeys((lane, self._group.fallback(service))))
            match = lane_metadata([{LANE: one} for one in lanes], _LIST)
        else:
            match = lane_metadata(lane)
        return {"cluster": label, "metadata_match": match}

    def routes(self, label: str, service: ServiceRef, lane: str | None) -> list[Json]:
        """The routes of a service in a sidecar.

        :param lane: of the caller's own pods, which decides in strict mode.
        """
        if self.strict:
            if lane is None:
                reason = "no lane of the caller; strict mode routes by it"
                return [{"match": {"prefix": "/"}, "direct_response": {"status": 503, "body": {"inline_string": reason}}}]
            return [{"match": {"prefix": "/"}, "route": self.towards(label, service, lane)}]
        target = {"metadata": {"filter_metadata": {LANES: {"target": self._group.fallback(service)}}}} if self.scripted else {}
        return [{"match": {"prefix": "/"}, "route": {"cluster": label}, **target}]

    # --- how the lane is found

    def filters(self) -> list[Json]:
        """The filters of a sidecar."""
        if self.strict:
            return []
        if self.scripted:
            return [lanes_filter()]
        return [{"name": _HEADER_TO_METADATA, "typed_config": self._rules(self._group.baseline)}]

    def gateway_filters(self) -> list[Json]:
        """The filters of the gateway: the rule decides, not what the client sent."""
        return [lanes_filter()] if self._group.mode == BAGGAGE_MODE else []

    def everywhere(self) -> Json:
        """What the route configuration of sidecars says once for all services."""
        if not self.scripted:
            return {}
        group, options = self._group, self._options
        values: dict[str, Any] = {
            "role": "sidecar",
            "route": group.route_header,
            "baseline": group.baseline,
            "lanes": "".join(f"\n{lane.name}" for lane in group.lanes) + "\n",
            "no_lane": options.no_lane,
            "unknown_lane": options.unknown_lane,
            "list": options.health,
            "limit": MAX_VALUE,
        }
        if group.mode == BAGGAGE_MODE:
            values |= {"key": options.baggage_key or group.route_header, "baggage_first": options.carrier == "baggage"}
        if group.mode == TRACE_ID_MODE:
            memory = TraceMemory()
            values |= {"trace": group.trace_header, "whole": options.traceparent == "whole"}
            values |= {"size": memory.size, "ttl": memory.ttl, "generation": options.generation}
        return context({}, LANES, **values)

    def for_service(self, service: ServiceRef) -> Json:
        """What the virtual host of a service in a sidecar says about finding the lane."""
        target = self._group.fallback(service)
        if self.strict or self.scripted or target == self._group.baseline:
            return {}
        return {"typed_per_filter_config": {_HEADER_TO_METADATA: self._rules(target)}}

    def at_gateway(self, lane: str) -> Json:
        """What a route of the gateway says about the lane that it sets."""
        if self._group.mode != BAGGAGE_MODE:
            return {}
        key = self._options.baggage_key or self._group.route_header
        return context({}, LANES, role="gateway", lane=lane, key=key, limit=MAX_VALUE)

    def _rules(self, target: str) -> Json:
        """Header to metadata; what names no lane goes to the baseline first where the service falls back to another lane."""
        name = self._group.route_header

        def lane(**value: Any) -> Json:
            return {"metadata_namespace": "envoy.lb", "key": LANE, **value}

        first = {
            when: lane(value=self._group.baseline)
            for when, treatment in (
                ("on_header_missing", self._options.no_lane),
                ("on_header_present", self._options.unknown_lane),
            )
            if treatment == "baseline" and target != self._group.baseline
        }
        if not first:
            rules = [{"header": name, "on_header_present": lane()}]
        else:
            known = "|".join(re.escape(one.name) for one in self._group.lanes)
            rewrite = {"pattern": {"regex": rf"^({known})$|^\C*$"}, "substitution": "\\1"}
            rules = [
                {"header": name, **first},
                {"header": name, "on_header_present": lane(regex_value_rewrite=rewrite)},
            ]
        return typed("extensions.filters.http.header_to_metadata.v3.Config", request_rules=rules)
