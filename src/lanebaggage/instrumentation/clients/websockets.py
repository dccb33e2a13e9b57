"""websockets: the handshake, one per redirect hop, of the asyncio, threading and trio clients and of the legacy one.

All but the legacy client send what ``ClientProtocol.send_request`` is given; a copy of it gets the headers. The messages
that follow belong to the connection: they have no headers.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending
from ..._policy import host_of

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``ClientProtocol.send_request``, and in the legacy ``WebSocketClientProtocol.write_http_request``."""
    if module.__name__ == "websockets.legacy.client":
        patch.method(module.WebSocketClientProtocol, "write_http_request", _write_http_request)
    else:
        patch.method(module.ClientProtocol, "send_request", _send_request)


def _send_request(original: Any, gate: Gate) -> Any:
    def send_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and CARRIED.get() is not None:
            try:
                uri = getattr(self, "uri", None) or self.wsuri
                headers = _with_carried(request.headers, uri.host)
                if headers is not request.headers:
                    request = copy(request)
                    request.headers = headers
            except Exception:
                gate.failed()
        return original(self, request, *args, **kwargs)

    return send_request


def _write_http_request(original: Any, gate: Gate) -> Any:
    def write_http_request(self: Any, path: str, headers: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and CARRIED.get() is not None:
            try:
                headers = _with_carried(headers, host_of(f"ws://{headers['Host']}"))
            except Exception:
                gate.failed()
        return original(self, path, headers, *args, **kwargs)

    return write_http_request


def _with_carried(headers: Any, host: str) -> Any:
    """The headers of a handshake with what this hop gets; the very object where that is nothing."""
    carried = sending(host, ",".join(headers.get_all("Authorization")))
    if carried is None:
        return headers

    def existing(name: str) -> str | None:
        return ",".join(headers.get_all(name)) if name in headers else None

    added = _runtime.wire.additions(carried, existing)
    if not added:
        return headers
    headers = headers.copy()
    for name, value in added:
        if name in headers:
            del headers[name]
        headers[name] = value
    return headers
