"""Reads Gateway API's HTTPRoute, for gateways and (GAMMA) for services, its rules in the order of the specification.

https://gateway-api.sigs.k8s.io/reference/spec/ (HTTPRouteRule): of all rules for a host the most specific match goes first,
not the first in the file. There are no subsets: a lane of a service is a Service of its own, named ``service-lane``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from .fields import Fields
from .matching import StringMatch
from .routes import MESH, NO_CHANGES, Destination, HeaderChanges, Route, RouteMatch, Subsets, VirtualHost
from .services import ServiceRef
from .workloads import APP_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .documents import Document
    from .errors import Finding

HTTP_ROUTE: Final = "HTTPRoute"

_KINDS: Final[dict[str, Literal["exact", "regex"]]] = {"": "exact", "Exact": "exact", "RegularExpression": "regex"}


def read_gateway_api(found: Sequence[Document], findings: list[Finding]) -> tuple[list[VirtualHost], list[Subsets]]:
    """The HTTPRoutes among documents as hosts with routes, and the lanes that their backends stand for.

    :param findings: takes what is wrong.
    """
    reader = _Reader(findings)
    routes = [document for document in found if document.kind == HTTP_ROUTE]
    for document in routes:
        reader.note_parents(document)
    for document in routes:
        reader.read(document)
    selectors: dict[str, dict[str, str]] = {}
    for document in found:
        if document.kind == "Service":
            spec = Fields(document.node, "", findings).mapping("spec")
            selectors[f"{document.namespace}/{document.name}"] = spec.text_map("selector")
    return reader.hosts(), reader.subsets(selectors)


class _Reader:
    """Collects the rules of every HTTPRoute by where they apply, so that they can be put in one order."""

    def __init__(self, findings: list[Finding]) -> None:
        self._findings = findings
        self._parents: list[ServiceRef] = []
        self._found: dict[tuple[str, str], list[tuple[tuple[Any, ...], Route, Document]]] = {}

    def note_parents(self, document: Document) -> None:
        for parent in self._spec(document).mappings("parentRefs"):
            if parent.text("kind") == "Service" and (name := parent.text("name")):
                service = parent.made("name", ServiceRef, name, parent.text("namespace", document.namespace))
                self._parents += [service] if service is not None else []

    def read(self, document: Document) -> None:
        spec = self._spec(document)
        parents = spec.mappings("parentRefs")
        if not parents:
            why = "it says which gateway or Service the rules are for"
            fix = "Write parentRefs: [{name: ingressgateway, namespace: istio-system}]"
            spec.error("shape", "parentRefs", f"HTTPRoute {document.name} has no parentRefs", why, fix)
        places: list[tuple[str, str]] = []
        for parent in parents:
            named = f"{parent.text('namespace', document.namespace)}/{parent.text('name')}"
            if parent.text("kind", "Gateway") == "Service":
                places.append((MESH, named))
            else:
                places += [(named, host) for host in spec.texts("hostnames") or ("*",)]
        stamp = document.node.get("metadata", "creationTimestamp")
        created = str(stamp.value) if stamp is not None else ""
        for index, rule in enumerate(spec.mappings("rules")):
            for specificity, route in self._routes(rule, index + 1, document):
                order = (*specificity, created, f"{document.namespace}/{document.name}", index)
                for place in dict.fromkeys(places):
                    self._found.setdefault(place, []).append((order, route, document))

    def hosts(self) -> list[VirtualHost]:
        found = []
        for (gateway, host), entries in self._found.items():
            routes = tuple(route for _, route, _ in sorted(entries, key=lambda entry: entry[0]))
            document = entries[0][2]
            namespace, _, name = host.partition("/")
            meant = f"{name}.{namespace}.svc.cluster.local" if name else host
            found.append(
                VirtualHost(
                    document.name, document.namespace, (meant,), (gateway,), routes, document.place, by_specificity=True
                )
            )
        return found

    def subsets(self, selectors: dict[str, dict[str, str]]) -> list[Subsets]:
        """Lanes by service; the labels of a lane are those that its Service selects beyond the service's own."""
        lanes: dict[ServiceRef, dict[str, dict[str, str]]] = {}
        for entries in self._found.values():
            for destination in (each for _, route, _ in entries for each in route.destinations if each.subset):
                own = selectors.get(str(destination.service), {})
                labels = selectors.get(f"{destination.service}-{destination.subset}", {})
                distinct = {
                    name: value
                    for name, value in labels.items()
                    if own.get(name) != value and (name not in APP_LABELS or value != destination.service.name)
                }
                lanes.setdefault(destination.service, {})[destination.subset] = distinct
        return [Subsets(service, each) for service, each in lanes.items()]

    def _spec(self, document: Document) -> Fields:
        return Fields(document.node, "", self._findings).mapping("spec")

    def _routes(self, rule: Fields, number: int, document: Document) -> list[tuple[tuple[int, ...], Route]]:
        destinations = tuple(each for each in (self._backend(ref, document) for ref in rule.mappings("backendRefs")) if each)
        changes, redirect = _filters(rule)
        status = redirect
        if status is None and not destinations:
            status = 500  # what the specification asks for where a rule has no backend
        name = rule.text("name") or f"{number}"
        matches = [_match(each) for each in rule.mappings("matches") or [Fields(None, rule.path, rule.findings, rule.place)]]
        return [
            (specificity, Route(name, (match,), destinations, changes, status, rule.place)) for specificity, match in matches
        ]

    def _backend(self, fields: Fields, document: Document) -> Destination | None:
        name = fields.text("name")
        if not name:
            fields.error("shape", "name", f"{fields.path} has no name", "it is a Service", "Write {name: mocka-s2, port: 8000}")
            return None
        weight = fields.number("weight")
        if weight == 0:
            return None
        service = fields.made("name", ServiceRef, name, fields.text("namespace", document.namespace))
        if service is None:
            return None
        changes, _ = _filters(fields)
        subset = ""
        for parent in sorted(self._parents, key=lambda each: -len(each.name)):
            if parent.namespace == service.namespace and name.startswith(f"{parent.name}-"):
                service, subset = parent, name[len(parent.name) + 1 :]
                break
        return Destination(service, subset, 1 if weight is None else weight, changes, port=fields.number("port"))


