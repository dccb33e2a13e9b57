"""httpx and httpx2: ``_send_single_request`` of both clients, run per redirect hop and for every transport, mocks included.

The headers go onto a copy of the request; the caller's object, and the one from which httpx builds a redirect, never have
them. The copy knows what was added, so that a request taken from a response and sent again drops it.
A version without that method is patched at its transports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime, _watch
from ..._context import CARRIED
from ..._hop import sending
from ..._stats import counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._wire import Carried
    from .._patching import Gate, Patcher

ADDED = "_lanebaggage_added"
"""On a copy: the pairs that were added, or their names with the values that the request had of its own (baggage) or None."""


def install(client: Any, patch: Patcher) -> None:
    """Inject in ``Client._send_single_request`` and ``AsyncClient._send_single_request``."""
    known = _is_known(client.Headers)
    if hasattr(client.Client, "_send_single_request"):
        patch.method(client.Client, "_send_single_request", _sender(known))
        patch.method(client.AsyncClient, "_send_single_request", _async_sender(known))
    else:
        patch.method(client.HTTPTransport, "handle_request", _sender(known))
        patch.method(client.AsyncHTTPTransport, "handle_async_request", _async_sender(known))


def _sender(known: bool) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            if not gate.on or ((current := CARRIED.get()) is None and not hasattr(request, ADDED)):
                return original(self, request, *args, **kwargs)
            try:
                sent = (_copied(request, current) if known and current is not None else None) or _with_headers(request)
            except Exception:
                gate.failed()
                sent = request
            try:
                return original(self, sent, *args, **kwargs)
            finally:
                if sent.stream is not request.stream:
                    _give_back(request, sent)

        return _send_single_request

    return make


def _async_sender(known: bool) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        async def _send_single_request(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            if not gate.on or ((current := CARRIED.get()) is None and not hasattr(request, ADDED)):
                return await original(self, request, *args, **kwargs)
            try:
                sent = (_copied(request, current) if known and current is not None else None) or _with_headers(request)
            except Exception:
                gate.failed()
                sent = request
            try:
                return await original(self, sent, *args, **kwargs)
            finally:
                if sent.stream is not request.stream:
                    _give_back(request, sent)

        return _send_single_request

    return make


def _give_back(request: Any, sent: Any) -> None:
    """Let the caller's request know the body that a transport, such as a mock, has read from the copy."""
    request.stream = sent.stream
    request._content = sent._content


def _copied(request: Any, current: Carried) -> Any:
    """A copy with the headers, where nothing stands in the way of simply appending them; it costs a fourth then."""
    own = request.headers
    names = [name for _, name, _ in own._list]
    url = request.url
    raw = current.raw
    if (
        not raw
        or current.stale
        or b"authorization" in names
        or b"X-Amz-Signature=" in url.query
        or _watch.watchers
        or hasattr(request, ADDED)
        or not _runtime.policy.verdict(url.host)
    ):
        return None
    for name, value in raw:
        if name in names or not value.isascii():
            return None
    headers = object.__new__(type(own))
    headers._list = own._list + [(name, name, value) for name, value in raw]
    headers._encoding = own._encoding
    counts.injected += 1
    copy = object.__new__(type(request))
    for name, value in request.__dict__.items():
        setattr(copy, name, value)
    copy.headers = headers
    setattr(copy, ADDED, current.headers)
    return copy


def _with_headers(request: Any) -> Any:
    """The request, or a copy of it with the headers that this hop gets and without those of an earlier one."""
    headers = request.headers
    stale = request.__dict__.get(ADDED)
    if stale is not None:
        headers = headers.copy()
        for name, own in stale.items() if isinstance(stale, dict) else [(name, None) for name, _ in stale]:
            del headers[name]
            if own is not None:
                headers[name] = own
    carried = sending(request.url.host, headers.get("authorization") or "", request.url.query.decode("ascii"))
    additions = [] if carried is None else _runtime.wire.additions(carried, headers.get)
    if stale is None and not additions:
        return request
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.__dict__[ADDED] = added = {name: headers.get(name) for name, _ in additions}
    kept = [pair for pair in headers.raw if pair[0].lower().decode("latin-1") not in added]
    ours = [(name.encode("ascii"), value.encode("latin-1")) for name, value in additions]
    copy.headers = type(headers)(kept + ours)
    return copy


def _is_known(headers_type: Any) -> bool:
    """Whether headers are kept as in httpx 0.20 to 0.28 and httpx2, which can be copied in a fifth of the time."""
    probe = headers_type([(b"A", b"b")])
    return bool(vars(probe) == {"_list": [(b"A", b"a", b"b")], "_encoding": None})
