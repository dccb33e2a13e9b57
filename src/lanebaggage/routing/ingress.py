"""The gateway: lane rules, indexed so that only candidates are tried, or weights; then the plan of the entry service."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING

from .._settings import BAGGAGE, BAGGAGE_MODE
from .decision import NO_HEADERS, NOT_FOUND, Decision
from .matching import ANY_REQUEST, Match
from .model import WEIGHTED
from .plans import Plan
from .services import host_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from .carrier import Carrier
    from .model import IngressRule, IngressWeight, LaneGroup
    from .plans import Available, Planner, Service
    from .request import Request
    from .services import ServiceRef

    Entry: TypeAlias = tuple[int, "Rule"]
    """A rule and its place among all of them."""
    Table: TypeAlias = dict[str, tuple[Entry, ...]]


class Rule:
    """A lane rule, compiled: by what it is looked up, what is left to compare then and, once made, its entry's plan.

    :param first_header: the header to look it up by where it compares several exactly.
    """

    __slots__ = ("any_host", "header", "key", "lane", "left", "plan", "rule")

    def __init__(self, rule: IngressRule, lane: str, first_header: str) -> None:
        self.rule = rule
        self.lane = lane
        self.any_host = not rule.hosts or "*" in rule.hosts
        self.plan: Plan | None = None
        match = rule.match
        exact = {name.lower(): condition for name, condition in match.headers if condition.kind == "exact"}
        self.header = ""
        self.key: str | None = None
        left = match
        if exact:
            name = first_header if first_header in exact else next(iter(exact))
            looked_up = (name, exact[name])
            self.header, self.key = name, exact[name].wire
            left = Match(match.uri, tuple(pair for pair in match.headers if (pair[0].lower(), pair[1]) != looked_up))
        elif match.uri is not None and match.uri.kind == "exact":
            self.key = match.uri.wire
            left = Match(None, match.headers)
        self.left = None if left == ANY_REQUEST else left


class RuleIndex:
    """Finds the first rule that matches: exact header values and exact paths are looked up, the rest tried in order.

    :param rules: those that are online, in order.
    """

    __slots__ = ("_headers", "_rest", "_uris")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._headers: dict[str, Table] = {}
        self._uris: Table = {}
        rest: list[Entry] = []
        for entry in enumerate(rules):
            _, rule = entry
            if rule.key is None:
                rest.append(entry)
            else:
                table = self._headers.setdefault(rule.header, {}) if rule.header else self._uris
                table[rule.key] = (*table.get(rule.key, ()), entry)
        self._rest = tuple(rest)

    def find(self, request: Request, *, each: bool) -> Rule | None:
        """The first rule for a request, or None."""
        candidates = [self._rest]
        for name, table in self._headers.items():
            candidates += [table.get(value, ()) for value in request.texts(name, each=each)]
        if self._uris:
            candidates.append(self._uris.get(request.plain_path, ()))
        best: Rule | None = None
        place = 0
        for entries in candidates:
            for at, rule in entries:
                if best is not None and at >= place:
                    break
                if (rule.any_host or host_matches(rule.rule.hosts, request.host)) and (
                    rule.left is None or rule.left.matches(request, each=each)
                ):
                    best, place = rule, at
                    break
        return best


class Share:
    """A lane's share and, once made, the plan of its entry service."""

    __slots__ = ("lane", "plan", "weight")

    def __init__(self, lane: str, weight: IngressWeight) -> None:
        self.lane = lane
        self.weight = weight
        self.plan: Plan | None = None


