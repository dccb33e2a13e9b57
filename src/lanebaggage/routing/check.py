"""Lints for lane files: what is legal YAML, and would still surprise in the mesh.

Each check takes what it looks at and yields findings; ``check`` runs them all. ``docs/how-to/check-lane-yaml.md`` lists the
codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._settings import BAGGAGE_MODE, TRACE_ID_MODE
from .asm import GROUP_KIND, LANE_KIND, read
from .check_routes import route_findings
from .check_rules import rule_findings, weight_findings
from .check_spelling import spelling_findings
from .documents import documents
from .errors import Finding, Place, RoutingError, error, warning
from .istio import read_routes
from .passthrough import LABEL_KIND, PROPAGATION_KIND, read_pass_through
from .workloads import read_workloads, selects
from .writing import is_dns_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .documents import Document
    from .model import Lane, LaneGroup
    from .passthrough import PassThrough
    from .services import ServiceRef
    from .workloads import Workloads


def check(files: Iterable[tuple[str, str]]) -> list[Finding]:
    """Everything that is wrong, or likely to surprise, in lane files and what belongs to them.

    :param files: text and name of each; lane groups and lanes, workloads, TrafficLabel, ASMHeaderPropagation, Istio's and
        Gateway API's routes, in any order.
    :return: findings in the order of files and lines, each once.
    """
    findings: list[Finding] = []
    found: list[Document] = []
    order: dict[str, int] = {}
    for text, file in files:
        order[file] = len(order)
        try:
            found += documents(text, file)
        except RoutingError as refused:
            findings += refused.findings
            if not refused.findings:
                raise
    groups = read(found, findings)
    workloads = read_workloads(found, findings)
    resources = read_pass_through(found, findings)
    table = read_routes(found, findings)
    if not findings and not (groups or table.hosts or table.subsets or resources):
        place = Place(next(iter(order), ""))
        what = f"no {GROUP_KIND}, VirtualService, DestinationRule or HTTPRoute is in the files"
        findings.append(error("nothing", place, what, "there is nothing to check", f"Give {GROUP_KIND} and {LANE_KIND}"))
    known = workloads if workloads.workloads else None
    for group in groups:
        findings += group_findings(group, known)
        findings += rule_findings(group)
        findings += weight_findings(group)
        findings += _propagation(group, resources)
    findings += spelling_findings(found)
    findings += _shared_services(groups)
    findings += route_findings(table)
    return sorted(dict.fromkeys(findings), key=lambda each: (order.get(each.place.file, 0), each.place.line, each.code))


def group_findings(group: LaneGroup, workloads: Workloads | None = None) -> Iterator[Finding]:
    """What a lane group's members and headers come to.

    :param workloads: what runs, where it is known.
    """
    yield from _members(group, workloads)
    yield from _selectors(group)
    for lane in group.lanes:
        if not is_dns_label(lane.name):
            what = f"lane {lane.name} has a name that is no DNS label"
            why = "ASM names a subset after the lane, and Istio refuses one with such a name"
            yield warning("lane-name", lane.place, what, why, "Use letters a-z, digits and hyphens, at most 63 of them")
    if group.mode == TRACE_ID_MODE and group.trace_header == "traceparent":
        what = "traceHeader is traceparent, in trace-ID mode"
        why = "its span part changes at every hop, so a sidecar that remembers the whole value finds no lane for it"
        fix = "Use traceHeader: baggage, or a trace-ID header that stays the same, such as x-request-id"
        yield warning("traceparent", group.place_of("traceHeader"), what, why, fix)


def _members(group: LaneGroup, workloads: Workloads | None) -> Iterator[Finding]:
    pods = None if workloads is None else {service: workloads.of(service) for service in group.services}
    for lane in group.lanes:
        listed = [service for service in group.services if lane.has(service)]
        unlisted = [service for service in group.services if not lane.has(service)]
        gone = [
            service
            for service in listed
            if pods is not None and not any(selects(lane.selector, pod.labels) for pod in pods[service])
        ]
        labels = ", ".join(f"{name}={value}" for name, value in lane.selector.items())
        place = lane.place_of("services")
        if pods is not None and len(gone) == len(listed):
            what = f"lane {lane.name} has no workload: none of its services has pods labelled {labels}"
            why = "every request of the lane " + ("falls back" if group.permissive else "ends in 503")
            fix = "Deploy them, or correct labelSelector"
            yield error("lane-without-workload", lane.place_of("labelSelector"), what, why, fix)
        elif not group.permissive:
            why = "strict mode has no fallback, so requests of the lane end in 503 there"
            fix = "Complete the lane, or set isPermissive: true"
            if unlisted:
                what = f"lane {lane.name} does not list {_names(unlisted)}"
                yield error("strict-lane-incomplete", place, what, why, fix)
            if gone:
                what = f"lane {lane.name} has no workload of {_names(gone)} labelled {labels}"
                yield error("strict-lane-incomplete", place, what, why, fix)
        else:
            lacking = [service for service in (*unlisted, *gone) if group.fallback(service) == lane.name]
            if lacking:
                yield _no_way_back(group, lane, lacking)
            elsewhere = [service for service in gone if service not in lacking]
            if elsewhere:
                what = f"lane {lane.name} lists {_names(elsewhere)}, with no workload labelled {labels}"
                why = "requests of the lane fall back there"
                fix = "Deploy it, or take it off the lane"
                yield warning("service-without-workload", place, what, why, fix)


def _no_way_back(group: LaneGroup, lane: Lane, lacking: list[ServiceRef]) -> Finding:
    """The finding that services fall back to a lane that does not have them."""
    why = "a request of a lane that lacks the service too ends in 503"
    if lane.name == group.baseline:
        what = f"the baseline lane {lane.name} has no {_names(lacking)}"
        fix = "Complete the baseline, or name another lane in serviceLevelFallbackTarget"
        return error("baseline-incomplete", lane.place_of("services"), what, why, fix)
    what = f"{_names(lacking)} falls back to lane {lane.name}, which does not have it"
    fix = "Complete the lane, or name another one"
    return error("baseline-incomplete", group.place_of("serviceLevelFallbackTarget"), what, why, fix)


def _selectors(group: LaneGroup) -> Iterator[Finding]:
    seen: dict[tuple[tuple[str, str], ...], Lane] = {}
    for lane in group.lanes:
        labels = tuple(sorted(lane.selector.items()))
        if not labels:
            what = f"lane {lane.name} has no labelSelector"
            fix = "Write labelSelector: {ASM_TRAFFIC_TAG: v2}"
            yield error("empty-selector", lane.place, what, "the pods of every lane are in it", fix)
        elif labels in seen:
            what = f"lanes {seen[labels].name} and {lane.name} have the same labelSelector"
            fix = "Give each lane a label value of its own"
            why = "the same pods serve both, so they are one lane"
            yield error("same-selector", lane.place_of("labelSelector"), what, why, fix)
        seen.setdefault(labels, lane)


def _shared_services(groups: list[LaneGroup]) -> Iterator[Finding]:
    owner: dict[ServiceRef, LaneGroup] = {}
    for group in groups:
        for service in group.services:
            other = owner.setdefault(service, group)
            if other is not group:
                what = f"{service} is in the lane groups {other.name} and {group.name}"
                why = "two sets of routes are made for one host, and the order in which Istio merges them is undefined"
                yield error("service-in-two-groups", group.place_of("services"), what, why, "Leave it in one group")


def _propagation(group: LaneGroup, resources: list[PassThrough]) -> Iterator[Finding]:
    kind = {BAGGAGE_MODE: PROPAGATION_KIND, TRACE_ID_MODE: LABEL_KIND}.get(group.mode)
    same = [each for each in resources if each.kind == kind]
    needed = [group.route_header] + ([group.trace_header] if group.mode == TRACE_ID_MODE else [])
    for header in needed:
        if same and not any(each.covers(header) for each in same):
            what = f"no {kind} names {header}, which lane group {group.name} routes by"
            why = "sidecars do not carry it from hop to hop, so the lane is lost after the first service"
            yield warning("propagation", same[0].place, what, why, f"Add {header}, or correct the group's headers")


def _names(services: list[ServiceRef]) -> str:
    return ", ".join(map(str, dict.fromkeys(services)))
