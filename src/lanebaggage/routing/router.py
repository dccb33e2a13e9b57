"""Decides each hop as ASM's gateway and sidecars do: by lane group, service, lane and health, and nothing else.

Pure: no I/O, no clock but the one passed in. Compiled once per lane; a hop costs a few look-ups, however many lanes.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from .carrier import FROM_BAGGAGE, FROM_TRACE, Carrier
from .decision import NOT_FOUND, Decision
from .errors import RoutingError
from .ingress import Ingress, Rule
from .plans import Planner, Service
from .services import plain_host

if TYPE_CHECKING:
    from typing import TypeAlias

    from .memory import TraceMemory
    from .model import Lane, LaneGroup
    from .plans import Available, Plan
    from .request import Request

    Plans: TypeAlias = dict[str | None, Plan]

_CHOICES: Final = {
    "unknown_lane": ("baseline", "fallback", "error"),
    "no_lane": ("baseline", "fallback", "error"),
    "unmatched": ("baseline", "error"),
    "repeated": ("joined", "each"),
    "carrier": ("header", "baggage"),
    "traceparent": ("whole", "trace-id"),
}


class _Compiled:
    """One state of the router, replaced as a whole; what did not change is shared with the state before.

    :param rules: of each lane, those that are online.
    :param plans: by where the lane was found, service, and lane; None is no lane. Filled at first use.
    """

    __slots__ = ("group", "ingress", "planner", "plans", "rules", "unknown")

    def __init__(
        self, group: LaneGroup, planner: Planner, rules: dict[str, list[Rule]], plans: dict[str, dict[Service, Plans]]
    ) -> None:
        self.group = group
        self.planner = planner
        self.rules = rules
        self.plans = plans
        self.unknown: dict[Service, Plan] = {}
        self.ingress: Ingress | None = None


class Router:
    """The reference model of lane routing for one lane group; safe to use from several threads.

    What ASM's documents leave open is a setting; ``docs/reference/routing.md`` argues each default.

    :param group: the lane group.
    :param unknown_lane: where a request goes whose header names no lane of the group: ``baseline`` (as a request of the
        baseline lane), ``fallback`` (the service's fallback target) or ``error`` (503).
    :param no_lane: the same for a request without lane.
    :param unmatched: what the gateway does where no rule matches: ``baseline``, or ``error`` (404).
    :param repeated: how rules see a repeated header: ``joined`` by commas (Envoy up to 1.38), or ``each`` by itself.
    :param carrier: what is believed first in baggage mode: the route ``header``, or the ``baggage`` member.
    :param baggage_key: key of the lane's member in baggage; the route header's name where empty.
    :param traceparent: whether a sidecar remembers a ``traceparent`` as a ``whole``, or by its ``trace-id`` alone.
    :raises RoutingError: a setting has none of these values.
    """

    def __init__(
        self,
        group: LaneGroup,
        *,
        unknown_lane: Literal["baseline", "fallback", "error"] = "baseline",
        no_lane: Literal["baseline", "fallback", "error"] = "baseline",
        unmatched: Literal["baseline", "error"] = "baseline",
        repeated: Literal["joined", "each"] = "joined",
        carrier: Literal["header", "baggage"] = "header",
        baggage_key: str = "",
        traceparent: Literal["whole", "trace-id"] = "whole",
    ) -> None:
        self._settings: dict[str, str] = {
            "unknown_lane": unknown_lane,
            "no_lane": no_lane,
            "unmatched": unmatched,
            "repeated": repeated,
            "carrier": carrier,
            "traceparent": traceparent,
        }
        for setting, value in self._settings.items():
            if value not in _CHOICES[setting]:
                raise RoutingError(f"{setting} is one of {', '.join(_CHOICES[setting])}, not {value!r}")
        self._carrier = Carrier(
            group,
            baggage_key=baggage_key,
            baggage_first=carrier == "baggage",
            whole_traceparent=traceparent == "whole",
        )
        self._strict = not group.permissive
        self._services = _services(group)
        self._changing = Lock()
        rules = {lane.name: _online(lane, group) for lane in group.lanes}
        self._compiled = _Compiled(group, self._planner(group), rules, self._no_plans())

    @property
    def group(self) -> LaneGroup:
        """The lane group as it is now."""
        return self._compiled.group

    # --- deciding

    def route(
        self,
        service: str,
        request: Request,
        *,
        source: str | None = None,
        available: Available | None = None,
        memory: TraceMemory | None = None,
        now: float = 0.0,
    ) -> Decision:
        """Decide one outbound hop, as the sidecar of the caller does. Never raises for what a request holds.

        :param service: name or host of the service that is called.
        :param request: the request as it leaves the caller.
        :param source: lane of the caller's own pod labels; strict mode routes by it, and by no header.
        :param available: whether a service, by the name that decisions carry, has a healthy endpoint in a lane; None
            means that every declared one has.
        :param memory: what the caller's sidecar remembers, in trace-ID mode.
        :param now: the time in seconds, on the clock of ``memory``.
        :return: the decision; one object is shared by all requests that come to it.
        """
        called = self._services.get(service) or self._services.get(plain_host(service))
        if called is None:
            return self._foreign(service)
        compiled = self._compiled
        found = ""
        if self._strict:
            value = source
        else:
            value, found = self._carrier.lane(request, memory, now)
        plan = compiled.plans[found][called].get(value) or self._plan(compiled, called, value, found)
        return plan.first if available is None else plan.decide(available)

    def arrived(self, request: Request, memory: TraceMemory, now: float) -> None:
        """Remember the lane of a request's trace ID, as the sidecar of the called instance does in trace-ID mode."""
        trace = self._carrier.trace(request)
        if trace and (lane := request.value(self.group.route_header)) and lane in self._compiled.rules:
            memory.remember(trace, lane, now)

    def ingress(self, request: Request, *, available: Available | None = None, choice: float | None = None) -> Decision:
        """Decide where a request from outside goes, as the gateway does: by lane rules in order, or by weights.

        :param request: the request as the client sent it.
        :param available: as for :meth:`route`.
        :param choice: a random number from 0 up to 1, which picks among the weights; None counts as 0.
        :return: the decision, with the headers that the gateway sets.
        """
        compiled = self._compiled
        gateway = compiled.ingress
        if gateway is None:
            gateway = compiled.ingress = self._gateway(compiled)
        return gateway.decide(request, available, choice or 0.0)

    # --- changing

    def replace(self, lane: Lane) -> None:
        """Put a lane in the place of the one of its name, or add it; the other lanes stay compiled.

        :raises RoutingError: the group would not fit together.
        """
        with self._changing:
            group = self.group
            lanes = tuple(lane if other.name == lane.name else other for other in group.lanes)
            self._change(replace(group, lanes=lanes if lane in lanes else (*lanes, lane)), lane.name)

    def remove(self, name: str) -> None:
        """Take a lane out; the other lanes stay compiled.

        :raises RoutingError: there is no such lane, or something falls back to it.
        """
        with self._changing:
            group = self.group
            gone = group.lane(name)
            self._change(replace(group, lanes=tuple(lane for lane in group.lanes if lane is not gone)), name)

    def _change(self, group: LaneGroup, name: str) -> None:
        """Go over to another group, in which one lane differs; what falls back to that lane is planned anew."""
        before = self._compiled
        everyone = name == group.baseline or name in group.service_fallback.values()
        rules = {
            lane.name: _online(lane, group) if everyone or lane.name == name else before.rules[lane.name]
            for lane in group.lanes
        }
        plans = self._no_plans()
        if not everyone:
            for found, services in before.plans.items():
                for service, known in services.items():
                    plans[found][service] = kept = known.copy()
                    kept.pop(name, None)
        self._compiled = _Compiled(group, self._planner(group), rules, plans)

    # --- compiling

    def _planner(self, group: LaneGroup) -> Planner:
        return Planner(group, self._settings["no_lane"], self._settings["unknown_lane"])

    def _gateway(self, compiled: _Compiled) -> Ingress:
        return Ingress(
            compiled.group,
            [rule for rules in compiled.rules.values() for rule in rules],
            compiled.planner,
            self._services,
            self._carrier,
            unmatched=self._settings["unmatched"],
            each=self._settings["repeated"] == "each",
        )

    def _no_plans(self) -> dict[str, dict[Service, Plans]]:
        return {found: {service: {} for service in self._services.values()} for found in ("", FROM_BAGGAGE, FROM_TRACE)}

    def _plan(self, compiled: _Compiled, called: Service, value: str | None, found: str) -> Plan:
        """Make a plan at first use. Values that name no lane share one, since clients choose them."""
        if value is not None and value not in compiled.rules:
            plan = compiled.unknown.get(called)
            if plan is None:
                plan = compiled.unknown[called] = compiled.planner.outside(called, "unknown lane")
            return plan
        if value is None:
            plan = compiled.planner.outside(called, "no lane")
        elif found:
            headers = MappingProxyType({compiled.group.route_header: value})
            plan = compiled.planner.in_lane(called, value, f"lane {value} {found}", None, headers)
        else:
            plan = compiled.planner.in_lane(called, value, f"lane {value}")
        compiled.plans[found][called][value] = plan
        return plan

    def _foreign(self, service: str) -> Decision:
        host = plain_host(service)
        shown = host if len(host) <= 253 and host.isascii() and host.replace("-", "").replace(".", "").isalnum() else ""
        what = shown or f"a host of {len(service)} characters"
        return Decision(shown, status=NOT_FOUND, reason=f"{what} is no service of lane group {self.group.name}")


def _online(lane: Lane, group: LaneGroup) -> list[Rule]:
    return [Rule(rule, lane.name, group.route_header) for rule in lane.rules if rule.online]


def _services(group: LaneGroup) -> dict[str, Service]:
    """Services by every text that means one: full hosts, ``namespace/name``, and the name where only one has it."""
    names = [ref.name.lower() for ref in group.services]
    found: dict[str, Service] = {}
    for ref in group.services:
        unique = names.count(ref.name.lower()) == 1
        service = Service(ref, ref.name if unique else str(ref))
        found.update(dict.fromkeys((str(ref), *ref.hosts), service))
        if unique:
            found[ref.name.lower()] = service
    return found
