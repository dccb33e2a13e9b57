"""Lints for the gateway: lane rules that cannot match, hide one another or are off; weights that do not add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .errors import error, warning
from .model import WEIGHTED
from .overlap import candidates, exact_headers, hides, overlaps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .errors import Finding
    from .model import IngressRule, Lane, LaneGroup

_MANY: Final = 20
"""Findings about one rule that are reported; with more, the first ones say it all."""


def rule_findings(group: LaneGroup) -> Iterator[Finding]:
    """What is wrong with the lane rules of a group, or would surprise."""
    rules = [(lane, rule) for lane in group.lanes for rule in lane.rules]
    for lane, rule in rules:
        if rule.destination not in group.services:
            what = f"rule {rule.name} of lane {lane.name} sends to {rule.destination}"
            why = "the group has no such service, so the request ends in 404 or leaves the lane"
            yield error("rule-destination", rule.place, what, why, "Correct the host, or add the service")
        if not rule.online:
            what = f"rule {rule.name} of lane {lane.name} is not online"
            yield warning("rule-offline", rule.place, what, "it is kept, and never applied", "Write online: true")
    if group.strategy == WEIGHTED:
        if rules:
            what = f"lane group {group.name} has lane rules, and the strategy weighted"
            yield warning("rules-unused", rules[0][1].place, what, "the rules do nothing", "Use one of the two")
        return
    live = [(lane, rule) for lane, rule in rules if rule.online]
    exact = [exact_headers(rule.match.headers) for _, rule in live]
    for (lane, rule), earlier in zip(live, candidates(exact), strict=True):
        yield from _against_earlier(lane, rule, [live[index] for index in earlier])


def _against_earlier(lane: Lane, rule: IngressRule, earlier: list[tuple[Lane, IngressRule]]) -> Iterator[Finding]:
    for other_lane, other in earlier:
        if hides(other, rule):
            what = f"rule {rule.name} of lane {lane.name} is never reached"
            why = f"rule {other.name} of lane {other_lane.name} comes first and matches all that it matches"
            yield error("unreachable-rule", rule.place, what, why, "Make it narrower than the other, or put it first")
            return
    crossing = [(other_lane, other) for other_lane, other in earlier if other_lane is not lane and overlaps(other, rule)]
    for other_lane, other in crossing[:_MANY]:
        what = f"rules {other.name} of lane {other_lane.name} and {rule.name} of lane {lane.name} match the same requests"
        why = f"which of the two applies is decided by their order, which ASM does not document; here it is {other_lane.name}"
        fix = "Give both a condition on the same header with different values"
        yield warning("overlapping-rules", rule.place, what, why, fix)


def weight_findings(group: LaneGroup) -> Iterator[Finding]:
    """What is wrong with the weights of a group."""
    weighted = [lane for lane in group.lanes if lane.weight is not None]
    if group.strategy != WEIGHTED:
        for lane in weighted:
            if lane.weight is not None:
                what = f"lane {lane.name} has a weight, and the strategy of the group is not weighted"
                fix = "Write ingressRoutingStrategy: weighted, or take the weight out"
                yield warning("weight-unused", lane.weight.place, what, "the weight does nothing", fix)
        return
    place = group.place_of("ingressRoutingStrategy")
    total = sum(lane.weight.weight for lane in weighted if lane.weight is not None)
    for lane in group.lanes:
        if lane.weight is None:
            what = f"lane {lane.name} has no ingressWeight, and the strategy is weighted"
            yield warning("weights", lane.place, what, "no request from outside enters it", "Give it a weight")
        elif lane.weight.destination not in group.services:
            what = f"the weight of lane {lane.name} sends to {lane.weight.destination}"
            why = "the group has no such service, so the request ends in 404 or leaves the lane"
            yield error("rule-destination", lane.weight.place, what, why, "Correct the host, or add the service")
    if total == 0 and len(weighted) != 1:
        fix = "Write weights that add up to 100"
        yield error("weights", place, "all weights are 0", "no lane gets a request", fix)
    elif total not in (0, 100):
        what = f"the weights add up to {total}, not to 100"
        why = "shares are weight by sum, so that the numbers are no percentages"
        yield warning("weights", place, what, why, "Make them add up to 100")
