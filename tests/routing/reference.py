"""Lane routing written down once more, slowly and plainly, to hold the router against. It shares no code with it but the model.

Loops over everything at each request; compare with ``docs/reference/routing.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanebaggage.routing import LaneGroup, Match, Request, ServiceRef, StringMatch

    Available = Callable[[str, str], bool]


@dataclass
class Answer:
    """What a decision comes to."""

    lane: str | None
    target: str | None
    status: int
    fallback: bool = False
    set_headers: dict[str, str] = field(default_factory=dict)


def header(request: Request, name: str) -> str | None:
    values = [value.strip(" \t") for key, value in request.headers if key.lower() == name.lower()]
    return ",".join(values) if values else None


def meets(condition: StringMatch, text: str) -> bool:
    if condition.kind == "exact":
        return text == condition.value
    if condition.kind == "prefix":
        return text[: len(condition.value)] == condition.value
    if condition.kind == "regex":
        return re.fullmatch(condition.value, text) is not None
    return True


def matches(match: Match, request: Request) -> bool:
    path = request.path.split("#")[0].split("?")[0]
    if match.uri is not None and not meets(match.uri, path):
        return False
    for name, condition in match.headers:
        value = header(request, name)
        if value is None or not meets(condition, value):
            return False
    return True


def host_is(hosts: tuple[str, ...], host: str) -> bool:
    host = host.lower().split(":")[0]
    for each in hosts or ("*",):
        if each == "*" or each.lower() == host or (each.startswith("*.") and host.endswith(each[1:].lower())):
            return True
    return False


def members(request: Request, key: str) -> list[str]:
    """Values of the baggage members of one key, decoded."""
    found = []
    for member in (header(request, "baggage") or "").split(","):
        name, equals, value = member.partition("=")
        if equals and name.strip(" \t") == key:
            found.append(unquote(value.split(";")[0].strip(" \t")))
    return found


def wanted_lane(group: LaneGroup, request: Request, remembered: dict[str, str], source: str | None) -> tuple[str | None, bool]:
    """What should name the lane, and whether the sidecar has to restore the route header."""
    if not group.permissive:
        return source, False
    value = header(request, group.route_header)
    if value is not None:
        return value, False
    if group.trace_header == "baggage":
        found = sorted(set(members(request, group.route_header)))
        return (",".join(found), True) if found else (None, False)
    if group.trace_header != group.route_header:
        trace = header(request, group.trace_header)
        lane = remembered.get(trace) if trace else None
        return lane, lane is not None
    return None, False


def label(group: LaneGroup, service: ServiceRef) -> str:
    """The name that health is asked by."""
    alone = [each.name for each in group.services].count(service.name) == 1
    return service.name if alone else f"{service.namespace}/{service.name}"


def deliver(group: LaneGroup, service: ServiceRef, lane: str | None, available: Available) -> Answer:
    """Which lane's instances serve a request of a lane that the group has, or of none."""
    fallback_lane = group.service_fallback.get(service, group.baseline)
    if not group.permissive:
        tried = [lane] if lane is not None else []
    elif lane is None:
        tried = [group.baseline, fallback_lane]
    else:
        tried = [lane, fallback_lane]
    for each in tried:
        for candidate in group.lanes:
            listed = candidate.services is None or service in candidate.services
            if candidate.name == each and listed and available(label(group, service), each):
                return Answer(lane, each, 200, fallback=each != tried[0])
    return Answer(lane, None, 503)


def route(
    group: LaneGroup,
    service: ServiceRef,
    request: Request,
    available: Available,
    remembered: dict[str, str],
    source: str | None,
) -> Answer:
    value, restored = wanted_lane(group, request, remembered, source)
    lane = value if value in [each.name for each in group.lanes] else None
    answer = deliver(group, service, lane, available)
    if lane is not None and restored:
        answer.set_headers = {group.route_header: lane}
    return answer


def ingress(group: LaneGroup, request: Request, available: Available, choice: float) -> Answer:
    entry: ServiceRef | None = None
    lane: str | None = None
    entries: list[tuple[str, ServiceRef]] = []
    if group.strategy == "weighted":
        shares = [(each.name, each.weight) for each in group.lanes if each.weight is not None]
        counted = [(name, 1 if len(shares) == 1 else weight.weight, weight.destination) for name, weight in shares]
        entries = [(name, destination) for name, weight, destination in counted if weight > 0]
        wanted = not group.weighted_matches or any(matches(each, request) for each in group.weighted_matches)
        if wanted and host_is(group.weighted_hosts, request.host):
            slots = [(name, destination) for name, weight, destination in counted for _ in range(weight)]
            if slots:
                lane, entry = slots[int(choice * len(slots))]
    else:
        for each in group.lanes:
            for rule in each.rules:
                if rule.online:
                    entries.append((each.name, rule.destination))
                    if entry is None and host_is(rule.hosts, request.host) and matches(rule.match, request):
                        lane, entry = each.name, rule.destination
    if entry is None:
        if not group.permissive or not entries:
            return Answer(None, None, 404)
        lane = group.baseline
        entry = next((destination for name, destination in entries if name == lane), entries[0][1])
    assert lane is not None
    answer = deliver(group, entry, lane, available)
    if group.permissive:
        answer.set_headers = {group.route_header: lane}
        if group.trace_header == "baggage":
            kept = [
                member
                for member in (header(request, "baggage") or "").split(",")
                if not ("=" in member and member.split("=")[0].strip(" \t") == group.route_header)
            ]
            existing = ",".join(kept).strip(" \t,")
            own = f"{group.route_header}={lane}"
            answer.set_headers["baggage"] = f"{existing},{own}" if existing else own
    return answer