class Weights:
    """Lanes by their shares: weight through sum, as Istio's (a single destination gets all, 0 gets nothing)."""

    __slots__ = ("_shares", "_sums", "total")

    def __init__(self, group: LaneGroup) -> None:
        shares = [Share(lane.name, lane.weight) for lane in group.lanes if lane.weight is not None]
        single = len(shares) == 1
        self._shares = [share for share in shares if single or share.weight.weight > 0]
        self._sums = list(accumulate(share.weight.weight or 1 for share in self._shares))
        self.total = self._sums[-1] if self._sums else 0

    def pick(self, choice: float) -> Share | None:
        """The share that a number from 0 up to 1 falls to; None where no lane has a weight."""
        if not self._shares:
            return None
        return self._shares[min(bisect_right(self._sums, choice * self.total), len(self._shares) - 1)]


class Ingress:
    """The gateway of one state of the router.

    :param rules: the lane rules that are online, in order.
    :param services: by the texts that mean them.
    :param unmatched: ``baseline`` or ``error``.
    :param each: whether a repeated header is matched value by value.
    """

    def __init__(
        self,
        group: LaneGroup,
        rules: Sequence[Rule],
        planner: Planner,
        services: Mapping[str, Service],
        carrier: Carrier,
        *,
        unmatched: str,
        each: bool,
    ) -> None:
        self._group = group
        self._planner = planner
        self._services = services
        self._carrier = carrier
        self._edits_baggage = group.mode == BAGGAGE_MODE
        self._each = each
        self._weights = Weights(group) if group.strategy == WEIGHTED else None
        self._index = RuleIndex(rules)
        self._unmatched = self._fallthrough(rules, unmatched)

    def decide(self, request: Request, available: Available | None, choice: float) -> Decision:
        """The decision for one request from outside."""
        if self._weights is not None:
            plan = self._by_weight(self._weights, request, choice)
        else:
            rule = self._index.find(request, each=self._each)
            plan = None if rule is None else rule.plan or self._by_rule(rule)
        plan = plan or self._unmatched
        decision = plan.first if available is None else plan.decide(available)
        if not self._edits_baggage or decision.lane is None:
            return decision
        headers = {**decision.set_headers, BAGGAGE: self._carrier.baggage(request, decision.lane)}
        return replace(decision, set_headers=MappingProxyType(headers))

    def _by_rule(self, rule: Rule) -> Plan:
        name = rule.rule.name
        rule.plan = self._entry(rule.rule.destination, rule.lane, f"rule {name}", name)
        return rule.plan

    def _by_weight(self, weights: Weights, request: Request, choice: float) -> Plan | None:
        group = self._group
        if not host_matches(group.weighted_hosts, request.host):
            return None
        if group.weighted_matches and not any(match.matches(request, each=self._each) for match in group.weighted_matches):
            return None
        share = weights.pick(choice)
        if share is None:
            return None
        if share.plan is None:
            why = f"weight {share.weight.weight} of {weights.total}"
            share.plan = self._entry(share.weight.destination, share.lane, why)
        return share.plan

    def _fallthrough(self, rules: Sequence[Rule], unmatched: str) -> Plan:
        """Where a request goes that no rule matches: into the baseline lane by the first entry service, or 404."""
        group = self._group
        why = "the weights are not for this request" if self._weights is not None else "no lane rule matches"
        entries = {share.lane: share.weight.destination for share in reversed(self._weights._shares)} if self._weights else {}
        entries.update((rule.lane, rule.rule.destination) for rule in reversed(rules))
        if unmatched == "error" or not group.permissive or not entries:
            return Plan("", [], Decision("", status=NOT_FOUND, reason=why))
        entry = entries.get(group.baseline) or next(reversed(entries.values()))
        return self._entry(entry, group.baseline, f"{why}, so baseline {group.baseline}")

    def _entry(self, destination: ServiceRef, lane: str, why: str, rule: str | None = None) -> Plan:
        service = self._services.get(str(destination))
        if service is None:
            reason = f"{why}: {destination} is no service of lane group {self._group.name}"
            return Plan("", [], Decision(destination.name, lane, status=NOT_FOUND, reason=reason, rule=rule))
        headers = MappingProxyType({self._group.route_header: lane}) if self._group.permissive else NO_HEADERS
        return self._planner.in_lane(service, lane, why, rule, headers)
