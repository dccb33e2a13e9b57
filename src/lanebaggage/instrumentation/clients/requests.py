"""requests: ``Session.send`` where an adapter does not end in ``http.client``, whose patch serves all others.

requests' own adapter makes its wire requests on ``http.client``, where each hop and each retry is decided, and the caller's
``PreparedRequest`` stays as it is. Mocks (responses, requests-mock) and adapters of other kinds never come there: for them
the headers go onto a copy of the request, in ``Session.send``, through which every hop of a redirect passes. Their values
are of a class of our own, which survives ``PreparedRequest.copy()``: a redirect, or a request taken from an answer and sent
again, drops what an earlier hop added and is decided anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending, text
from ..._policy import host_of
from ..._wire import Added

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate, Patcher


made = False
"""Whether there ever was such a value, so that requests have to be searched for one."""


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``Session.send``, and in the ``send`` that requests-mock took at its import to call it instead."""
    if hasattr(module, "SessionRedirectMixin"):
        patch.method(module.Session, "send", _sender(module))
    else:
        patch.method(module, "_original_send", _sender(module.requests.sessions, mocked=True))


def _sender(sessions: Any, *, mocked: bool = False) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        get = CARRIED.get

        def send(self: Any, request: Any, **kwargs: Any) -> Any:
            if gate.on and (get() is not None or made):
                try:
                    if made or mocked or not _ends_in_http_client(self, sessions):
                        request = _with_headers(request)
                except Exception:
                    gate.failed()
            return original(self, request, **kwargs)

        return send

    return make


own_send: Any = None
"""requests' own ``HTTPAdapter.send``, once it was seen."""


def _ends_in_http_client(session: Any, sessions: Any) -> bool:
    """Whether the session has requests' own adapters only, and nobody has put a mock in their place."""
    own = sessions.HTTPAdapter
    for adapter in session.adapters.values():
        if type(adapter) is not own:
            return False
    return (
        (own.send is own_send or _is_own(own))
        and type(session).get_adapter is sessions.Session.get_adapter
        and "http.client" not in _runtime.settings.disabled
    )


def _is_own(adapter: Any) -> bool:
    global own_send
    if getattr(adapter.send, "__globals__", {}).get("__name__") != adapter.__module__:
        return False
    own_send = adapter.send
    return True


def _with_headers(request: Any) -> Any:
    """The request, or a copy of it with the headers that this hop gets and without those of an earlier one."""
    global made
    headers: Any = getattr(request, "headers", None)
    url = getattr(request, "url", None)
    if headers is None or not isinstance(url, str):
        return request  # requests is about to say that it is not prepared
    stale = [(name, value.own) for name, value in headers.items() if type(value) is Added]
    carried = sending(host_of(url), headers.get("authorization") or "", url)
    if not stale and carried is None:
        return request
    headers = headers.copy()
    for name, own in stale:
        del headers[name]
        if own is not None:
            headers[name] = own
    if carried is not None:

        def existing(name: str) -> str | None:
            value = headers.get(name)
            return None if value is None else text(value)

        for name, value in _runtime.wire.additions(carried, existing):
            added = Added(value)
            added.own = headers.get(name)
            headers[name] = added
            made = True
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.headers = headers
    return copy
