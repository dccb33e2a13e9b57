"""httpcore and httpcore2: ``_send_request_headers`` of HTTP/1 connections, ``handle_request`` of HTTP/2 ones.

Both are below every pool and proxy, and so below httpx's own transports. Where there is nothing to do but append the headers
to an HTTP/1 request, they are appended to its bytes: one more header makes h11 work longer than all of ours. Otherwise they go
onto a copy of the request, which may be one of httpcore's own users. ``CONNECT`` to a proxy gets nothing; what a proxy
forwards has its host in the target. A version whose connections are not as expected is patched at its pools.

httpx decides at its own level where something stands between the two: a mock, or the transport of a tracer. Such a one may
write headers: OpenTelemetry and ddtrace replace ``baggage`` there, and with it the lane. What this hop gets is looked at once
more here, so that it is on the wire in any order of patching; a request that has it all is passed on untouched.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from ... import _runtime, _watch
from ..._context import CARRIED, UNSET, carried
from ..._hop import sending
from ..._policy import host_of
from ..._stats import counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._wire import Carried
    from .._patching import Gate, Patcher

DECIDED = "lanebaggage.decided"
"""Extension of a request about which httpx's patch has decided, counted and told."""

served: dict[Any, Gate] = {}
"""What pools have for ``handle_request`` where a request will come here, for httpx's patch to see; with the gate."""

_connections: dict[str, Gate] = {}
"""By half of the library (``httpcore._sync``): the gate of its HTTP/1 connections, where those are patched."""


def install(module: Any, patch: Patcher) -> None:
    """Inject in HTTP/1 and HTTP/2 connections, whose modules come first; or else in the pools."""
    half, _, name = module.__name__.rpartition(".")
    asynchronous = half.endswith("_async")
    prefix, handle = ("Async", "handle_async_request") if asynchronous else ("", "handle_request")
    make = _handle_async if asynchronous else _handle
    gate = _connections.get(half)
    if name == "http11":
        connection = getattr(module, f"{prefix}HTTP11Connection")
        if _is_known(connection):
            patch.method(connection, "_send_request_headers", _headers_sender(half))
    elif name == "http2":
        patch.method(getattr(module, f"{prefix}HTTP2Connection"), handle, make)
    else:
        pool = getattr(module, f"{prefix}ConnectionPool")
        for method in [method for method, one in served.items() if not one.on]:
            del served[method]
        if gate is None or not gate.on:
            patch.method(pool, handle, lambda original, own: _entered(make(original, own), own))
        elif is_plain(found := getattr(pool, handle), pool):
            served[found] = gate


def _entered(method: Any, gate: Gate) -> Any:
    """Enter a pool's method in :data:`served`."""
    served[method] = gate
    return method


def is_plain(method: Any, owner: type) -> bool:
    """Whether nobody has put something around a method or in its place."""
    package = owner.__module__.partition(".")[0]
    return type(method) is FunctionType and str(method.__globals__.get("__name__")).partition(".")[0] == package


def _is_known(connection: Any) -> bool:
    """Whether a request's headers are sent as in httpcore 0.16 to 1.0 and httpcore2, where a :class:`_Tail` can do it."""
    used = []
    for name in ("_send_request_headers", "_send_event"):
        method: Any = getattr(connection, name, None)
        if not is_plain(method, connection):
            return False
        used += [attribute for attribute in method.__code__.co_names if attribute.startswith("_")]
    return used == ["_send_event", "_h11_state", "_network_stream"]


def _headers_sender(half: str) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        get = CARRIED.get

        def _send_request_headers(self: Any, request: Any) -> Any:  # of either half: the original's coroutine is handed on
            if gate.on and (current := get()) is not None:
                try:
                    if _only_appends(request, current):
                        self = _Tail(self, current.tail)
                    else:
                        headers = _decided(request, current)
                        if headers is not request.headers:
                            request = _copy(request, headers)
                except Exception:
                    gate.failed()
            return original(self, request)

        _connections[half] = gate
        return _send_request_headers

    return make


class _Tail:
    """Stands in for a connection while it sends a request's headers, and ends them with ours."""

    __slots__ = ("_connection", "_tail")

    def __init__(self, connection: Any, tail: bytes) -> None:
        self._connection = connection
        self._tail = tail

    def _send_event(self, event: Any, timeout: float | None = None) -> Any:  # the coroutine of writing, in the async half
        connection = self._connection
        data = connection._h11_state.send(event)
        return connection._network_stream.write(data[:-2] + self._tail, timeout=timeout)


def _handle(original: Any, gate: Gate) -> Any:
    get = CARRIED.get

    def handle_request(self: Any, request: Any) -> Any:
        if gate.on and (current := get()) is not None:
            try:
                headers = completed(request, current)
                if headers is not request.headers:
                    request = _copy(request, headers)
            except Exception:
                gate.failed()
        return original(self, request)

    return handle_request


def _handle_async(original: Any, gate: Gate) -> Any:
    get = CARRIED.get

    async def handle_async_request(self: Any, request: Any) -> Any:
        if gate.on and (current := get()) is not None:
            try:
                headers = completed(request, current)
                if headers is not request.headers:
                    request = _copy(request, headers)
            except Exception:
                gate.failed()
        return await original(self, request)

    return handle_async_request  # a coroutine function as before: respx looks which kind it is


def completed(request: Any, current: Carried) -> list[tuple[bytes, bytes]]:
    """The request's headers, or a list of them with those that this hop lacks.

    :param request: with its ``headers``, ``extensions``, and the ``host`` and ``target`` of its ``url``, which are bytes.
    """
    return [*request.headers, *current.raw] if _only_appends(request, current) else _decided(request, current)


def _only_appends(request: Any, current: Carried) -> bool:
    """Whether all that there is to do is to append the headers, which counts as done; it costs a fourth then."""
    url = request.url
    target = url.target
    host = url.host.decode("ascii")
    policy = _runtime.policy
    if (
        not current.raw
        or current.stale
        or _watch.watchers
        or not (policy.verdicts.get(host) or policy.verdict(host))
        or not target.startswith(b"/")
        or target.find(b"X-Amz-Signature=") >= 0
    ):
        return False
    telling = current.telling
    for name, value in request.headers:
        if name.lower() in telling and (name.lower() != b"authorization" or value.startswith(b"AWS4-")):
            return False
    counts.injected += 1
    return True


def _decided(request: Any, current: Carried) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = request.headers
    if current is UNSET and not _watch.workers and carried() is None:
        return headers
    told = DECIDED in request.extensions
    if told and current.raw and not current.stale and all(pair in headers for pair in current.raw):
        return headers
    target = request.url.target.decode("latin-1")
    if target.startswith(("/", "*")):
        host = request.url.host.decode("ascii")
    elif "://" in target:
        host = host_of(target)  # by way of a proxy
    else:
        return headers  # CONNECT
    own: dict[str, str] = {}
    for name, value in headers:
        own.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    sent = sending(host, own.get("authorization", ""), target, told=told)
    additions = [] if sent is None else _runtime.wire.additions(sent, own.get)
    if not additions:
        return headers
    added = {name.encode("ascii"): value.encode("latin-1") for name, value in additions}
    return [pair for pair in headers if pair[0].lower() not in added] + list(added.items())


def _copy(request: Any, headers: list[tuple[bytes, bytes]]) -> Any:
    copy = object.__new__(type(request))
    copy.method = request.method  # one by one: its __dict__, once asked for, makes each attribute cost more from then on
    copy.url = request.url
    copy.headers = headers
    copy.stream = request.stream
    copy.extensions = request.extensions
    return copy
