"""WSGI: a request's lane is current in the application, and in its body wherever that is iterated.

The lane is set and put back around the call and around each ``next()`` and ``close()`` of the body (PEP 3333), so that
between chunks the server's thread has none, and no token outlives a call. A list or tuple body, a file, and the body of a
request that carries nothing are returned as they are.
"""

from __future__ import annotations

from io import IOBase
from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, UNSET, reset
from ._serve import ENTERED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..._wire import Carried
    from .._patching import Gate


_FILE: Any = IOBase.__base__
"""The base of all files, which is asked in a fifth of the time that the abstract class takes."""


def read(environ: Any) -> Carried | None:
    """What a request carries; its environ is marked."""
    carried = _runtime.wire.from_environ(environ)
    environ[ENTERED] = True
    return carried


def serve(application: Callable[..., Any], gate: Gate, environ: Any, *args: Any) -> Any:
    """Call a WSGI application in the lane of its request.

    :param application: called with ``args``, the last two of which are those of a WSGI application.
    :param environ: of the request.
    """
    if not gate.on:
        return application(*args)
    try:
        entered = ENTERED in environ and CARRIED.get() is not UNSET
        carried = CARRIED.get() if entered else read(environ)
        if _runtime.answers is not None:
            application, start_response = _runtime.answers.wsgi(application, environ, args[-1], carried)
            args = (*args[:-1], start_response)
    except Exception:
        gate.failed()
        return application(*args)
    if entered:
        return application(*args)
    token = CARRIED.set(carried)
    try:
        body = application(*args)
    finally:
        reset(token)
    return _streamed(body, environ, carried)


def call(original: Any, gate: Gate) -> Any:
    """A replacement for ``__call__(self, environ, start_response)`` of an application class; does by itself what is usual."""
    enter, leave = CARRIED.set, CARRIED.reset

    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        if gate.on and _runtime.answers is None:
            carried: Any = UNSET
            try:
                if ENTERED not in environ:
                    carried = _runtime.wire.from_environ(environ)
                    environ[ENTERED] = True
            except Exception:
                gate.failed()
                return original(self, environ, start_response)
            if carried is not UNSET:
                token = enter(carried)
                try:
                    body = original(self, environ, start_response)
                finally:
                    leave(token)
                return body if type(body) is list else _streamed(body, environ, carried)
        return serve(original, gate, environ, self, environ, start_response)

    return __call__


def application(app: Callable[[Any, Any], Any], gate: Gate) -> Callable[[Any, Any], Any]:
    """A WSGI callable that enters the lane, for servers that are handed a bare callable."""

    def in_lane(environ: Any, start_response: Any) -> Any:
        return serve(app, gate, environ, environ, start_response)

    return in_lane


def _streamed(body: Any, environ: Any, carried: Carried | None) -> Any:
    if type(body) is list or type(body) is tuple or isinstance(body, _FILE):
        return body
    if carried is None and ((outer := CARRIED.get()) is None or outer is UNSET):
        return body
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type) and isinstance(body, wrapper):
        return body
    return (SizedBody if hasattr(body, "__len__") else Body)(body, carried)


class Body:
    """A response body whose every step runs in its request's lane, in whichever thread."""

    __slots__ = ("_body", "_carried", "_next")

    def __init__(self, body: Any, carried: Carried | None) -> None:
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
            CARRIED.reset(token)

    def close(self) -> None:
        """Close the body, where it can be closed, in the request's lane."""
        close = getattr(self._body, "close", None)
        if close is not None:
            token = CARRIED.set(self._carried)
            try:
                close()
            finally:
                CARRIED.reset(token)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def __bytes__(self) -> bytes:  # which Django's responses have
        return bytes(self._body)


class SizedBody(Body):
    """A body that knows its length, from which a server may conclude ``Content-Length``."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)
