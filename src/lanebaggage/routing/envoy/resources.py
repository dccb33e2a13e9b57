"""The shapes of Envoy's resources, as JSON: listeners, clusters, load assignments, and where they come from.

Field names are those of Envoy's API v3 (https://www.envoyproxy.io/docs/envoy/latest/api-v3/api).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .options import Endpoint, Json

_LOAD_BALANCER: Final = "envoy.lb"
LANE: Final = "lane"
"""Key of an endpoint's lanes in its metadata."""
OBSERVED: Final = "lanebaggage"
"""Namespace of metadata that only a mesh reads."""
INSTANCE: Final = "instance"
"""Key of an endpoint's name there."""


def typed(kind: str, **fields: Any) -> Json:
    """A message of an extension, with its type."""
    return {"@type": f"type.googleapis.com/envoy.{kind}", **fields}


def seconds(number: float) -> str:
    """A duration as protobuf's JSON has it."""
    return f"{number:g}s"


def socket(address: str, port: int) -> Json:
    """An address to listen on or to connect to."""
    return {"socket_address": {"address": address, "port_value": port}}


def header(name: str, value: str) -> Json:
    """A header to set, in the place of every value that stands there."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def lane_metadata(value: object, key: str = LANE) -> Json:
    """Metadata that the load balancer compares."""
    return {"filter_metadata": {_LOAD_BALANCER: {key: value}}}


def with_metadata(route: Json, namespace: str, values: Json) -> Json:
    """A route with more metadata."""
    found = route.get("metadata", {}).get("filter_metadata", {})
    return {**route, "metadata": {"filter_metadata": {**found, namespace: {**found.get(namespace, {}), **values}}}}


def from_file(path: str) -> Json:
    """A source of resources: a file that is replaced by moving another onto it."""
    return {"resource_api_version": "V3", "initial_fetch_timeout": "2s", "path_config_source": {"path": path}}


def listener(name: str, address: str, port: int, manager: Json) -> Json:
    """A listener of plain HTTP; its port belongs to it alone."""
    network_filter = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", **manager),
    }
    return {
        "name": name,
        "address": socket(address, port),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [network_filter]}],
    }


def manager(name: str, filters: Sequence[Json], routes: Json) -> Json:
    """An HTTP connection manager that changes no more of a message than it must.

    :param routes: ``route_config`` or ``rds``.
    """
    return {
        "stat_prefix": name,
        "codec_type": "AUTO",
        "http_protocol_options": {"accept_http_10": True},
        "delayed_close_timeout": "0.1s",
        "generate_request_id": False,
        "normalize_path": True,
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": list(filters),
        **routes,
    }


def router_filter(**fields: Any) -> Json:
    """The filter that ends every chain."""
    router = typed("extensions.filters.http.router.v3.Router", suppress_envoy_headers=True, **fields)
    return {"name": "envoy.filters.http.router", "typed_config": router}


def assignment(name: str, endpoints: Iterable[Endpoint]) -> Json:
    """The endpoints of a cluster, each with its lanes; a list of lanes means any of them."""
    members = []
    for one in endpoints:
        endpoint: Json = {"address": socket(one.address, one.port)}
        if one.host:
            endpoint["hostname"] = one.host
        if one.check is not None:
            address, port = one.check
            endpoint["health_check_config"] = {"address": socket(address, port), "port_value": port}
        metadata = lane_metadata(list(one.lanes))["filter_metadata"] if one.lanes else {}
        if one.name:
            metadata[OBSERVED] = {INSTANCE: one.name}
        members.append({"endpoint": endpoint, **({"metadata": {"filter_metadata": metadata}} if metadata else {})})
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": members}] if members else []}


def cluster(name: str, endpoints: Iterable[Endpoint], path: str | None, **fields: Any) -> Json:
    """A cluster that speaks to its endpoints what is spoken to it.

    :param endpoints: that it has from the start.
    :param path: file that its endpoints come from instead.
    """
    members = tuple(endpoints)
    made: Json = {
        "name": name,
        "connect_timeout": "1s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "ignore_health_on_host_removal": True,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "extensions.upstreams.http.v3.HttpProtocolOptions",
                # Python's servers close idle connections after 2 to 5 seconds; a request sent just then would be lost.
                common_http_protocol_options={"idle_timeout": "1s"},
                use_downstream_protocol_config={"http_protocol_options": {}, "http2_protocol_options": {}},
            )
        },
        **fields,
    }
    if path is not None:
        return {**made, "type": "EDS", "eds_cluster_config": {"service_name": name, "eds_config": from_file(path)}}
    made["load_assignment"] = assignment(name, members)
    if all(is_address(member.address) for member in members):
        return {**made, "type": "STATIC"}
    # Unless told, Envoy looks at no IPv4 address of a name that has one of IPv6, as localhost does.
    return {**made, "type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
