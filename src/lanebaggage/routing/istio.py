"""Reads Istio's VirtualService and DestinationRule, ASM's ``route[].fallback`` included.

Fields: https://istio.io/latest/docs/reference/config/networking/virtual-service/ and ``destination-rule/``; the fallback:
https://www.alibabacloud.com/help/en/asm/sidecar/use-an-asm-fallback-mechanism. What does not decide where a request goes
(timeouts, retries, mirrors, rewrites, traffic policies) is ignored; what would, but cannot be modelled, is a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from .documents import by_age, documents, read_files
from .errors import ERROR, Finding, RoutingError
from .fields import Fields
from .gateway_api import read_gateway_api
from .routes import MESH, NO_CHANGES, Destination, HeaderChanges, Route, RouteMatch, Subsets, VirtualHost
from .services import ServiceRef, is_outside
from .tables import RouteTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from .documents import Document
    from .matching import StringMatch

VIRTUAL_SERVICE: Final = "VirtualService"
DESTINATION_RULE: Final = "DestinationRule"

_API_GROUPS: Final = ("", "networking.istio.io")
"""A VirtualService of another group is another mesh's."""
_ACTIONS: Final = ("route", "redirect", "directResponse", "delegate")
_UNMODELLED_MATCHES: Final = ("port", "scheme", "sourceNamespace")


def load_routes(
    *paths: str | PathLike[str], route_header: str = "", repeated: Literal["joined", "each"] = "joined"
) -> RouteTable:
    """A router for the VirtualServices, DestinationRules and HTTPRoutes in files or directories.

    :param route_header: the header whose value is the lane's name; found out from the routes where empty.
    :param repeated: how matches see a repeated header, as for :class:`RouteTable`.
    :raises RoutingError: a file cannot be read, or something in it has not the expected shape; it names file and line.
    """
    findings: list[Finding] = []
    found = [document for text, file in read_files(paths) for document in documents(text, file)]
    table = read_routes(found, findings, route_header, repeated=repeated)
    errors = [finding for finding in findings if finding.severity == ERROR]
    if errors:
        raise RoutingError(errors)
    return table


def read_routes(
    found: Sequence[Document],
    findings: list[Finding],
    route_header: str = "",
    *,
    repeated: Literal["joined", "each"] = "joined",
) -> RouteTable:
    """A router for the routes among documents.

    :param findings: takes what is wrong.
    """
    api_hosts, api_subsets = read_gateway_api(found, findings)
    mine = [each for each in found if each.api_group in _API_GROUPS]
    virtual = by_age([each for each in mine if each.kind == VIRTUAL_SERVICE])
    hosts = [_virtual_service(each, findings) for each in virtual]
    rules = [_destination_rule(each, findings) for each in mine if each.kind == DESTINATION_RULE]
    subsets = [each for each in rules if each is not None]
    return RouteTable([*hosts, *api_hosts], [*subsets, *api_subsets], route_header=route_header, repeated=repeated)


def _virtual_service(document: Document, findings: list[Finding]) -> VirtualHost:
    spec = Fields(document.node, "", findings).mapping("spec")
    hosts = spec.texts("hosts")
    if not hosts:
        what = f"VirtualService {document.name} has no hosts"
        spec.error("shape", "hosts", what, "it routes by host", "Write hosts: [mocka]")
    routes = tuple(_route(each, number, document.namespace) for number, each in enumerate(spec.mappings("http"), 1))
    gateways = _gateways(spec, document.namespace) or (MESH,)
    for host in hosts if MESH in gateways else ():
        _check_length(spec, "hosts", host, document.namespace)
    return VirtualHost(document.name, document.namespace, hosts, gateways, routes, document.place)


def _gateways(fields: Fields, namespace: str) -> tuple[str, ...]:
    return tuple(each if "/" in each or each == MESH else f"{namespace}/{each}" for each in fields.texts("gateways"))


def _route(fields: Fields, number: int, namespace: str) -> Route:
    status: int | None = None
    if "directResponse" in fields:
        status = fields.mapping("directResponse").number("status") or 200
    elif "redirect" in fields:
        status = fields.mapping("redirect").number("redirectCode") or 301
    elif "delegate" in fields:
        why = "routes of another VirtualService take over there, which is not modelled"
        fields.warning("not-modelled", "delegate", f"{fields.path}.delegate", why, "Write the routes out to have them checked")
        status = 404
    elif not fields.mappings("route"):
        fix = "Write route: [{destination: {host: mocka, subset: s1}}]"
        fields.error("shape", "route", f"{fields.path} has none of {', '.join(_ACTIONS)}", "Istio refuses it", fix)
    destinations = [_destination(each, namespace) for each in fields.mappings("route")]
    return Route(
        fields.text("name") or f"{number}",
        tuple(_match(each, namespace) for each in fields.mappings("match")),
        tuple(each for each in destinations if each is not None),
        _changes(fields),
        status,
        fields.place,
    )


