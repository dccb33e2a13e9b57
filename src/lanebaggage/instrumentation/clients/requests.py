"""requests: ``Session.send`` where an adapter does not end in ``http.client``, whose patch serves all others.

requests' own adapter makes its wire requests on ``http.client``, where each hop and each retry is decided, and the caller's
``PreparedRequest`` stays as it is. Mocks (responses, requests-mock) and adapters of other kinds never come there: for them
the headers go onto a copy of the request, in ``Session.send``, through which every hop of a redirect passes. The copy's
headers are of a class whose ``copy()`` leaves out what was added, so that ``PreparedRequest.copy()`` carries none to the
next hop; and a copy that is sent again, taken from a response, is decided anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending, text
from ..._policy import host_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``Session.send``, and in the ``send`` that requests-mock took at its import to call it instead."""
    if hasattr(module, "SessionRedirectMixin"):
        patch.method(module.Session, "send", _sender(module))
    else:
        patch.method(module, "_original_send", _sender(module.requests.sessions, mocked=True))


def _sender(sessions: Any, *, mocked: bool = False) -> Callable[[Any, Gate], Any]:
    headers_type = _headers_type(sessions.Session().headers.__class__)

    def make(original: Any, gate: Gate) -> Any:
        def send(self: Any, request: Any, **kwargs: Any) -> Any:
            if gate.on and (CARRIED.get() is not None or type(getattr(request, "headers", None)) is headers_type):
                try:
                    if mocked or not _ends_in_http_client(self, sessions):
                        request = _with_headers(request, headers_type)
                except Exception:
                    gate.failed()
            return original(self, request, **kwargs)

        return send

    return make


def _ends_in_http_client(session: Any, sessions: Any) -> bool:
    """Whether the session has requests' own adapters only, and nobody has put a mock in their place."""
    own = sessions.HTTPAdapter
    for adapter in session.adapters.values():
        if type(adapter) is not own:
            return False
    return (
        getattr(own.send, "__globals__", {}).get("__name__") == own.__module__
        and type(session).get_adapter is sessions.Session.get_adapter
        and "http.client" not in _runtime.settings.disabled
    )


def _with_headers(request: Any, headers_type: Any) -> Any:
    """A copy of the request with the headers that this hop gets, without those of an earlier one."""
    headers = getattr(request, "headers", None)
    url = getattr(request, "url", None)
    if headers is None or not isinstance(url, str):
        return request  # requests is about to say that it is not prepared
    if type(headers) is headers_type:
        headers = headers.copy()
    carried = sending(host_of(url), headers.get("authorization") or "", url)
    added = []
    if carried is not None:

        def existing(name: str) -> str | None:
            value = headers.get(name)
            return None if value is None else text(value)

        added = _runtime.wire.additions(carried, existing)
    if not added and headers is request.headers:
        return request
    copy = object.__new__(type(request))
    copy.__dict__.update(request.__dict__)
    copy.headers = headers_type(headers, added) if added else headers
    return copy


def _headers_type(plain: Any) -> Any:
    class Headers(plain):  # type: ignore[misc] # requests.structures.CaseInsensitiveDict
        """A hop's headers: the request's own, and those added, which no copy takes along."""

        def __init__(self, own: Any, added: list[tuple[str, str]]) -> None:
            super().__init__(own)
            self._own = own
            self.update(added)
            self._added = dict(added)

        def copy(self) -> Any:
            left = plain(self)
            for name, value in self._added.items():
                if left.get(name) == value:
                    del left[name]
                    if name in self._own:
                        left[name] = self._own[name]
            return left

        def __reduce__(self) -> Any:
            return plain, (list(self.items()),)

    return Headers
