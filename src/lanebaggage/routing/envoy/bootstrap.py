"""One static bootstrap that has everything in it, to run with ``envoy -c``; and what every bootstrap has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .configuration import Configuration
from .options import MAX_PATTERN, Endpoint, Json, Options, Sidecar
from .resources import is_address, socket, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import LaneGroup

GATEWAY_PORT: Final = 8080
SIDECAR_PORT: Final = 15001
"""Of the first sidecar; the others follow. Istio's outbound listener has it too."""
SERVICE_PORT: Final = 8000
_CONNECTIONS: Final = 10_000
"""Clients at once; Envoy warns where there is no limit."""


def bootstrap(
    group: LaneGroup,
    *,
    options: Options | None = None,
    endpoints: Sequence[Endpoint] | None = None,
    sidecars: Sequence[Sidecar] | None = None,
    address: str = "127.0.0.1",
    gateway_port: int = GATEWAY_PORT,
    admin_port: int | None = None,
) -> Json:
    """Envoy's whole configuration for a lane group, as JSON.

    One Envoy plays the gateway and the sidecars. Applications send their requests to a sidecar's listener, with the name of
    the service as ``Host``, for instance by ``HTTP_PROXY``. In strict mode each lane has a sidecar; in trace-ID mode each
    instance has one, since sidecars remember what arrives.

    :param group: the group.
    :param options: what can be chosen.
    :param endpoints: the instances; unless given, ``mocka-s2.default.svc.cluster.local:8000`` for a service of a lane.
    :param sidecars: the listeners of sidecars; unless given, as many as the mode needs, on ports from 15001 on.
    :param address: to listen on.
    :param gateway_port: the gateway's port.
    :param admin_port: port of the administration interface; None for none.
    :return: a mapping to write as JSON or YAML.
    :raises RoutingError: Envoy cannot do what the options ask.
    """
    instances = list(endpoints) if endpoints is not None else _instances(group)
    outside = dict.fromkeys(one.service for one in instances if one.service not in group.services)
    configuration = Configuration(group, options, outside=tuple(outside))
    if sidecars is None:
        sidecars = _sidecars(configuration, instances)
        if configuration.remembers:
            pairs = zip(instances, sidecars, strict=True)
            instances = [
                _behind(one, address, sidecar.port) if one.service in group.services else one for one, sidecar in pairs
            ]
    listeners = [configuration.gateway(address, gateway_port)]
    listeners += [configuration.sidecar(sidecar, address) for sidecar in sidecars]
    return {
        **base(admin=None if admin_port is None else (address, admin_port), each=configuration.options.repeated == "each"),
        "static_resources": {"listeners": listeners, "clusters": configuration.clusters(instances, sidecars)},
    }


def base(*, admin: tuple[str, int] | None, each: bool = False) -> Json:
    """The parts of a bootstrap that know nothing of lanes.

    :param admin: address and port of the administration interface; None for none.
    :param each: whether rules try each value of a repeated header by itself, as Envoy does since 1.39, or all of them
        joined.
    """
    connections = typed(
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=_CONNECTIONS,
    )
    monitor = {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": connections}
    settings = {
        "envoy.reloadable_features.match_headers_individually": each,
        "re2.max_program_size.error_level": MAX_PATTERN,
        "re2.max_program_size.warn_level": MAX_PATTERN,
    }
    layer = {"name": "static", "static_layer": settings}
    return {
        "node": {"id": "lanebaggage", "cluster": "lanebaggage"},
        **({} if admin is None else {"admin": {"address": socket(*admin)}}),
        "layered_runtime": {"layers": [layer]},
        "overload_manager": {"resource_monitors": [monitor]},
    }


def _behind(endpoint: Endpoint, address: str, port: int) -> Endpoint:
    """An instance behind its sidecar; its health is checked where it is itself, though Envoy takes no name there."""
    check = (endpoint.address, endpoint.port) if is_address(endpoint.address) else None
    return Endpoint(endpoint.service, endpoint.lanes, address, port, check, endpoint.name)


def _instances(group: LaneGroup) -> list[Endpoint]:
    """A Service for each service of each lane, as the Gateway API needs them too."""
    return [
        Endpoint(service, (lane.name,), f"{service.name}-{name}.{service.namespace}.svc.cluster.local", SERVICE_PORT)
        for service in group.services
        for lane in group.lanes
        if lane.has(service)
        for name in (re.sub("[^a-z0-9-]", "-", lane.name.lower()),)
    ]


def _sidecars(configuration: Configuration, instances: Sequence[Endpoint]) -> list[Sidecar]:
    group = configuration.group
    if configuration.remembers:
        return [
            Sidecar(
                one.name or f"{configuration.labels[one.service]} {port}", None, port, (one.address, one.port), host=one.host
            )
            for port, one in enumerate(instances, SIDECAR_PORT)
        ]
    if configuration.flavour.strict:
        return [Sidecar(lane.name, lane.name, port) for port, lane in enumerate(group.lanes, SIDECAR_PORT)]
    return [Sidecar("sidecars", None, SIDECAR_PORT)]
