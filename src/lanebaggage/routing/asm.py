"""Reads ASM's lane groups and lanes: ASMSwimLaneGroup and ASMSwimLane, ``istio.alibabacloud.com/v1``.

Fields and their meaning are those of ASM's description of the two resources
(https://www.alibabacloud.com/help/en/asm/sidecar/asmswimlanegroup-and-asmswimlane-crd-description) and of its public Go
types; fields that do not bear on routing are ignored, unknown ones too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .asm_lane import lane_of, match_in, service_named, services_in
from .documents import Document, by_age, documents, read_files
from .errors import ERROR, Finding, RoutingError
from .fields import Fields
from .model import RULE_BASED, WEIGHTED, Gateway, LaneGroup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from .services import ServiceRef

GROUP_KIND: Final = "ASMSwimLaneGroup"
LANE_KIND: Final = "ASMSwimLane"
GROUP_LABEL: Final = "swimlane-group"
"""A lane joins its group by this label, and by nothing else."""

_STRATEGIES: Final = {"": RULE_BASED, "rule_based": RULE_BASED, "rule-based": RULE_BASED, "weighted": WEIGHTED}
"""The Go constants and the console's spelling."""

_UNMODELLED: Final = ("trafficPolicyPatch", "httpRoutePatch", "defaultTrafficPolicyPatch", "defaultHttpRoutePatch")


def load(*paths: str | PathLike[str]) -> list[LaneGroup]:
    """The lane groups in files, or in the YAML files of a directory.

    :param paths: files or directories.
    :return: the groups in the order of the files; other resources are ignored.
    :raises RoutingError: a file cannot be read, or something in it has not the expected shape; it names file and line.
    """
    return _groups([document for text, file in read_files(paths) for document in documents(text, file)])


def load_text(text: str, file: str = "<text>") -> list[LaneGroup]:
    """The lane groups in a text.

    :param text: YAML, any number of documents.
    :param file: a name for messages.
    :raises RoutingError: as for :func:`load`.
    """
    return _groups(documents(text, file))


def _groups(found: Sequence[Document]) -> list[LaneGroup]:
    findings: list[Finding] = []
    groups = read(found, findings)
    errors = [finding for finding in findings if finding.severity == ERROR]
    if errors:
        raise RoutingError(errors)
    return groups


def read(found: Sequence[Document], findings: list[Finding]) -> list[LaneGroup]:
    """The lane groups among documents.

    :param found: the documents.
    :param findings: takes what is wrong; a group with an error is left out, unless only its baseline is missing.
    """
    headers = [document for document in found if document.kind == GROUP_KIND]
    lanes = [document for document in found if document.kind == LANE_KIND]
    names = {document.name for document in headers}
    for document in lanes:
        fields = Fields(document.node, "", findings).mapping("metadata")
        group = document.labels.get(GROUP_LABEL)
        if group is None:
            why = f"a lane joins its group by the label {GROUP_LABEL}, and has none"
            what = f"lane {document.name or '(no name)'} is in no lane group"
            fields.error("lane-without-group", "labels", what, why, f"Add labels: {{{GROUP_LABEL}: name}}")
        elif group not in names:
            what = f"the group {group[:60]} of lane {document.name} is in none of the files"
            fix = f"Add the {GROUP_KIND}, or correct the label {GROUP_LABEL}"
            fields.error("lane-without-group", "labels", what, "a lane without its group does nothing", fix)
    groups = []
    seen: set[str] = set()
    for document in headers:
        if document.name in seen:
            fields = Fields(document.node, "", findings)
            what = f"a second lane group {document.name}"
            fields.error("duplicate", "metadata", what, "only one of them can be in force", "Rename or remove one")
            continue
        seen.add(document.name)
        mine = [lane for lane in lanes if lane.labels.get(GROUP_LABEL) == document.name]
        group_read = _group(document, by_age(mine), findings)
        if group_read is not None:
            groups.append(group_read)
    return groups


