"""requests: ``Session.send``, through which the first request and each hop of a redirect go, mocks and adapters below it.

The header goes onto a copy, never onto the caller's ``PreparedRequest``. Its value is of a class of our own, which survives
``PreparedRequest.copy()``, so that a redirect, or a request taken from a response and sent again, drops what an earlier
hop added and is decided anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending, text
from ..._policy import host_of

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


class Ours(str):
    """A header's value that this library added."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def install(sessions: Any, patch: Patcher) -> None:
    """Inject in ``Session.send``."""
    patch.method(sessions.Session, "send", _send)


def _send(original: Any, gate: Gate) -> Any:
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                request = _with_headers(request)
            except Exception:
                gate.failed()
        return original(self, request, **kwargs)

    return send


def _with_headers(request: Any) -> Any:
    """The request, or a copy of it with the headers that this hop gets and without those of an earlier one."""
    headers: Any = getattr(request, "headers", None)
    url = getattr(request, "url", None)
    if headers is None or not isinstance(url, str):
        return request  # requests is about to say that it is not prepared
    stale = [name for name, value in headers.items() if type(value) is Ours]
    if not stale and CARRIED.get() is None:
        return request
    carried = sending(host_of(url), headers.get("authorization") or "", url, asked_below=True)
    if not stale and carried is None:
        return request
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.headers = headers.copy()
    for name in stale:
        del copy.headers[name]
    if carried is not None:

        def existing(name: str) -> str | None:
            value = copy.headers.get(name)
            return None if value is None else text(value)

        for name, value in _runtime.wire.additions(carried, existing):
            copy.headers[name] = Ours(value)
    return copy
