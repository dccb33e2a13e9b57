"""httpx and httpx2: ``_send_single_request`` of both clients, run per redirect hop and for every transport, mocks included.

The headers go onto a copy of the request; the caller's object, and the one from which httpx builds a redirect, never have
them. The copy names what was added in its ``extensions``, so that a request taken from a response and sent again drops it.
A version without that method is patched at its transports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

ADDED = "lanebaggage.added"


def install(client: Any, patch: Patcher) -> None:
    """Inject in ``Client._send_single_request`` and ``AsyncClient._send_single_request``."""
    if hasattr(client.Client, "_send_single_request"):
        patch.method(client.Client, "_send_single_request", _send)
        patch.method(client.AsyncClient, "_send_single_request", _send_async)
    else:
        patch.method(client.HTTPTransport, "handle_request", _send)
        patch.method(client.AsyncHTTPTransport, "handle_async_request", _send_async)


def _send(original: Any, gate: Gate) -> Any:
    def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                request = _with_headers(request)
            except Exception:
                gate.failed()
        return original(self, request, *args, **kwargs)

    return _send_single_request


def _send_async(original: Any, gate: Gate) -> Any:
    async def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                request = _with_headers(request)
            except Exception:
                gate.failed()
        return await original(self, request, *args, **kwargs)

    return _send_single_request


def _with_headers(request: Any) -> Any:
    """The request, or a copy of it with the headers that this hop gets and without those of an earlier one."""
    stale = request.extensions.get(ADDED, ())
    if not stale and CARRIED.get() is None:
        return request
    headers = request.headers
    carried = sending(request.url.host, headers.get("authorization") or "", request.url.query.decode("ascii"))
    if not stale and carried is None:
        return request
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.headers = headers.copy()
    copy.extensions = dict(request.extensions)
    for name in stale:
        copy.headers.pop(name, None)
    added = _runtime.wire.additions(carried, copy.headers.get) if carried is not None else []
    for name, value in added:
        copy.headers[name] = value
    copy.extensions[ADDED] = tuple(name for name, _ in added)
    return copy
