"""uvicorn: ``run_asgi`` of each HTTP and websocket protocol, which calls a bare ASGI callable in a task of its own.

A bare WSGI callable (``--interface wsgi``) is called by ``WSGIResponder.wsgi`` in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

_OWNERS = {
    "h11_impl": "RequestResponseCycle",
    "httptools_impl": "RequestResponseCycle",
    "zttp_impl": "RequestResponseCycle",
    "zttp_h2_impl": "RequestResponseCycle",
    "websockets_impl": "WebSocketProtocol",
    "websockets_sansio_impl": "WebSocketsSansIOProtocol",
    "wsproto_impl": "WSProtocol",
}


def install(module: Any, patch: Patcher) -> None:
    """Extract from the scope that the protocol holds when it runs the application, or from the environ made of it."""
    if module.__name__ == "uvicorn.middleware.wsgi":
        patch.method(module.WSGIResponder, "wsgi", _serve.serving(lambda _, environ, *__: _wsgi.read(environ), _through))
        return
    patch.method(getattr(module, _OWNERS[module.__name__.rpartition(".")[2]]), "run_asgi", _asgi.running)


def _through(responder: Any, gate: Gate) -> None:
    _serve.answering(responder, "app", _wsgi.application, gate)