def _group(document: Document, lane_documents: list[Document], findings: list[Finding]) -> LaneGroup | None:
    before = len(findings)
    root = Fields(document.node, "", findings)
    spec = root.mapping("spec")
    if not document.name:
        root.error("shape", "metadata", f"an {GROUP_KIND} without name", "lanes refer to it", "Write metadata: {name: test}")
    services = services_in(spec)
    if not services:
        fix = "Write services: [{name: mocka, namespace: default}]"
        spec.error("shape", "services", "spec.services is empty", "it lists what takes part", fix)
    if not lane_documents:
        why = f"no {LANE_KIND} in the files has the label {GROUP_LABEL}: {document.name}"
        root.error("no-lane", "spec", f"lane group {document.name} has no lane", why, "Give the lanes' files too")
    lanes = [lane for lane in (lane_of(each, services, findings) for each in lane_documents) if lane is not None]
    names = [lane.name for lane in lanes]
    for name in {name for name in names if names.count(name) > 1}:
        what = f"lane group {document.name} has two lanes {name}"
        root.error("duplicate", "metadata", what, "one hides the other", "Rename one")

    permissive = spec.flag("isPermissive")
    mode = spec.mapping("permissiveModeConfiguration")
    baseline = mode.text("fallbackTarget")
    fallback: dict[ServiceRef, str] = {}
    if permissive:
        _check_permissive(spec, mode, baseline, names)
        fallback = _service_fallback(mode.mapping("serviceLevelFallbackTarget"), services, names)
    elif mode.node is not None and "isPermissive" not in spec:
        what = "permissiveModeConfiguration is set, and isPermissive is not"
        why = "the group is strict, and the rest of the configuration does nothing"
        spec.warning("mode-unused", "permissiveModeConfiguration", what, why, "Write isPermissive: true, or take it out")
    ingress = spec.mapping("ingress")
    routing = ingress.mapping("ingressRouting")
    strategy = routing.text("ingressRoutingStrategy")
    if strategy not in _STRATEGIES:
        what = f"ingressRoutingStrategy is {strategy[:60]!r}"
        routing.error("value", "ingressRoutingStrategy", what, "ASM knows two", "Write rule_based or weighted")
    weighted = routing.mapping("weightedRoutingRule")
    matches = [match_in(match) for match in weighted.mappings("requestMatches")]
    for name in _UNMODELLED:
        for fields in (spec, *spec.mappings("services")):
            if name in fields:
                why = "how ASM merges it into what it generates is not documented, so the router ignores it"
                fields.warning("patch", name, f"{name} is set", why, "Check its effect in the mesh itself")
    if any(finding.severity == ERROR and finding.code != "missing-baseline" for finding in findings[before:]):
        return None
    metadata = root.mapping("metadata")
    return metadata.made(
        "name",
        LaneGroup,
        name=document.name,
        services=services,
        lanes=tuple(lanes),
        permissive=permissive,
        baseline=baseline if permissive and baseline in names else "",
        service_fallback=fallback,
        trace_header=mode.text("traceHeader") if permissive else "",
        route_header=mode.text("routeHeader") if permissive else "",
        strategy=_STRATEGIES[strategy],  # type: ignore[arg-type] # the table holds the two literals
        weighted_hosts=weighted.texts("hosts"),
        weighted_matches=tuple(match for match in matches if match is not None),
        gateway=_gateway(ingress),
        place=metadata.place_of("name"),
        places={
            **spec.places("services"),
            **mode.places("fallbackTarget", "serviceLevelFallbackTarget", "traceHeader", "routeHeader"),
            **routing.places("ingressRoutingStrategy", "weightedRoutingRule"),
        },
    )


def _check_permissive(spec: Fields, mode: Fields, baseline: str, names: list[str]) -> None:
    for name in ("traceHeader", "routeHeader"):
        header = mode.text(name)
        if not header:
            why = "ASM requires both headers in permissive mode"
            mode_or_spec = mode if mode.node is not None else spec
            what = f"permissiveModeConfiguration.{name} is missing"
            mode_or_spec.error("header-missing", name, what, why, f"Write {name}: x-asm-prefer-tag")
        elif header != header.lower():
            why = "Istio compares lower-case names only, so a rule or a label on it never matches"
            mode.warning("header-capitals", name, f"{name} {header[:60]} has capitals", why, f"Write {header.lower()[:60]}")
    if mode.text("routeHeader").lower() == "baggage":
        why = "its value has to be the lane's name, and baggage is a list"
        mode.error(
            "value", "routeHeader", "routeHeader is baggage", why, "Write traceHeader: baggage, routeHeader: x-asm-prefer-tag"
        )
    if baseline and names and baseline not in names:
        what = f"the baseline (fallbackTarget) {baseline[:60]} is no lane of the group"
        mode.error("missing-baseline", "fallbackTarget", what, "a fallback ends in 503", f"Write one of {', '.join(names)}")
    elif not baseline and names:
        what = "no baseline (fallbackTarget) is set"
        why = f"ASM takes the lane created first, here {names[0]}, which changes as lanes are created anew"
        (mode if mode.node is not None else spec).warning(
            "missing-baseline", "fallbackTarget", what, why, f"Write fallbackTarget: {names[0]}"
        )


def _service_fallback(fields: Fields, services: tuple[ServiceRef, ...], names: list[str]) -> dict[ServiceRef, str]:
    found: dict[ServiceRef, str] = {}
    for key in fields.names():
        service = fields.made(key, service_named, key, services)
        lane = fields.text(key)
        if lane and names and lane not in names:
            what = f"the fallback of {key[:60]} is {lane[:60]}, which is no lane of the group"
            fields.error("missing-baseline", key, what, "a fallback ends in 503", f"Write one of {', '.join(names)}")
        elif service is not None and service not in services:
            what = f"a fallback for {key[:60]}"
            fields.warning("not-in-group", key, what, "the group has no such service, so it does nothing", "Correct the key")
        elif service is not None and lane in names:
            found[service] = lane
    return found


def _gateway(ingress: Fields) -> Gateway:
    gateway = ingress.mapping("gateway")
    default = Gateway()
    return Gateway(
        gateway.text("name", default.name), gateway.text("namespace", default.namespace), gateway.text("type", default.type)
    )