def _match(fields: Fields, namespace: str) -> RouteMatch:
    for name in _UNMODELLED_MATCHES:
        if name in fields:
            why = "a request is not known to have one here, so the condition is ignored"
            fields.warning("not-modelled", name, f"{fields.path}.{name}", why, "Check its effect in the mesh itself")
    headers = _conditions(fields, "headers")
    for name, _ in headers:
        if name != name.lower():
            why = "Istio asks for lower-case names and compares no other"
            what = f"the header name {name[:60]} has capitals"
            fields.mapping("headers").warning("header-capitals", name, what, why, f"Write {name.lower()[:60]}")
    return RouteMatch(
        path=fields.string_match("uri"),
        ignore_case=fields.flag("ignoreUriCase"),
        method=fields.string_match("method"),
        authority=fields.string_match("authority"),
        headers=headers,
        without_headers=_conditions(fields, "withoutHeaders"),
        query=_conditions(fields, "queryParams"),
        source_labels=fields.text_map("sourceLabels"),
        gateways=_gateways(fields, namespace),
    )


def _conditions(fields: Fields, name: str) -> tuple[tuple[str, StringMatch], ...]:
    inner = fields.mapping(name)
    found = ((key, inner.string_match(key)) for key in inner.names())
    return tuple((key, condition) for key, condition in found if condition is not None)


def _changes(fields: Fields) -> HeaderChanges:
    request = fields.mapping("headers").mapping("request")
    if request.node is None:
        return NO_CHANGES
    return HeaderChanges(
        tuple((name.lower(), value) for name, value in request.text_map("set").items()),
        tuple((name.lower(), value) for name, value in request.text_map("add").items()),
        tuple(name.lower() for name in request.texts("remove")),
    )


def _destination(fields: Fields, namespace: str) -> Destination | None:
    target = _target(fields.mapping("destination"), fields, namespace)
    if target is None:
        return None
    fallback = fields.mapping("fallback")
    targets = [fallback.mapping("target")] if "target" in fallback else []
    targets += [each.mapping("destination") for each in fallback.mappings("targets")]
    found = [_target(each, fallback, namespace) for each in targets]
    if fallback.node is not None and not targets:
        fix = "Write fallback: {target: {host: mocka, subset: s1}}"
        fallback.error("shape", "target", f"{fallback.path} has no target", "it says where to", fix)
    return Destination(
        target.service,
        target.subset,
        fields.number("weight") or 0,
        _changes(fields),
        tuple(each for each in found if each is not None),
        target.port,
    )


def _target(fields: Fields, around: Fields, namespace: str) -> Destination | None:
    host = fields.text("host")
    if not host:
        fix = "Write destination: {host: mocka.default.svc.cluster.local, subset: s1}"
        around.error("shape", "destination", f"{fields.path}.host is missing", "it says which service", fix)
        return None
    if is_outside(host):
        why = "it is no service of the cluster, so requests that go there end in 503 here"
        what = f"{fields.path}.host is {host[:80]}"
        fields.warning("not-modelled", "host", what, why, "Check its effect in the mesh itself")
        return None
    _check_length(fields, "host", host, namespace)
    service = fields.made("host", ServiceRef.parse, host, namespace)
    port = fields.mapping("port").number("number")
    return None if service is None else Destination(service, fields.text("subset"), port=port)


def _destination_rule(document: Document, findings: list[Finding]) -> Subsets | None:
    spec = Fields(document.node, "", findings).mapping("spec")
    host = spec.text("host")
    if not host:
        what = f"DestinationRule {document.name} has no host"
        spec.error("shape", "host", what, "its subsets are of that service", "Write host: mocka.default.svc.cluster.local")
        return None
    if "*" in host or is_outside(host):
        return None  # a policy for many services, or for others' hosts; it has no subsets to speak of
    _check_length(spec, "host", host, document.namespace)
    service = spec.made("host", ServiceRef.parse, host, document.namespace)
    if "dynamicSubset" in spec:
        why = "ASM's dynamic subsets are not modelled"
        spec.warning("not-modelled", "dynamicSubset", "spec.dynamicSubset", why, "Check its effect in the mesh itself")
    labels = {each.text("name"): each.text_map("labels") for each in spec.mappings("subsets")}
    return None if service is None else Subsets(service, labels, document.place)


def _check_length(fields: Fields, name: str, host: str, namespace: str) -> None:
    """Istio completes a name without a dot and takes any other as it stands (``ResolveShortnameToFQDN``)."""
    labels = host.lower().split(".")
    if len(labels) > 1 and (labels[-1] == "svc" or labels[1:] in ([namespace], ["default"])):
        why = "Istio takes a name with a dot as a full one, and no service has this one, so requests end in 503"
        fix = f"Write {labels[0]}.{labels[1]}.svc.cluster.local"
        fields.warning("host-not-full", name, f"the host {host[:80]} is neither short nor full", why, fix)
