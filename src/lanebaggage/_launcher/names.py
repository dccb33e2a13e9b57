"""Names of a mesh's services, for a process that is given addresses and no proxy: they resolve, and lead to its sidecar.

``LANEBAGGAGE_MESH_SERVICES`` holds ``mockb.default=127.0.0.1:41001,...``. A name resolves to an address of its own, and a
connection to that address goes to the one in the variable instead, whatever its port; in ``socket``, below every client that
uses it. uvloop, and what is no Python, look names up by themselves: they need the proxy or the variables.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

VARIABLE: Final = "LANEBAGGAGE_MESH_SERVICES"
_SUFFIXES: Final = (".svc.cluster.local", ".svc")


def install(environ: Mapping[str, str]) -> None:
    """Patch ``socket`` for the names in the variable, where there is one; what cannot be read in it is left out."""
    addresses: dict[str, str] = {}
    targets: dict[str, tuple[str, int]] = {}
    for number, entry in enumerate(filter(None, environ.get(VARIABLE, "").split(",")), 1):
        name, _, target = entry.strip().partition("=")
        host, _, port = target.rpartition(":")
        if not name or not host or not port.isdigit():
            continue
        address = f"127.78.{number >> 8 & 255}.{number & 255}"
        targets[address] = (host, int(port))
        for known in (name.lower(), name.lower().partition(".")[0]):
            addresses.setdefault(known, address)
    if targets:
        _patch(addresses, targets)


def _patch(addresses: Mapping[str, str], targets: Mapping[str, tuple[str, int]]) -> None:
    look_up = socket.getaddrinfo
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        return look_up(addresses.get(_plain(host), host), *args, **kwargs)

    def redirected(address: Any) -> Any:
        return targets.get(address[0], address) if isinstance(address, tuple) and address else address

    def connect_redirected(self: socket.socket, address: Any) -> None:
        connect(self, redirected(address))

    def connect_ex_redirected(self: socket.socket, address: Any) -> int:
        return connect_ex(self, redirected(address))

    patched: Any = socket.socket
    socket.getaddrinfo, patched.connect, patched.connect_ex = getaddrinfo, connect_redirected, connect_ex_redirected


def _plain(host: Any) -> str:
    """A name as the variable has it: without what every cluster's names end with."""
    text = host.decode("latin-1") if isinstance(host, bytes) else host if isinstance(host, str) else ""
    text = text.lower().rstrip(".")
    for suffix in _SUFFIXES:
        text = text.removesuffix(suffix)
    return text
