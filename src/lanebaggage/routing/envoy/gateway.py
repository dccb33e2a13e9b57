"""The gateway's routes: lane rules in order, or weights, then the baseline or 404."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..matching import Match
from ..model import WEIGHTED
from .conditions import route_match
from .observing import missing
from .options import CHOICE_HEADER
from .resources import OBSERVED, header, with_metadata
from .script import HOPS, context

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model import IngressWeight, Lane, LaneGroup
    from ..services import ServiceRef
    from .istio import PerLane
    from .options import Json, Options
    from .subsets import Subsets

NO_RULE = "no lane rule matches"


class GatewayRoutes:
    """The routes of one group's gateway.

    :param labels: names of the group's services, as clusters have them.
    """

    def __init__(
        self, group: LaneGroup, options: Options, flavour: Subsets | PerLane, labels: Mapping[ServiceRef, str]
    ) -> None:
        self._group = group
        self._options = options
        self._flavour = flavour
        self._labels = labels
        self._shares = _shares(group) if group.strategy == WEIGHTED else []

    @property
    def total(self) -> int:
        """Sum of the weights; 0 where lane rules decide."""
        return sum(weight.weight or 1 for _, weight in self._shares)

    def routes(self) -> list[Json]:
        """All routes, in order."""
        chosen = self._weighted() if self._group.strategy == WEIGHTED else self._ruled()
        return [*chosen, self._last()]

    def _ruled(self) -> list[Json]:
        return [
            {"name": rule.name, "match": match, **self._into(rule.destination, lane.name)}
            for lane in self._group.lanes
            for rule in lane.rules
            if rule.online and (match := route_match(rule.match, rule.hosts)) is not None
        ]

    def _weighted(self) -> list[Json]:
        if not self._shares or any(weight.destination not in self._labels for _, weight in self._shares):
            return []
        weighted: Json = {"clusters": [self._share(lane.name, weight) for lane, weight in self._shares]}
        if self._options.observed:
            weighted["header_name"] = CHOICE_HEADER
        return [
            {"name": "weights", "match": match, "route": {"weighted_clusters": weighted}}
            for one in self._group.weighted_matches or (Match(),)
            if (match := route_match(one, self._group.weighted_hosts)) is not None
        ]

    def _share(self, lane: str, weight: IngressWeight) -> Json:
        service = weight.destination
        action = self._flavour.towards(self._labels[service], service, lane)
        share = {"name": action.pop("cluster"), "weight": weight.weight or 1, **action, **self._set(lane)}
        return context(share, HOPS, lane=lane) if self._options.observed else share

    def _last(self) -> Json:
        """What is left: to the entry service in the baseline lane, as the router does, or 404."""
        group = self._group
        entries = {lane.name: weight.destination for lane, weight in reversed(self._shares)}
        rules = [(lane.name, rule.destination) for lane in group.lanes for rule in lane.rules if rule.online]
        entries.update(reversed(rules))
        everything: Json = {"name": "unmatched", "match": {"prefix": "/"}}
        if self._options.unmatched == "error" or not group.permissive or not entries:
            return {**everything, **_refused(NO_RULE)}
        return {**everything, **self._into(entries.get(group.baseline) or next(reversed(entries.values())), group.baseline)}

    def _into(self, service: ServiceRef, lane: str) -> Json:
        """Into a lane, at its entry service."""
        label = self._labels.get(service)
        if label is None:
            route = _refused(f"{service} is no service of lane group {self._group.name}")
        else:
            route = {"route": self._flavour.towards(label, service, lane), **self._set(lane)}
        if not self._options.observed:
            return route
        target = self._group.fallback(service) if self._group.permissive else None
        seen = with_metadata(route, OBSERVED, missing(label or service.name, target))
        return context(seen, HOPS, lane=lane)

    def _set(self, lane: str) -> Json:
        named = {"request_headers_to_add": [header(self._group.route_header, lane)]} if self._group.permissive else {}
        return {**named, **self._flavour.at_gateway(lane)}


def _shares(group: LaneGroup) -> Sequence[tuple[Lane, IngressWeight]]:
    """Lanes with a weight; a single one gets all, one of weight 0 nothing, as Istio has it."""
    weighted = [(lane, lane.weight) for lane in group.lanes if lane.weight is not None]
    return weighted if len(weighted) == 1 else [(lane, weight) for lane, weight in weighted if weight.weight]


def _refused(reason: str) -> Json:
    return {"direct_response": {"status": 404, "body": {"inline_string": reason}}}
