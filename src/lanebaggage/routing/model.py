"""The model of lane routing: lane groups, their lanes and the rules of the gateway, each checked when it is made.

The fields are those of ASM's resource definitions ASMSwimLaneGroup and ASMSwimLane that bear on routing
(https://www.alibabacloud.com/help/en/asm/sidecar/asmswimlanegroup-and-asmswimlane-crd-description).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from .._errors import SettingsError
from .._settings import BAGGAGE, BAGGAGE_MODE, CUSTOM_HEADER_MODE, DEFAULT_HEADER, TRACE_ID_MODE, resolve
from .._wire import is_lane
from .errors import NOWHERE, Place, RoutingError
from .matching import ANY_REQUEST, Match, StringMatch
from .services import ServiceRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRICT_MODE: Final = "strict"
RULE_BASED: Final = "rule_based"
WEIGHTED: Final = "weighted"


@dataclass(frozen=True, slots=True)
class IngressRule:
    """A lane rule of the gateway (ASMSwimLane ``ingressRules[]``).

    :param name: its name.
    :param destination: the entry service.
    :param match: which requests.
    :param hosts: ``*``, names or ``*.suffix``; none means any host.
    :param online: whether it is in force; not unless the file says so.
    :param port: of the entry service, or None.
    """

    name: str
    destination: ServiceRef
    match: Match = ANY_REQUEST
    hosts: tuple[str, ...] = ("*",)
    online: bool = True
    port: int | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IngressWeight:
    """A lane's share at the gateway (ASMSwimLane ``ingressWeight``).

    :param destination: the entry service.
    :param weight: its part of the sum over the lanes of the group; 0 gets nothing.
    :param port: of the entry service, or None.
    :raises RoutingError: the weight is negative.
    """

    destination: ServiceRef
    weight: int
    port: int | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise RoutingError(f"a weight of {self.weight}; write 0 or more")


@dataclass(frozen=True, slots=True)
class Lane:
    """One traffic lane (ASMSwimLane).

    :param name: the value of the route header.
    :param selector: pod labels that make up the lane (``labelSelector``).
    :param services: its services, or None for all of the group.
    :param rules: its lane rules, in order.
    :param weight: its share under the weighted strategy.
    :param places: where its fields stand in a file, by their names there.
    :raises RoutingError: the name cannot travel in a header.
    """

    name: str
    selector: Mapping[str, str] = field(default_factory=dict)
    services: tuple[ServiceRef, ...] | None = None
    rules: tuple[IngressRule, ...] = ()
    weight: IngressWeight | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    _members: frozenset[ServiceRef] | None = field(init=False, default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not is_lane(self.name):
            raise RoutingError(f"{self.name[:60]!r} is no lane's name; write 1 to 128 letters, digits and . _ - :")
        object.__setattr__(self, "_members", None if self.services is None else frozenset(self.services))

    def has(self, service: ServiceRef) -> bool:
        """Whether the lane lists a service of its group."""
        return self._members is None or service in self._members

    def place_of(self, name: str) -> Place:
        """Where a field stands, or else the lane."""
        return self.places.get(name, self.place)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway of a group (``spec.ingress.gateway``).

    :param name: of the gateway rule.
    :param namespace: of the gateway rule.
    :param type: ``ASM`` or ``ingress``.
    """

    name: str = "ingressgateway"
    namespace: str = "istio-system"
    type: str = "ASM"


