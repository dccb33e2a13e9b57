"""Django Channels: ``__call__`` of routers, middlewares and consumers; whichever is outermost enters the lane.

A consumer keeps the lane of its connection, also when a message of another one reaches it through a channel layer. A
worker's consumer (scope type ``channel``) has no request and no lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi

if TYPE_CHECKING:
    from .._patching import Patcher

_CLASSES = {
    "channels.routing": ("ProtocolTypeRouter", "URLRouter"),
    "channels.middleware": ("BaseMiddleware",),
    "channels.sessions": ("CookieMiddleware", "SessionMiddleware"),
    "channels.security.websocket": ("OriginValidator",),
    "channels.consumer": ("AsyncConsumer",),
}


def install(module: Any, patch: Patcher) -> None:
    """Extract in ``__call__`` of the module's applications."""
    for name in _CLASSES[module.__name__]:
        patch.method(getattr(module, name), "__call__", _asgi.call)
