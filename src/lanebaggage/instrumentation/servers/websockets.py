"""websockets: ``handshake`` of the asyncio, threading and trio connections, and the legacy one's ``read_http_request``.

A connection has a task or a thread of its own, and is in the lane of its handshake until it ends: ``process_request`` and
what the handler does for each message included. The lane is entered as soon as the request is read, by a ``process_request``
of ours around the server's, and never left: the task ends with the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED
from . import _serve

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in ``ServerConnection.handshake``, or in the legacy ``WebSocketServerProtocol.read_http_request``."""
    if module.__name__ == "websockets.legacy.server":
        patch.method(module.WebSocketServerProtocol, "read_http_request", _read_http_request)
    else:
        patch.method(module.ServerConnection, "handshake", _handshake)


def _handshake(original: Any, gate: Gate) -> Any:
    # of either kind: what the original returns, a coroutine or nothing, is handed on
    def handshake(self: Any, process_request: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return original(self, process_request, *args, **kwargs)

        def entering(connection: Any, request: Any) -> Any:
            _enter(request.headers, gate)
            return None if process_request is None else process_request(connection, request)

        return original(self, entering, *args, **kwargs)

    return handshake


def _read_http_request(original: Any, gate: Gate) -> Any:
    async def read_http_request(self: Any) -> Any:
        path, headers = await original(self)
        if gate.on:
            _enter(headers, gate)
        return path, headers

    return read_http_request


def _enter(headers: Any, gate: Gate) -> None:
    try:
        CARRIED.set(_serve.pairs(headers.raw_items()))
    except Exception:
        gate.failed()