@dataclass(frozen=True, slots=True)
class LaneGroup:
    """The services, lanes and mode that belong together (ASMSwimLaneGroup).

    :param name: its name.
    :param services: the services that take part.
    :param lanes: its lanes, in the order of their rules.
    :param permissive: whether a missing service falls back to the baseline lane; strict mode otherwise.
    :param baseline: name of the baseline lane; the first lane where none is named.
    :param service_fallback: lane by service, which replaces the baseline as the target of a fallback.
    :param trace_header: the end-to-end pass-through header; ``baggage`` selects baggage mode.
    :param route_header: the header whose value is the lane's name.
    :param strategy: ``rule_based`` or ``weighted``.
    :param weighted_hosts: hosts of the weighted strategy; none means any.
    :param weighted_matches: which requests are weighted, any of these; none means every one.
    :param gateway: the gateway.
    :param places: where its fields stand in a file, by their names there.
    :raises RoutingError: the parts do not fit together.
    """

    name: str
    services: tuple[ServiceRef, ...]
    lanes: tuple[Lane, ...]
    permissive: bool = False
    baseline: str = ""
    service_fallback: Mapping[ServiceRef, str] = field(default_factory=dict)
    trace_header: str = ""
    route_header: str = ""
    strategy: Literal["rule_based", "weighted"] = RULE_BASED
    weighted_hosts: tuple[str, ...] = ()
    weighted_matches: tuple[Match, ...] = ()
    gateway: Gateway = Gateway()
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    _lanes: Mapping[str, Lane] = field(init=False, default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = [lane.name for lane in self.lanes]
        object.__setattr__(self, "_lanes", {lane.name: lane for lane in self.lanes})
        if not names:
            raise RoutingError(f"lane group {self.name} has no lane; give it at least one")
        if len(set(names)) < len(names):
            raise RoutingError(f"lane group {self.name} has two lanes of one name; rename one of {', '.join(names)}")
        object.__setattr__(self, "baseline", self.baseline or names[0])
        route = self.route_header or (DEFAULT_HEADER if self.permissive else "")
        object.__setattr__(self, "route_header", route.lower())
        object.__setattr__(self, "trace_header", (self.trace_header or route).lower())
        for lane in (self.baseline, *self.service_fallback.values()):
            if lane not in self._lanes:
                raise RoutingError(f"lane group {self.name} falls back to {lane[:60]!r}, which is none of {', '.join(names)}")
        if route:
            try:
                resolve({"route_header": self.route_header, "trace_header": self.trace_header}, {})
            except SettingsError as refused:
                raise RoutingError(f"lane group {self.name}: {str(refused).partition(': ')[2]}") from None
        if self.strategy not in (RULE_BASED, WEIGHTED):
            raise RoutingError(f"the strategy of lane group {self.name} is rule_based or weighted, not {self.strategy!r}")

    @property
    def mode(self) -> str:
        """``strict``, ``custom header``, ``trace ID`` or ``baggage``."""
        if not self.permissive:
            return STRICT_MODE
        if self.trace_header == BAGGAGE:
            return BAGGAGE_MODE
        return CUSTOM_HEADER_MODE if self.trace_header == self.route_header else TRACE_ID_MODE

    def lane(self, name: str) -> Lane:
        """The lane of this name.

        :raises RoutingError: there is none.
        """
        if found := self._lanes.get(name):
            return found
        raise RoutingError(
            f"lane group {self.name} has no lane {name[:60]!r}; its lanes are {', '.join(map(_name, self.lanes))}"
        )

    def place_of(self, name: str) -> Place:
        """Where a field stands, or else the group."""
        return self.places.get(name, self.place)

    def fallback(self, service: ServiceRef) -> str:
        """Name of the lane that a request falls back to at this service."""
        return self.service_fallback.get(service, self.baseline)

    @classmethod
    def simple(
        cls,
        *,
        baseline: str,
        lanes: Mapping[str, Sequence[str]],
        trace_header: str = DEFAULT_HEADER,
        route_header: str = DEFAULT_HEADER,
        permissive: bool = True,
        name: str = "lanes",
        entry: str | None = None,
    ) -> LaneGroup:
        """A lane group from names alone, for tests and for a mesh without a file.

        :param baseline: the baseline lane.
        :param lanes: names of the services of each lane.
        :param entry: the service that requests at the gateway go to, by a lane rule per lane on the route header; the
            first service of the baseline lane unless given.
        """
        services = tuple(dict.fromkeys(ServiceRef.parse(service) for lane in lanes.values() for service in lane))
        if baseline not in lanes:
            raise RoutingError(f"the baseline {baseline[:60]!r} is none of the lanes {', '.join(lanes)}")
        if not services:
            raise RoutingError("the lanes have no services")
        first = ServiceRef.parse(entry or next(iter(lanes[baseline]), "") or services[0].name)
        return cls(
            name=name,
            services=services,
            lanes=tuple(
                Lane(
                    lane,
                    {"ASM_TRAFFIC_TAG": lane},
                    tuple(map(ServiceRef.parse, members)),
                    (IngressRule(f"r-{lane}", first, Match(headers=((route_header, StringMatch("exact", lane)),))),),
                )
                for lane, members in lanes.items()
            ),
            permissive=permissive,
            baseline=baseline,
            trace_header=trace_header if permissive else "",
            route_header=route_header if permissive else "",
        )


def _name(lane: Lane) -> str:
    return lane.name
