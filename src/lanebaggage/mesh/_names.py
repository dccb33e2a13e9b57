"""Service names of an open mesh, for every client of this process.

A name resolves to an address of its own, and a connection to that address goes to a sidecar's listener instead: at the
socket, below every client library. A connection knows, at each send, which hop the sending code was serving, so that the
proxy knows the caller of a request even where one connection pool serves several instances.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from . import _intercept
from ._made import look
from ._serving import origin
from .traffic import CLIENT

if TYPE_CHECKING:
    from types import ModuleType

    from .traffic import Origin

_numbers: Final = count(1)
_addresses: dict[str, str] = {}
_names: dict[str, str] = {}
_senders: dict[tuple[str, int], Origin] = {}


def caller(peer: tuple[str, int]) -> Origin:
    """Where the latest bytes on a connection came from, by its address at the caller's end."""
    return _senders.get(peer, CLIENT)


class _Calling(socket.socket):
    """A connection of this process to a sidecar's listener."""

    __slots__ = ()

    def _note(self) -> None:
        try:
            here = origin()
            _senders[self.getsockname()] = here if here.outside else replace(here, made=look())
        except OSError:
            pass

    def send(self, *args: Any) -> int:
        self._note()
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self._note()
        super().sendall(*args)

    def sendmsg(self, *args: Any) -> int:
        self._note()
        return super().sendmsg(*args)

    def close(self) -> None:
        try:
            _senders.pop(self.getsockname(), None)
        except OSError:
            pass
        super().close()


def patch_socket(module: ModuleType, patches: _intercept.Patches) -> None:
    """Take over name look-up and connecting."""
    look_up = module.getaddrinfo

    def make(original: Any) -> Any:
        def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            address = _address_for(host)
            return original(host if address is None else address, port, *args, **kwargs)

        return getaddrinfo

    def make_connect(original: Any) -> Any:
        def connect(self: Any, address: Any) -> Any:
            name = _names.get(address[0]) if isinstance(address, tuple) and address else None
            if name is None:
                return original(self, address)
            found = _intercept.claimed(name)
            if found is None or found[0].sidecar is None:
                raise ConnectionRefusedError(f"the mesh of {name} has been closed")
            if type(self) is socket.socket:
                self.__class__ = _Calling
            return original(self, found[0].sidecar)

        return connect

    patches.put(module, "getaddrinfo", make)
    patches.put(module.socket, "connect", make_connect)
    patches.put(module.socket, "connect_ex", make_connect)

    from asyncio import base_events

    def make_async(_original: Any) -> Any:
        async def getaddrinfo(self: Any, host: Any, port: Any, **kwargs: Any) -> Any:
            address = _address_for(host)  # here: the executor's thread would not know who asks
            look = partial(look_up, host if address is None else address, port, **kwargs)
            return await self.run_in_executor(None, look)

        return getaddrinfo

    patches.put(base_events.BaseEventLoop, "getaddrinfo", make_async)


def _address_for(host: Any) -> str | None:
    """The address that stands for a host of a mesh, or None for one of the network."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not isinstance(name, str) or not name:
        return None
    found = _intercept.claimed(name)
    if found is None:
        return None
    if found[0].sidecar is None:
        message = (
            f"{name[:253]} cannot be called here: the in-process engine carries requests of requests, urllib3, urllib, "
            "http.client, httpx and httpx2 to the mesh's services, and lets nothing else out; use engine='sockets'"
        )
        raise socket.gaierror(socket.EAI_FAIL, _intercept.refuse(found[1], message))
    address = _addresses.get(name)
    if address is None:
        number = next(_numbers)
        address = _addresses[name] = f"127.77.{number >> 8 & 255}.{number & 255}"
        _names[address] = name
    return address
