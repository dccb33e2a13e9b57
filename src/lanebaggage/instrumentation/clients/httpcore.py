"""httpcore and httpcore2: ``handle_request`` of their connection pools, below every transport of httpx that uses sockets.

httpx decides at its own level, where mocks see it. Between the two, the transports of tracers write headers: OpenTelemetry
and ddtrace replace ``baggage`` there, and with it the lane. What this hop gets is looked at once more here, so that it is on
the wire in any order of patching; a request that has it all is passed on untouched. Requests of httpcore's own users are
served as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, UNSET
from ..._hop import sending

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Gate, Patcher


def install(pools: Any, patch: Patcher) -> None:
    """Inject in ``ConnectionPool.handle_request`` or ``AsyncConnectionPool.handle_async_request``, whose module this is."""
    if hasattr(pools, "ConnectionPool"):
        patch.method(pools.ConnectionPool, "handle_request", _handle)
    else:
        patch.method(pools.AsyncConnectionPool, "handle_async_request", _handle_async)


def _handle(original: Any, gate: Gate) -> Any:
    def handle_request(self: Any, request: Any) -> Any:
        if gate.on and (current := CARRIED.get()) is not None:
            try:
                request = completed(request, current)
            except Exception:
                gate.failed()
        return original(self, request)

    return handle_request


def _handle_async(original: Any, gate: Gate) -> Any:
    async def handle_async_request(self: Any, request: Any) -> Any:
        if gate.on and (current := CARRIED.get()) is not None:
            try:
                request = completed(request, current)
            except Exception:
                gate.failed()
        return await original(self, request)

    return handle_async_request  # a coroutine function as before: respx looks which kind it is


def completed(request: Any, current: Carried) -> Any:
    """The request, which a client above has mostly seen to already, or a copy of it with the headers that this hop lacks.

    :param request: with its ``headers``, and the ``host`` and ``target`` of its ``url``, all of them bytes.
    """
    headers = request.headers
    if current is not UNSET and not current.stale and all(pair in headers for pair in current.raw):
        return request
    return _with_headers(request)


def _with_headers(request: Any) -> Any:
    """The request, or a copy of it with the headers that this hop lacks."""
    own: dict[str, str] = {}
    for name, value in request.headers:
        own.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    url = request.url
    carried = sending(url.host.decode("ascii"), own.get("authorization", ""), url.target.decode("latin-1"), asked_below=True)
    additions = [] if carried is None else _runtime.wire.additions(carried, own.get)
    if not additions:
        return request
    added = {name.encode("ascii"): value.encode("latin-1") for name, value in additions}
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.headers = [pair for pair in request.headers if pair[0].lower() not in added] + list(added.items())
    return copy
