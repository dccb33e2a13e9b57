"""hypercorn: the wrappers around a bare ASGI or WSGI callable, for HTTP/1.1, HTTP/2 and HTTP/3, on asyncio and on trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(app_wrappers: Any, patch: Patcher) -> None:
    """Extract in ``ASGIWrapper.__call__``, and in ``WSGIWrapper.run_app``, which serves a request in a thread of its own."""
    patch.method(app_wrappers.ASGIWrapper, "__call__", _call)
    patch.method(app_wrappers.WSGIWrapper, "run_app", _serve.serving(lambda _, environ, *__: _wsgi.read(environ), _through))


def _through(wrapper: Any, gate: Gate) -> None:
    _serve.answering(wrapper, "app", _wsgi.application, gate)


def _call(original: Any, gate: Gate) -> Any:
    async def __call__(self: Any, scope: Any, receive: Any, send: Any, *spawns: Any) -> Any:
        async def wrapped(_: Any, scope: Any, receive: Any, send: Any) -> Any:
            return await original(self, scope, receive, send, *spawns)

        return await _asgi.call(wrapped, gate)(self, scope, receive, send)

    return __call__
