"""aiohttp: ``ClientRequest.send``, run per redirect hop, retry and websocket handshake, below every client middleware.

The request object is aiohttp's own, one per hop, and its headers are a copy of what the caller gave. A middleware may send
one twice: the object knows what was added to it. ``CONNECT`` to a proxy gets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

ADDED = "_lanebaggage_added"
"""On a request: the names of what was added, each with the values that the request had of its own."""

mocked = False
"""Whether aioresponses was ever there, so that requests may come with values of ours."""


class Ours(str):
    """A value that was added for a mock."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``ClientRequest.send``."""
    patch.method(module.ClientRequest, "send", _send)


def _send(original: Any, gate: Gate) -> Any:
    def send(self: Any, *args: Any, **kwargs: Any) -> Any:  # hands on the original's coroutine: one around it would be felt
        if gate.on and (CARRIED.get() is not None or hasattr(self, ADDED)):
            try:
                _inject(self)
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return send


def _inject(request: Any) -> None:
    if request.method == "CONNECT":
        return
    headers = request.headers
    if hasattr(request, ADDED):  # its __dict__ is not asked: each attribute of an object that was costs more from then on
        for name, values in getattr(request, ADDED).items():
            headers.popall(name, None)
            for value in values:
                headers.add(name, value)
        delattr(request, ADDED)
    if mocked:
        for name in [name for name, value in headers.items() if type(value) is Ours]:
            headers.popall(name, None)
    url = request.url
    carried = sending(url.raw_host or "", headers.get("Authorization") or "", url.raw_query_string)
    if carried is None:
        return

    def existing(name: str) -> str | None:
        return ",".join(headers.getall(name)) if name in headers else None

    added = {}
    for name, value in _runtime.wire.additions(carried, existing):
        added[name] = headers.getall(name, [])
        headers[name] = value
    setattr(request, ADDED, added)
