"""Requests whose headers are pairs of bytes in lower case, pseudo-headers among them (HTTP/2; RFC 9113, section 8.3)."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending
from ..._policy import host_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate


def endheaders(attribute: str) -> Callable[[Any, Gate], Any]:
    """A replacement for the ``endheaders`` of a connection that keeps its request's headers in this attribute."""

    def make(original: Any, gate: Gate) -> Any:
        def endheaders(self: Any, *args: Any, **kwargs: Any) -> Any:
            if gate.on and CARRIED.get() is not None:
                try:
                    _inject(self, getattr(self, attribute))
                except Exception:
                    gate.failed()
            return original(self, *args, **kwargs)

        async def async_endheaders(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await endheaders(self, *args, **kwargs)

        return async_endheaders if iscoroutinefunction(original) else endheaders

    return make


def _inject(connection: Any, headers: list[tuple[bytes, bytes]]) -> None:
    own: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        own[name] = f"{own[name]},{value}" if name in own else value
    target = own.get(":path", "")
    host = connection._tunnel_host or connection.host if target[:1] in ("/", "*") else host_of(target)
    carried = sending(host, own.get("authorization", ""), target)
    if carried is None:
        return
    for name, value in _runtime.wire.additions(carried, own.get):
        raw = name.encode("ascii")
        headers[:] = [pair for pair in headers if pair[0] != raw]
        headers.append((raw, value.encode("latin-1")))
