"""WSGI: a request's lane is current in the application, and in its body wherever that is iterated.

The lane is set and put back around the call and around each ``next()`` and ``close()`` of the body (PEP 3333), so that
between chunks the server's thread has none, and no token outlives a call. A list or tuple body, a file, and the body of a
request that carries nothing are returned as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..._wire import Carried
    from .._patching import Gate

ENTERED = "lanebaggage.entered"
"""In the environ of a request whose lane is current already, so that a nested application does not enter it again."""


def serve(application: Callable[[Any, Any], Any], gate: Gate, environ: Any, start_response: Any) -> Any:
    """Call a WSGI application in the lane of its request."""
    try:
        environ[ENTERED] = True
        carried = _runtime.wire.from_environ(environ)
        if _runtime.answers is not None:
            application, start_response = _runtime.answers.wsgi(application, environ, start_response, carried)
    except Exception:
        gate.failed()
        return application(environ, start_response)
    token = CARRIED.set(carried)
    try:
        body = application(environ, start_response)
    finally:
        reset(token)
    if carried is None or type(body) is list or type(body) is tuple:
        return body
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type) and isinstance(body, wrapper):
        return body
    return (SizedBody if hasattr(body, "__len__") else Body)(body, carried)


def call(original: Any, gate: Gate) -> Any:
    """A replacement for ``__call__(self, environ, start_response)`` of an application class."""

    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        if not gate.on or ENTERED in environ:
            return original(self, environ, start_response)
        return serve(original.__get__(self), gate, environ, start_response)

    return __call__


def application(app: Callable[[Any, Any], Any], gate: Gate) -> Callable[[Any, Any], Any]:
    """A WSGI callable that enters the lane, for servers that are handed a bare callable."""

    def in_lane(environ: Any, start_response: Any) -> Any:
        if not gate.on or ENTERED in environ:
            return app(environ, start_response)
        return serve(app, gate, environ, start_response)

    return in_lane


class Body:
    """A response body whose every step runs in its request's lane, in whichever thread."""

    __slots__ = ("_body", "_carried", "_next")

    def __init__(self, body: Any, carried: Carried) -> None:
        self._body = body
        self._carried: Carried | None = carried
        self._next: Callable[[], Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        token = CARRIED.set(self._carried)
        try:
            if self._next is None:
                self._next = iter(self._body).__next__
            return self._next()
        finally:
            self._carried = CARRIED.get()  # a generator that enters another lane finds it again after its yield
            reset(token)

    def close(self) -> None:
        """Close the body, where it can be closed, in the request's lane."""
        close = getattr(self._body, "close", None)
        if close is not None:
            token = CARRIED.set(self._carried)
            try:
                close()
            finally:
                reset(token)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class SizedBody(Body):
    """A body that knows its length, from which a server may conclude ``Content-Length``."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)