def _match(fields: Fields) -> tuple[tuple[int, ...], RouteMatch]:
    """A match and how specific it is: lower goes first."""
    path = fields.mapping("path")
    kind = path.text("type", "PathPrefix")
    value = path.text("value", "/")
    headers = _conditions(fields, "headers")
    query = _conditions(fields, "queryParams")
    method = fields.text("method")
    if kind not in ("Exact", "PathPrefix", "RegularExpression"):
        what = f"{path.path}.type is {kind[:40]}"
        path.error("shape", "type", what, "there are three", "Write Exact, PathPrefix or RegularExpression")
    condition: StringMatch | None = None
    if kind != "PathPrefix":
        condition = path.made("value", StringMatch, "exact" if kind == "Exact" else "regex", value)
    match = RouteMatch(
        path=condition,
        path_elements=value if kind == "PathPrefix" else "",
        method=StringMatch("exact", method) if method else None,
        headers=headers,
        query=query,
    )
    rank = {"Exact": 0, "RegularExpression": 1}.get(kind, 2)
    return (rank, -len(value) if rank else 0, 0 if method else 1, -len(headers), -len(query)), match


def _conditions(fields: Fields, name: str) -> tuple[tuple[str, StringMatch], ...]:
    found = []
    for each in fields.mappings(name):
        kind = each.text("type")
        key, value = each.text("name"), each.text("value")
        if kind not in _KINDS or not key:
            what = f"{each.path} has type {kind[:40] or 'Exact'} and name {key[:40]!r}"
            fix = "Write {type: Exact, name: x-asm-prefer-tag, value: s2}"
            each.error("shape", "type", what, "it has a name, and type Exact or RegularExpression", fix)
            continue
        condition = each.made("value", StringMatch, _KINDS[kind], value)
        if condition is not None:
            found.append((key, condition))
    return tuple(found)


def _filters(fields: Fields) -> tuple[HeaderChanges, int | None]:
    """Changes of request headers, and the status of a redirect."""
    changes = NO_CHANGES
    status: int | None = None
    for each in fields.mappings("filters"):
        kind = each.text("type")
        if kind == "RequestHeaderModifier":
            inner = each.mapping("requestHeaderModifier")
            changes = HeaderChanges(
                tuple((item.text("name").lower(), item.text("value")) for item in inner.mappings("set")),
                tuple((item.text("name").lower(), item.text("value")) for item in inner.mappings("add")),
                tuple(name.lower() for name in inner.texts("remove")),
            )
        elif kind == "RequestRedirect":
            status = each.mapping("requestRedirect").number("statusCode") or 302
    return changes, status
