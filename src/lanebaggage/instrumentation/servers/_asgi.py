"""ASGI: a request's or websocket's lane is current while the application runs: handlers, streams and background tasks.

The scope's type and headers are looked at without assuming that they are there; other scope types pass by untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, UNSET
from ._serve import ENTERED

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Gate

_SERVED = ("http", "websocket")


def read(scope: Any) -> Carried | None:
    """What a request carries; its scope is marked. ``UNSET`` where there is nothing to enter."""
    if scope.get("type") not in _SERVED or (ENTERED in scope and CARRIED.get() is not UNSET):
        return UNSET
    headers = scope.get("headers") or ()
    if type(headers) is not list and type(headers) is not tuple:
        headers = scope["headers"] = [tuple(pair) for pair in headers]  # ASGI allows any iterables, those read once included
    carried = _runtime.wire.from_raw(headers)
    scope[ENTERED] = True
    return carried


def call(original: Any, gate: Gate) -> Any:
    """A replacement for ``__call__(self, scope, receive, send)`` of an application class."""
    get, enter, leave = CARRIED.get, CARRIED.set, CARRIED.reset

    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        if not gate.on:
            return await original(self, scope, receive, send)
        serve = original
        try:
            carried = UNSET if ENTERED in scope and get() is not UNSET else read(scope)
            if _runtime.answers is not None:
                serve = _runtime.answers.asgi(original, scope, CARRIED.get() if carried is UNSET else carried)
        except Exception:
            gate.failed()
            carried = UNSET
        if carried is UNSET:
            return await serve(self, scope, receive, send)
        token = enter(carried)
        try:
            return await serve(self, scope, receive, send)
        finally:
            try:  # as reset() does, without the call
                leave(token)
            except (ValueError, RuntimeError):
                pass

    return __call__


def running(original: Any, gate: Gate) -> Any:
    """A replacement for a server's method that runs the application, its first argument or its own, for ``self.scope``."""
    enter, leave = CARRIED.set, CARRIED.reset

    async def run_asgi(self: Any, *args: Any) -> Any:
        if not gate.on:
            return await original(self, *args)
        try:
            carried = read(self.scope)
            if _runtime.answers is not None and args:
                args = (_runtime.answers.asgi(args[0], self.scope, carried), *args[1:])
        except Exception:
            gate.failed()
            carried = UNSET
        if carried is UNSET:
            return await original(self, *args)
        token = enter(carried)
        try:
            return await original(self, *args)
        finally:
            try:
                leave(token)
            except (ValueError, RuntimeError):
                pass

    return run_asgi


def application(app: Any, gate: Gate) -> Any:
    """An ASGI callable that enters the lane, for servers that are handed a bare callable."""
    entered = call(_run, gate)

    async def in_lane(scope: Any, receive: Any, send: Any) -> Any:  # a function: servers tell ASGI 3 from 2 by its looks
        return await entered(app, scope, receive, send)

    return in_lane


def _run(app: Any, scope: Any, receive: Any, send: Any) -> Any:
    return app(scope, receive, send)
