"""What one Envoy must have for a mesh: the gateway, a sidecar for each instance and for clients, relays, endpoints."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .._errors import MeshError
from ..routing.envoy import GATEWAY, Configuration, Endpoint, Options, Relay, Sidecar, bootstrap
from ..routing.envoy.resources import is_address
from .apps import ASGI, WSGI, Address, Command
from .traffic import CLIENT, Origin
from .traffic import GATEWAY as FROM_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..routing import ServiceRef
    from .envoy_files import Files
    from .topology import Compiled, Instance, Topology

UNKNOWN: Final = "unknown"
"""Listener of applications of this process where not even the instance is known that calls."""


class Known:
    """The instances of one mesh that run or will, declared or no longer: each with the name of its listener.

    A process that goes on running undeclared keeps its sidecar's address, and those by which it reaches other services.
    """

    def __init__(self) -> None:
        self.names: dict[Instance, str] = {}
        self.held: Mapping[Instance, tuple[str, int]] = {}
        """Where instances are reached that have faults."""
        self.reached: dict[Instance, list[ServiceRef]] = {}
        """The services that a command was given addresses for."""

    def add(self, instances: Sequence[Instance]) -> None:
        """Know these from now on."""
        services = dict.fromkeys(one.service for one in instances)
        for one in instances:
            if one not in self.names:
                taken = set(self.names.values())
                number = 1
                while (name := name_of(one) + (f" ({number})" if number > 1 else "")) in taken:
                    number += 1
                self.names[one] = name
            if isinstance(one.app, Command):
                before = self.reached.get(one, ())
                self.reached[one] = list(dict.fromkeys((*before, *(each for each in services if each != one.service))))

    def remove(self, instance: Instance) -> None:
        """Forget one."""
        self.names.pop(instance, None)
        self.reached.pop(instance, None)


class Layout:
    """One state of a mesh, as Envoy's resources.

    :param state: services and lanes.
    :param instances: those that are declared.
    :param known: these and all others that run.
    :param ports: address of each listener as far as they are known.
    :param directory: of Envoy's files.
    """

    def __init__(
        self,
        state: Compiled,
        instances: Sequence[Instance],
        known: Known,
        options: Options,
        ports: Mapping[str, tuple[str, int]],
        directory: str,
    ) -> None:
        group = state.group
        outside = dict.fromkeys(one.service for one in instances if one.service not in group.services)
        self.configuration = Configuration(group, options, directory=directory, outside=tuple(outside))
        self.state = state
        self._instances = instances
        self._known = known
        self._ports = ports
        self.clients = {lane.name: f"client {lane.name}" for lane in group.lanes} if not group.permissive else {}
        """Listeners of clients that call as a lane does, in strict mode."""
        self._sidecars = [
            Sidecar("client", group.baseline),
            *(Sidecar(listener, lane) for lane, listener in self.clients.items()),
            Sidecar(UNKNOWN, single=True),
            *map(self._sidecar, known.names),
        ]
        self._relays = [relay for one in known.reached for relay in self._relays_of(one)]

    # --- what is observed

    @property
    def origins(self) -> dict[str, Origin]:
        """Where the requests of each listener come from."""
        clients = dict.fromkeys(("client", *self.clients.values()), CLIENT)
        callers = {name: Origin(one) for one, name in self._known.names.items()}
        return {GATEWAY: FROM_GATEWAY, UNKNOWN: Origin(), **clients, **callers}

    def addresses_of(self, instance: Instance) -> dict[ServiceRef, tuple[str, int]]:
        """The address by which an instance reaches each other service."""
        return {service: self._ports[self._relay_name(instance, service)] for service in self._known.reached[instance]}

    # --- putting it in force

    def apply(self, files: Files) -> None:
        """Have Envoy take it."""
        made = self.configuration
        files.apply(
            clusters=made.clusters([], self._sidecars, self._relays),
            endpoints=self._assignments(),
            routes={name: (made.route_path(name), one) for name, one in made.route_configurations(self._sidecars).items()},
            listeners=[made.gateway(), *map(made.sidecar, self._sidecars), *map(made.relay, self._relays)],
        )

    def apply_endpoints(self, files: Files) -> None:
        """Have Envoy take the endpoints, where nothing else has changed."""
        files.apply_endpoints(self._assignments())

    def _assignments(self) -> dict[str, tuple[str, dict[str, object]]]:
        made = self.configuration
        endpoints: dict[tuple[ServiceRef, str, int], tuple[Instance, Endpoint]] = {}
        for one in self._instances:
            for endpoint in self._endpoint(one) if one.up else ():
                other, _ = endpoints.setdefault((one.service, endpoint.address, endpoint.port), (one, endpoint))
                if other is not one:
                    raise MeshError(
                        f"{other} and {one} are both at {endpoint.address}:{endpoint.port}, where Envoy sees one endpoint; "
                        "give each an address or a port of its own, or use engine='sockets'"
                    )
        found = made.assignments(endpoint for _, endpoint in endpoints.values())
        return {name: (made.endpoint_path(name), one) for name, one in found.items()}

    def _endpoint(self, instance: Instance) -> list[Endpoint]:
        found = endpoints_of(self.state, instance, self._known.names[instance], _resolved(instance))
        if instance in self._known.held:
            address, port = self._known.held[instance]
            found = [replace(one, address=address, port=port) for one in found]
        if not self.configuration.remembers or instance.service not in self.state.group.services:
            return found
        sidecar = self._ports.get(self._known.names[instance])
        if sidecar is None:
            return []
        return [replace(one, address=sidecar[0], port=sidecar[1], check=(one.address, one.port), host="") for one in found]

    def _sidecar(self, instance: Instance) -> Sidecar:
        lane = self.state.lane_of(instance)
        single = isinstance(instance.app, (WSGI, ASGI))
        application = self._known.held.get(instance) or _resolved(instance)
        return Sidecar(self._known.names[instance], lane, application=application, single=single, host=_host(instance))

    def _relays_of(self, instance: Instance) -> list[Relay]:
        sidecar = self._ports.get(self._known.names[instance])
        if sidecar is None:
            return []
        services = self._known.reached[instance]
        return [Relay(self._relay_name(instance, service), service, sidecar) for service in services]

    def _relay_name(self, instance: Instance, service: ServiceRef) -> str:
        return f"{self._known.names[instance]} > {service}"


def written(topology: Topology, options: Mapping[str, Any]) -> dict[str, object]:
    """The configuration of a mesh as it is, as one file that Envoy can be started with elsewhere.

    :param options: of :class:`~lanebaggage.routing.envoy.Options`, which make an engine what it is.
    """
    state = topology.current
    endpoints = [
        endpoint
        for one in topology.instances
        if one.address is not None
        for endpoint in endpoints_of(state, one, name_of(one), one.address)
    ]
    return bootstrap(state.group, options=Options(**topology.settings, **options), endpoints=endpoints)


def endpoints_of(state: Compiled, instance: Instance, name: str, where: tuple[str, int] | None) -> list[Endpoint]:
    """An instance as an endpoint; none while it is nowhere."""
    if where is None:
        return []
    group = state.group
    lanes = [lane.name for lane in group.lanes if lane.has(instance.service) and instance.selected_by(lane.selector)]
    known = tuple(lanes) if instance.service in group.services else ()
    return [Endpoint(instance.service, known, *where, name=name, host=_host(instance))]


def name_of(instance: Instance) -> str:
    """An instance in words that no other declared one has."""
    return f"{instance.service} {instance.version}"


def _host(instance: Instance) -> str:
    return instance.app.authority if isinstance(instance.app, Address) else ""


def _resolved(instance: Instance) -> tuple[str, int] | None:
    """Where an instance listens, as an IP address, since Envoy's endpoints are; None while it does not."""
    if instance.address is None or is_address(instance.address[0]):
        return instance.address
    host, port = instance.address
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise MeshError(f"{instance}: {host} has no address ({error}); correct http://{host}:{port}") from error
    return str(found[0][4][0]), port
