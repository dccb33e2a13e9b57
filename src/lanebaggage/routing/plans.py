"""Decisions made ahead: for a service and a lane, what is tried in which order, and the error if nothing is there.

Made at first use and kept with the lane, so that a hop costs a few look-ups and replacing a lane touches no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decision import NO_HEADERS, UNAVAILABLE, Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from .model import Lane, LaneGroup
    from .services import ServiceRef

    Available: TypeAlias = Callable[[str, str], bool]


class Service:
    """A service of the group, compiled.

    :param label: its name, or ``namespace/name`` where the name alone is ambiguous.
    """

    __slots__ = ("label", "ref")

    def __init__(self, ref: ServiceRef, label: str) -> None:
        self.ref = ref
        self.label = label


class Plan:
    """What is tried, in order: the lane, and the decision if the service has a healthy endpoint there.

    :param label: the service, by the name that ``available`` is asked with.
    :param steps: the decisions, each with its target.
    :param error: the decision if nothing is healthy.
    """

    __slots__ = ("error", "first", "label", "steps")

    def __init__(self, label: str, steps: list[Decision], error: Decision) -> None:
        self.label = label
        self.steps = tuple((step.target or "", step) for step in steps)
        self.error = error
        self.first = steps[0] if steps else error

    def decide(self, available: Available) -> Decision:
        """The decision, given what is healthy."""
        label = self.label
        for lane, decision in self.steps:
            if available(label, lane):
                return decision
        return self.error


class Planner:
    """Makes plans for one lane group.

    :param group: the group.
    :param no_lane: ``baseline``, ``fallback`` or ``error``, for a request outside every lane.
    :param unknown_lane: the same for a request whose header names no lane of the group.
    """

    def __init__(self, group: LaneGroup, no_lane: str, unknown_lane: str) -> None:
        self._group = group
        self._lanes: dict[str, Lane] = {lane.name: lane for lane in group.lanes}
        self._outside = {"no lane": no_lane, "unknown lane": unknown_lane}

    def in_lane(
        self,
        service: Service,
        lane: str,
        why: str,
        rule: str | None = None,
        set_headers: Mapping[str, str] = NO_HEADERS,
    ) -> Plan:
        """The plan for a request in a lane of the group.

        :param why: what put it there, such as ``rule r-s2``.
        """
        label = service.label
        steps = []
        listed = self._lanes[lane].has(service.ref)
        missing = f"{label} has no healthy endpoint in lane {lane}" if listed else f"{label} is not in lane {lane}"
        prefix = "" if why == f"lane {lane}" else f"{why}: "
        error = f"{prefix}{missing}"
        if listed:
            steps.append(Decision(label, lane, lane, reason=why, rule=rule, set_headers=set_headers))
        target = self._group.fallback(service.ref)
        if not self._group.permissive:
            error += "; strict mode has no fallback"
        elif target != lane:
            if not self._lanes[target].has(service.ref):
                error += f" and not in {target}, which it falls back to"
            else:
                missing_here = f"{prefix}{missing}, fell back to {target}"
                steps.append(Decision(label, lane, target, True, reason=missing_here, rule=rule, set_headers=set_headers))
                error += f", nor in {target}, which it falls back to"
        else:
            error += ", and it falls back to no other lane"
        return Plan(label, steps, Decision(label, lane, None, False, UNAVAILABLE, error, rule, set_headers))

    def outside(self, service: Service, why: str) -> Plan:
        """The plan for a request outside every lane.

        :param why: ``no lane`` or ``unknown lane``.
        """
        label = service.label
        if not self._group.permissive:
            reason = f"{why} of the caller; strict mode routes by it"
            return Plan(label, [], Decision(label, status=UNAVAILABLE, reason=reason))
        baseline = self._group.baseline
        target = self._group.fallback(service.ref)
        treatment = self._outside[why]
        if treatment == "error":
            return Plan(label, [], Decision(label, status=UNAVAILABLE, reason=f"{why}, which the settings make an error"))
        order = [target] if treatment == "fallback" else list(dict.fromkeys((baseline, target)))
        steps = [
            Decision(
                label,
                None,
                lane,
                lane != order[0],
                reason=f"{why}: {'baseline' if lane == baseline else 'fallback target'} {lane}",
            )
            for lane in order
            if self._lanes[lane].has(service.ref)
        ]
        error = f"{why}, and {label} has no healthy endpoint in {' or '.join(order)}"
        return Plan(label, steps, Decision(label, status=UNAVAILABLE, reason=error))
