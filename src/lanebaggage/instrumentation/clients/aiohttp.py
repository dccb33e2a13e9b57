"""aiohttp: ``ClientRequest.send``, run per redirect hop, retry and websocket handshake, below every client middleware.

The request object is aiohttp's own, one per hop, and its headers are a copy of what the caller gave. A middleware may send
one twice, and a caller may send on what ``request_info`` shows: values that were added are of a class of our own, and are
decided about anew. ``CONNECT`` to a proxy gets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime, _watch
from ..._context import CARRIED
from ..._hop import sending
from ..._stats import counts
from ..._wire import Added

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._wire import Carried
    from .._patching import Gate, Patcher


made: set[str] = set()
"""Names of headers for which there ever was such a value, so that a request may come with one."""


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``ClientRequest.send``."""
    patch.method(module.ClientRequest, "send", _sender(module.hdrs.AUTHORIZATION))


def _sender(authorization: str) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        get = CARRIED.get

        def send(self: Any, *args: Any, **kwargs: Any) -> Any:  # hands on the original's coroutine: one around it would be felt
            if gate.on and ((current := get()) is not None or made):
                try:
                    if current is None:
                        _restore(self.headers)
                    elif not _added(self, current, authorization):
                        _decide(self)
                except Exception:
                    gate.failed()
            return original(self, *args, **kwargs)

        return send

    return make


def _added(request: Any, current: Carried, authorization: str) -> bool:
    """Whether the headers were added, where nothing stands in the way of simply doing so; it costs a third then.

    :param authorization: the header's name, as aiohttp's own object, which is looked up in half the time.
    """
    pairs = current.headers
    headers = request.headers
    url = request.url
    host = url.raw_host or ""
    policy = _runtime.policy
    if (
        not pairs
        or current.stale
        or _watch.watchers
        or not (policy.verdicts.get(host) or policy.verdict(host))
        or (authorization in headers and headers[authorization].startswith("AWS4-"))
        or "X-Amz-Signature=" in url.raw_query_string
        or request.method == "CONNECT"
    ):
        return False
    for name, _ in pairs:
        if name in headers:
            return False
    for name, value in current.added:
        headers[name] = value
        if name not in made:
            made.add(name)
    counts.injected += 1
    return True


def _restore(headers: Any) -> None:
    """Put back what the request had of its own where it has values that were added."""
    for name in tuple(made):  # which another thread may add to
        if type(value := headers.get(name)) is Added:
            headers.popall(name)
            for own in getattr(value, "own", ()):
                headers.add(name, own)


def _decide(request: Any) -> None:
    headers = request.headers
    _restore(headers)
    if request.method == "CONNECT":
        return
    url = request.url
    carried = sending(url.raw_host or "", headers.get("Authorization") or "", url.raw_query_string)
    if carried is not None:
        add(headers, carried)


def add(headers: Any, carried: Carried) -> None:
    """Add what is carried to the headers of a request, a ``CIMultiDict``, as values that are known again."""

    def existing(name: str) -> str | None:
        return ",".join(headers.getall(name)) if name in headers else None

    for name, value in _runtime.wire.additions(carried, existing):
        added = Added(value)
        added.own = headers.getall(name, [])
        headers[name] = added
        made.add(name)
