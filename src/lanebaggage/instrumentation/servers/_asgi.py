"""ASGI: a request's or websocket's lane is current while the application runs: handlers, streams and background tasks.

The scope's type and headers are looked at without assuming that they are there; other scope types pass by untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, reset

if TYPE_CHECKING:
    from .._patching import Gate

ENTERED = "lanebaggage.entered"
"""In the scope of a request whose lane is current already, so that a mounted application does not enter it again."""

_SERVED = ("http", "websocket")


def call(original: Any, gate: Gate) -> Any:
    """A replacement for ``__call__(self, scope, receive, send)`` of an application class."""

    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        if not gate.on or scope.get("type") not in _SERVED or ENTERED in scope:
            return await original(self, scope, receive, send)
        try:
            scope[ENTERED] = True
            carried = _runtime.wire.from_raw(scope.get("headers") or ())
            serve = original if _runtime.answers is None else _runtime.answers.asgi(original, scope, carried)
        except Exception:
            gate.failed()
            return await original(self, scope, receive, send)
        token = CARRIED.set(carried)
        try:
            return await serve(self, scope, receive, send)
        finally:
            reset(token)

    return __call__


def running(original: Any, gate: Gate) -> Any:
    """A replacement for a server's method that runs the application for ``self.scope``."""

    async def run_asgi(self: Any, *args: Any) -> Any:
        if not gate.on:
            return await original(self, *args)
        try:
            self.scope[ENTERED] = True
            carried = _runtime.wire.from_raw(self.scope.get("headers") or ())
            if _runtime.answers is not None and args:
                args = (_runtime.answers.asgi(args[0], self.scope, carried), *args[1:])
        except Exception:
            gate.failed()
            return await original(self, *args)
        token = CARRIED.set(carried)
        try:
            return await original(self, *args)
        finally:
            reset(token)

    return run_asgi
