"""httpcore and httpcore2: ``handle_request`` of their connection pools, below every transport of httpx that uses sockets.

httpx decides at its own level where something stands between the two: a mock, or the transport of a tracer. Such a one may
write headers: OpenTelemetry and ddtrace replace ``baggage`` there, and with it the lane. What this hop gets is looked at once
more here, so that it is on the wire in any order of patching; a request that has it all is passed on untouched.
The headers go onto a copy of the request, which may be one of httpcore's own users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime, _watch
from ..._context import CARRIED, UNSET, carried
from ..._hop import sending
from ..._stats import counts

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Gate, Patcher

DECIDED = "lanebaggage.decided"
"""Extension of a request about which httpx's patch has decided, counted and told."""

GATE = "lanebaggage_gate"
"""On what was put in place: its gate, for httpx's patch to see that a request will come here."""


def install(pools: Any, patch: Patcher) -> None:
    """Inject in ``ConnectionPool.handle_request`` or ``AsyncConnectionPool.handle_async_request``, whose module this is."""
    if hasattr(pools, "ConnectionPool"):
        patch.method(pools.ConnectionPool, "handle_request", _handle)
    else:
        patch.method(pools.AsyncConnectionPool, "handle_async_request", _handle_async)


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

    setattr(handle_request, GATE, gate)
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

    setattr(handle_async_request, GATE, gate)
    return handle_async_request  # a coroutine function as before: respx looks which kind it is


def completed(request: Any, current: Carried) -> list[tuple[bytes, bytes]]:
    """The request's headers, or a list of them with those that this hop lacks.

    :param request: with its ``headers``, ``extensions``, and the ``host`` and ``target`` of its ``url``, which are bytes.
    """
    headers: list[tuple[bytes, bytes]] = request.headers
    raw = current.raw
    if not raw or current.stale or _watch.watchers:
        return headers if current is UNSET and not _watch.workers and carried() is None else _decided(request)
    url = request.url
    host = url.host.decode("ascii")
    policy = _runtime.policy
    if not (policy.verdicts.get(host) or policy.verdict(host)) or url.target.find(b"X-Amz-Signature=") >= 0:
        return _decided(request)
    telling = current.telling
    for name, _ in headers:
        if name.lower() in telling:
            return headers if all(pair in headers for pair in raw) else _decided(request)
    counts.injected += 1
    return [*headers, *raw]


def _decided(request: Any) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = request.headers
    own: dict[str, str] = {}
    for name, value in headers:
        own.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    url = request.url
    told = DECIDED in request.extensions
    target = url.target.decode("latin-1")
    sent = sending(url.host.decode("ascii"), own.get("authorization", ""), target, told=told)
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
