"""httpx and httpx2: ``_transport_for_url`` of both clients, called per redirect hop and for every transport, mocks included.

httpx's own transport ends in httpcore, whose patch serves it. Any other, and one that a mock or a tracer has replaced, is put
into one of ours for the one request, which hands on a copy with the headers. The caller's request is the response's as well,
and the one from which httpx builds a redirect: neither ever has them.
A version without that method is patched at its transports.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ... import _runtime, _watch
from ..._context import CARRIED, UNSET
from ..._hop import sending
from ..._stats import counts
from .httpcore import DECIDED, is_plain, served

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._wire import Carried
    from .._patching import Gate, Patcher


def install(client: Any, patch: Patcher) -> None:
    """Inject behind ``Client._transport_for_url`` and ``AsyncClient._transport_for_url``."""
    known = _is_known(client.Headers)
    if hasattr(client.Client, "_transport_for_url"):
        patch.method(client.Client, "_transport_for_url", _finder(client.HTTPTransport, "handle_request", known))
        patch.method(
            client.AsyncClient, "_transport_for_url", _finder(client.AsyncHTTPTransport, "handle_async_request", known)
        )
    else:
        patch.method(client.HTTPTransport, "handle_request", _handler("handle_request", known))
        patch.method(client.AsyncHTTPTransport, "handle_async_request", _handler("handle_async_request", known))


def _finder(own: Any, name: str, known: bool) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        get = CARRIED.get
        found = getattr(own, name)
        own_handle = found if is_plain(found, own) else None

        def _transport_for_url(self: Any, url: Any) -> Any:
            transport = original(self, url)
            if not gate.on or (current := get()) is None:
                return transport
            if type(transport) is own and getattr(own, name, None) is own_handle:
                try:
                    below = served.get(getattr(type(transport._pool), name))
                    if below is not None and below.on:
                        return transport
                except Exception:
                    gate.failed()
            return _Through(transport, current if known else None, gate)

        return _transport_for_url

    return make


def _handler(name: str, known: bool) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        def handle(self: Any, request: Any) -> Any:
            if gate.on and (current := CARRIED.get()) is not None:
                transport = SimpleNamespace(**{name: partial(original, self)})
                return getattr(_Through(transport, current if known else None, gate), name)(request)
            return original(self, request)

        return handle

    return make


class _Through:
    """A transport for one request, which gets the headers on the way to the client's own transport."""

    __slots__ = ("_current", "_gate", "_transport")

    def __init__(self, transport: Any, current: Carried | None, gate: Gate) -> None:
        self._transport = transport
        self._current = current
        self._gate = gate

    def handle_request(self, request: Any) -> Any:
        sent = self._with_headers(request)
        if sent is request or hasattr(request, "_content"):
            return self._transport.handle_request(sent)
        try:
            return self._transport.handle_request(sent)
        finally:
            _give_back(request, sent)

    def handle_async_request(self, request: Any) -> Any:  # hands on the transport's coroutine: one around it would be felt
        sent = self._with_headers(request)
        if sent is request or hasattr(request, "_content"):
            return self._transport.handle_async_request(sent)
        return self._handle_body(request, sent)

    async def _handle_body(self, request: Any, sent: Any) -> Any:
        try:
            return await self._transport.handle_async_request(sent)
        finally:
            _give_back(request, sent)

    def _with_headers(self, request: Any) -> Any:
        try:
            current = self._current
            return (_copied(request, current) if current is not None else None) or _with_headers(request)
        except Exception:
            self._gate.failed()
            return request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _give_back(request: Any, sent: Any) -> None:
    """Let the caller's request know the body that a transport, such as a mock, has read from the copy."""
    if sent.stream is not request.stream:
        request.stream = sent.stream
        request._content = sent._content


def _copied(request: Any, current: Carried) -> Any:
    """A copy with the headers, where nothing stands in the way of simply appending them; it costs a fourth then."""
    raw = current.raw
    url = request.url
    host = url.host
    policy = _runtime.policy
    if not raw or current.stale or _watch.watchers or not (policy.verdicts.get(host) or policy.verdict(host)):
        return None
    own = request.headers
    telling = current.telling
    for _, name, value in own._list:
        if name in telling and (name != b"authorization" or value.startswith(b"AWS4-")):
            return None
    if url.query.find(b"X-Amz-Signature=") >= 0:
        return None
    headers = object.__new__(type(own))
    headers._list = items = own._list.copy()
    headers._encoding = own._encoding
    for name, value in raw:
        if not value.isascii():
            return None
        items.append((name, name, value))
    counts.injected += 1
    return _copy(request, headers)


def _with_headers(request: Any) -> Any:
    """The request, or a copy of it that was decided about: with the headers that this hop gets."""
    headers = request.headers
    carried = sending(request.url.host, headers.get("authorization") or "", request.url.query.decode("ascii"))
    if carried is None and CARRIED.get() is UNSET:
        return request
    additions = [] if carried is None else _runtime.wire.additions(carried, headers.get)
    if additions:
        added = {name.encode("ascii"): value.encode("latin-1") for name, value in additions}
        kept = [pair for pair in headers.raw if pair[0].lower() not in added]
        headers = type(headers)(kept + list(added.items()))
    copy = _copy(request, headers)
    copy.extensions = {**request.extensions, DECIDED: True}
    return copy


def _copy(request: Any, headers: Any) -> Any:
    copy = object.__new__(type(request))
    for name, value in request.__dict__.items():
        setattr(copy, name, value)
    copy.headers = headers
    return copy


def _is_known(headers_type: Any) -> bool:
    """Whether headers are kept as in httpx 0.20 to 0.28 and httpx2, which can be copied in a fifth of the time."""
    probe = headers_type([(b"A", b"b")])
    return bool(vars(probe) == {"_list": [(b"A", b"a", b"b")], "_encoding": None})
