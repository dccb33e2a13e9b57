"""Envoy's resources for one lane group: listeners, routes, clusters and endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..._settings import TRACE_ID_MODE
from .gateway import GatewayRoutes
from .istio import PerLane, cluster_name
from .observing import missing, observed, upstream_log
from .options import CHOICE_HEADER, HOP_HEADER, ISTIO, Endpoint, Json, Options
from .resources import (
    OBSERVED,
    assignment,
    cluster,
    from_file,
    header,
    listener,
    manager,
    router_filter,
    seconds,
    typed,
    with_metadata,
)
from .script import HOPS, INBOUND, context, hops_filter
from .subsets import Subsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..model import LaneGroup
    from ..services import ServiceRef
    from .options import Relay, Sidecar

GATEWAY: Final = "gateway"
_SIDECARS: Final = "sidecars"
_APPLICATION: Final = "x-lanebaggage-application"
_TO_HOST: Final[Json] = {"auto_host_rewrite": True}
"""An endpoint that is known by a name gets it as ``Host``; the others get what was sent."""
_RETRY: Final = "connect-failure,refused-stream,reset-before-request"


class Configuration:
    """Envoy's resources for one lane group.

    :param group: the group.
    :param options: what can be chosen.
    :param directory: where routes and endpoints come from, as files that :meth:`route_path` and :meth:`endpoint_path` name;
        None to have them in the listeners and clusters themselves.
    :param outside: further services, which are in no lane.
    :raises RoutingError: Envoy cannot do what the options ask for this group.
    """

    def __init__(
        self,
        group: LaneGroup,
        options: Options | None = None,
        *,
        directory: str | None = None,
        outside: Sequence[ServiceRef] = (),
    ) -> None:
        self.group = group
        self.options = options or Options()
        self._directory = directory
        self.flavour = PerLane(group, self.options) if self.options.flavour == ISTIO else Subsets(group, self.options)
        self.remembers = group.mode == TRACE_ID_MODE and self.options.flavour != ISTIO
        """Whether each application has a sidecar of its own, which remembers the trace IDs that arrived."""
        names = [service.name.lower() for service in group.services]
        self.labels = {ref: ref.name if names.count(ref.name.lower()) == 1 else str(ref) for ref in group.services}
        """Names of the services, as clusters have them; a short one belongs to the group first."""
        for ref in outside:
            names.append(ref.name.lower())
            self.labels[ref] = ref.name if names.count(ref.name.lower()) == 1 else str(ref)
        self._outside = frozenset(outside)
        self._gateway_routes = GatewayRoutes(group, self.options, self.flavour, self.labels)

    @property
    def total_weight(self) -> int:
        """Sum of the gateway's weights; 0 where lane rules decide."""
        return self._gateway_routes.total

    # --- files

    def route_path(self, name: str) -> str:
        """The file of a route configuration."""
        return f"{self._directory}/routes-{_file_name(name)}.json"

    def endpoint_path(self, name: str) -> str:
        """The file of a cluster's endpoints."""
        return f"{self._directory}/endpoints-{_file_name(name)}.json"

    # --- listeners

    def gateway(self, address: str = "127.0.0.1", port: int = 0) -> Json:
        """The gateway's listener."""
        routes = self._source(GATEWAY, self._gateway_configuration)
        return self._listener(GATEWAY, address, port, self.flavour.gateway_filters(), routes)

    def sidecar(self, sidecar: Sidecar, address: str = "127.0.0.1") -> Json:
        """A sidecar's listener."""
        more = self._source(self._routes_of(sidecar), lambda: self._sidecar_configuration(sidecar))
        if sidecar.single:
            more["common_http_protocol_options"] = {"max_requests_per_connection": 1}
        if self.remembers:
            mutation = {"append": header(_APPLICATION, _application(sidecar))}
            kind = "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
            name = "envoy.http.early_header_mutation.header_mutation"
            early = {"name": name, "typed_config": typed(kind, mutations=[mutation])}
            more["early_header_mutation_extensions"] = [early]
        return self._listener(sidecar.name, address, sidecar.port, self.flavour.filters(), more)

    def _source(self, routes: str, made: Callable[[], Json]) -> Json:
        if self._directory is None:
            return {"route_config": made()}
        return {"rds": {"route_config_name": routes, "config_source": from_file(self.route_path(routes))}}

    def _listener(self, name: str, address: str, port: int, filters: list[Json], more: Json) -> Json:
        noting: list[Json] = []
        router = router_filter()
        if self.options.observed:
            noting, router = [hops_filter()], router_filter(**upstream_log())
            more = {**more, **observed(name, self.group)}
        return listener(name, address, port, manager(name, [*filters, *noting, router], more))

    def relay(self, relay: Relay, address: str = "127.0.0.1") -> Json:
        """A listener for one service, which hands all requests to a sidecar."""
        route = {"cluster": _sidecar(relay), "timeout": "0s", "host_rewrite_literal": relay.service.host}
        host = {"name": relay.name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
        source = {"route_config": {"name": relay.name, "virtual_hosts": [host]}}
        return listener(relay.name, address, relay.port, manager(relay.name, [router_filter()], source))

    # --- routes

    def _routes_of(self, sidecar: Sidecar) -> str:
        """Strict mode has one for each sidecar, so that another lane for an instance changes routes and no listener."""
        return f"{_SIDECARS} {sidecar.name}" if self.flavour.strict else _SIDECARS

    def route_configurations(self, sidecars: Iterable[Sidecar]) -> dict[str, Json]:
        """The route configurations of the gateway and of these sidecars, by name."""
        return {GATEWAY: self._gateway_configuration()} | {
            self._routes_of(one): self._sidecar_configuration(one) for one in sidecars
        }

    def _gateway_configuration(self) -> Json:
        routes = [self._finished(one) for one in self._gateway_routes.routes()]
        removed = {"request_headers_to_remove": [CHOICE_HEADER]} if self.options.observed else {}
        return {"name": GATEWAY, "virtual_hosts": [{"name": GATEWAY, "domains": ["*"], "routes": routes}], **removed}

    def _sidecar_configuration(self, sidecar: Sidecar) -> Json:
        lane = sidecar.lane if any(one.name == sidecar.lane for one in self.group.lanes) else None
        hosts = [self._virtual_host(service, label, lane) for service, label in self.labels.items()]
        hosts.append({"name": "unknown", "domains": ["*"], "routes": [*self._inbound(), self._unknown_host()]})
        removed = {"request_headers_to_remove": [_APPLICATION]} if self.remembers else {}
        return {"name": self._routes_of(sidecar), "virtual_hosts": hosts, **self.flavour.everywhere(), **removed}

    def _virtual_host(self, service: ServiceRef, label: str, lane: str | None) -> Json:
        if service in self._outside:
            routes: list[Json] = [{"match": {"prefix": "/"}, "route": {"cluster": label}}]
            found: Json = {}
        else:
            routes = self.flavour.routes(label, service, lane)
            found = self.flavour.for_service(service)
        short = [service.name.lower()] if label == service.name else []
        names = dict.fromkeys((*service.hosts, service.host.lower(), *short))
        domains = [form for name in names for form in (name, f"{name}:*", f"{name}.", f"{name}.:*")]
        if self.options.observed and service not in self._outside:
            seen = missing(label, self.group.fallback(service) if self.group.permissive else None)
            known = {"lane": lane} if lane else {}
            routes = [context(with_metadata(route, OBSERVED, seen), HOPS, **known) for route in routes]
        finished = [*self._inbound(), *map(self._finished, routes)]
        return {"name": label, "domains": domains, "routes": finished, **found}

    def _inbound(self) -> list[Json]:
        """The route to the sidecar's own application, in trace-ID mode; the sender has done all the rest."""
        if not self.remembers:
            return []
        match = {"prefix": "/", "headers": [{"name": INBOUND, "present_match": True}]}
        return [{"name": "inbound", "match": match, "route": {**_TO_HOST, "cluster_header": _APPLICATION, "timeout": "0s"}}]

    def _unknown_host(self) -> Json:
        body = {"inline_string": f"no service of lane group {self.group.name} has this name"}
        return {"match": {"prefix": "/"}, "direct_response": {"status": self.options.unknown_host, "body": body}}

    def _finished(self, route: Json) -> Json:
        """A route with what all of them have."""
        if "route" not in route:
            return route
        reset = ",reset" if self.options.health else ""
        action = {
            **_TO_HOST,
            **route["route"],
            "timeout": seconds(self.options.timeout),
            "retry_policy": {"retry_on": f"{_RETRY}{reset}", "num_retries": 2},
        }
        headers = list(route.get("request_headers_to_add", ()))
        if self.options.observed:
            headers.append(header(HOP_HEADER, "%CONNECTION_ID%-%START_TIME(%s%6f)%"))
        if self.remembers:
            headers.append(header(INBOUND, "1"))
        return {**route, "route": action, **({"request_headers_to_add": headers} if headers else {})}

    # --- clusters

    def clusters(
        self, endpoints: Iterable[Endpoint], sidecars: Iterable[Sidecar] = (), relays: Iterable[Relay] = ()
    ) -> list[Json]:
        """The clusters of the services, of what relays lead to and, in trace-ID mode, of the applications."""
        made = [
            cluster(name, members, self.endpoint_path(name) if self._directory is not None else None, **self._extra(service))
            for name, (service, members) in self._members(endpoints).items()
        ]
        known = [one for one in sidecars if self.remembers and one.application is not None]
        single = {_application(one): (one.application, one.host) for one in known}
        single |= {_sidecar(one): (one.sidecar, "") for one in relays}
        anything = self.group.services[0]
        return made + [
            cluster(name, [Endpoint(anything, (), *address, host=host)], None)
            for name, (address, host) in single.items()
            if address is not None
        ]

    def assignments(self, endpoints: Iterable[Endpoint]) -> dict[str, Json]:
        """The endpoints of each cluster, by its name."""
        return {name: assignment(name, members) for name, (_, members) in self._members(endpoints).items()}

    def _members(self, endpoints: Iterable[Endpoint]) -> dict[str, tuple[ServiceRef, list[Endpoint]]]:
        everything = list(endpoints)
        found = {}
        for service, label in self.labels.items():
            mine = [one for one in everything if one.service == service]
            if isinstance(self.flavour, PerLane) and service not in self._outside:
                for lane in self.flavour.lanes_of(service):
                    found[cluster_name(label, lane)] = (service, [one for one in mine if lane in one.lanes])
            else:
                found[label] = (service, mine)
        return found

    def _extra(self, service: ServiceRef) -> Json:
        if isinstance(self.flavour, PerLane) or service in self._outside:
            return {}
        return self.flavour.cluster(service)


def _application(sidecar: Sidecar) -> str:
    return f"application|{sidecar.name}"


def _sidecar(relay: Relay) -> str:
    return f"sidecar|{relay.sidecar[0]}:{relay.sidecar[1]}"


def _file_name(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-_" else f"~{ord(one):x}" for one in name)
