"""gRPC's metadata and targets, for the synchronous and the asynchronous client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ... import _runtime
from ..._hop import sending, text

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = "abcdefghijklmnopqrstuvwxyz0123456789_.-"
"""What a key of metadata may hold (gRPC over HTTP/2, Requests)."""

_hosts: dict[str | bytes, tuple[str, ...]] = {}


def with_carried(metadata: Iterable[Any] | None, target: str | bytes) -> Iterable[Any] | None:
    """The metadata of a call with what it gets; the very object where that is nothing.

    :param metadata: as the caller gave it: a tuple, a list, ``grpc.aio.Metadata`` or None.
    :param target: the channel's; one that names several addresses gets something only if each of them may.
    """
    carried = None
    for host in hosts_of(target):
        carried = sending(host)
        if carried is None:
            return metadata
    if carried is None:
        return metadata
    pairs = list(metadata or ())

    def existing(name: str) -> str | None:
        values = [text(value) for key, value in pairs if text(key) == name]
        return ",".join(values) if values else None

    added = {name: value for name, value in _runtime.wire.additions(carried, existing) if _is_legal(name, value)}
    if not added:
        return metadata
    return (*(pair for pair in pairs if text(pair[0]) not in added), *added.items())


def hosts_of(target: str | bytes) -> tuple[str, ...]:
    """Hosts of a channel's target (gRPC Name Resolution), without scheme, authority and port."""
    hosts = _hosts.get(target)
    if hosts is None:
        hosts = _parsed(text(target))
        if len(_hosts) < 1024:
            _hosts[target] = hosts
    return hosts


def _parsed(target: str) -> tuple[str, ...]:
    scheme, colon, rest = target.partition(":")
    if not colon or rest.isdigit():
        return (scheme,)
    if scheme in ("unix", "unix-abstract", "vsock"):
        return ("localhost",)
    name = target
    if rest.startswith("//"):
        name = rest[2:].partition("/")[2]
    elif scheme in ("dns", "ipv4", "ipv6", "xds", "passthrough"):
        name = rest
    return tuple(_without_port(unquote(address)) for address in name.split(","))


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address if address.count(":") > 1 else address.partition(":")[0]


def _is_legal(name: str, value: str) -> bool:
    """Whether gRPC takes this; a call with a key or a value that it does not take fails."""
    return not name.strip(_KEY) and not name.endswith("-bin") and value.isascii() and value.isprintable()
