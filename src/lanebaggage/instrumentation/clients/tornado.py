"""tornado: its simple client, where one wire request is formed; websockets and each hop of a redirect come this way too.

``fetch`` only queues: with ``max_clients`` at work, a request begins in the callback of another one. So what the caller carries
is kept with the queued request, and is current while its connection is begun; the rest runs in a task that inherits it.
The headers are set on tornado's proxy of the request, never on the caller's ``HTTPRequest``; a redirect, which is built from
a copy of them, does not take along what was added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, reset
from ..._hop import sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate, Patcher

QUEUED = "_lanebaggage_queued"
"""On tornado's proxy of a request: what the caller of ``fetch`` carried."""


def install(client: Any, patch: Patcher) -> None:
    """Keep what is carried in the queue, and inject where the connection for one request is created."""
    patch.method(client.SimpleAsyncHTTPClient, "fetch_impl", _fetch_impl)
    patch.method(client.SimpleAsyncHTTPClient, "_handle_request", _handle_request)
    patch.method(client._HTTPConnection, "_create_connection", _creator(_headers_type(client.httputil.HTTPHeaders)))


def _fetch_impl(original: Any, gate: Gate) -> Any:
    def fetch_impl(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and type(request).__name__ == "_RequestProxy":
            setattr(request, QUEUED, CARRIED.get())
        return original(self, request, *args, **kwargs)

    return fetch_impl


def _handle_request(original: Any, gate: Gate) -> Any:
    def _handle_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not gate.on or QUEUED not in vars(request):
            return original(self, request, *args, **kwargs)
        token = CARRIED.set(vars(request)[QUEUED])
        try:
            return original(self, request, *args, **kwargs)
        finally:
            reset(token)

    return _handle_request


def _creator(headers_type: Any) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        def _create_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
            if gate.on and CARRIED.get() is not None:
                try:
                    _inject(self.request, self.parsed, headers_type)
                except Exception:
                    gate.failed()
            return original(self, *args, **kwargs)

        return _create_connection

    return make


def _inject(request: Any, url: Any, headers_type: Any) -> None:
    own = request.headers
    carried = sending(url.hostname or "", own.get("Authorization") or "", url.query)
    added = [] if carried is None else _runtime.wire.additions(carried, own.get)
    if added:
        headers = copied(own, headers_type)
        headers.own = own
        for name, value in added:
            headers[name] = value
        request.headers = headers


def copied(headers: Any, kind: Any) -> Any:
    """A copy of tornado's ``HTTPHeaders`` that looks at none of them: what is not allowed there, tornado itself will say."""
    copy = kind()
    for name, value in vars(headers).items():
        setattr(copy, name, value.copy() if isinstance(value, dict) else value)
    return copy


def _headers_type(plain: Any) -> Any:
    class Headers(plain):  # type: ignore[misc] # tornado.httputil.HTTPHeaders
        """A hop's headers, those added among them; a copy, from which a redirect is built, is one of the request's own."""

        def copy(self) -> Any:
            return self.own.copy()

    return Headers
