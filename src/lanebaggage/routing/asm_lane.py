"""Reads one lane of ASM: its services, its lane rules and its weight (ASMSwimLane ``spec``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ERROR, Finding
from .fields import Fields
from .matching import Match
from .model import IngressRule, IngressWeight, Lane
from .services import ServiceRef

if TYPE_CHECKING:
    from .documents import Document


def services_in(fields: Fields) -> tuple[ServiceRef, ...]:
    """The ``services`` of a group or a lane, each once."""
    found = []
    for item in fields.mappings("services"):
        name = item.text("name")
        if not name:
            item.error(
                "shape", "name", f"{item.path} has no name", "it refers to a service", "Write {name: mocka, namespace: default}"
            )
            continue
        found.append(item.made("name", ServiceRef, name, item.text("namespace", "default")))
    return tuple(dict.fromkeys(service for service in found if service is not None))


def lane_of(document: Document, group: tuple[ServiceRef, ...], findings: list[Finding]) -> Lane | None:
    """The lane that a document describes.

    :param group: the services of its group.
    :param findings: takes what is wrong.
    """
    root = Fields(document.node, "", findings)
    spec = root.mapping("spec")
    services = services_in(spec)
    for service in services:
        if group and service not in group:
            what = f"lane {document.name} lists {service}"
            spec.warning("not-in-group", "services", what, "its group does not, so nothing routes to it", "Add it to the group")
    rules = [_rule(rule, index, group) for index, rule in enumerate(spec.mappings("ingressRules"))]
    metadata = root.mapping("metadata")
    return metadata.made(
        "name",
        Lane,
        name=document.name,
        selector=spec.text_map("labelSelector"),
        services=services or None,
        rules=tuple(rule for rule in rules if rule is not None),
        weight=_weight(spec.mapping("ingressWeight"), group),
        place=metadata.place_of("name"),
        places=spec.places("labelSelector", "services", "ingressRules", "ingressWeight"),
    )


def _rule(fields: Fields, index: int, group: tuple[ServiceRef, ...]) -> IngressRule | None:
    destination = fields.mapping("route").mapping("destination")
    service = _destination(destination, fields, group)
    match = match_in(fields.mapping("match"))
    if service is None or match is None:
        return None
    return IngressRule(
        name=fields.text("name") or f"{index + 1}",
        destination=service,
        match=match,
        hosts=fields.texts("hosts"),
        online=fields.flag("online"),
        port=destination.number("portNum"),
        place=fields.place,
    )


def _weight(fields: Fields, group: tuple[ServiceRef, ...]) -> IngressWeight | None:
    if fields.node is None:
        return None
    destination = fields.mapping("destination")
    service = _destination(destination, fields, group)
    weight = fields.number("weight") or 0
    if service is None:
        return None
    port = destination.number("portNum")
    return fields.made("weight", IngressWeight, service, weight, port, fields.place)


def _destination(fields: Fields, around: Fields, group: tuple[ServiceRef, ...]) -> ServiceRef | None:
    host = fields.text("host")
    if not host:
        what = f"{fields.path}.host is missing"
        around.error(
            "shape", "route", what, "it is the entry service", "Write destination: {host: mocka.default.svc.cluster.local}"
        )
        return None
    return fields.made("host", service_named, host, group)


def service_named(text: str, group: tuple[ServiceRef, ...]) -> ServiceRef:
    """The service that a host or a key means; a name alone means the one that the group has by it."""
    same = [service for service in group if service.name == text.partition(":")[0]]
    return same[0] if len(same) == 1 else ServiceRef.parse(text)


def match_in(fields: Fields) -> Match | None:
    """The conditions of a lane rule, or of the weighted strategy; None where one of them cannot be used."""
    before = len(fields.findings)
    uri = fields.string_match("uri")
    inner = fields.mapping("headers")
    headers = []
    for name in inner.names():
        condition = inner.string_match(name)
        if condition is not None:
            headers.append((name, condition))
        if name != name.lower():
            why = "Istio asks for lower-case names and compares no other"
            inner.warning(
                "header-capitals", name, f"the header name {name[:60]} has capitals", why, f"Write {name.lower()[:60]}"
            )
    failed = any(finding.severity == ERROR for finding in fields.findings[before:])
    return None if failed else Match(uri, tuple(headers))
