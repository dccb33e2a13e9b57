"""Django: ``WSGIHandler.__call__`` and ``ASGIHandler.__call__``, outside every middleware; and its test clients' handlers.

Neither depends on ``settings.MIDDLEWARE``, and no setting is read. A streaming response is iterated in its request's lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in the handlers that the module has."""
    if module.__name__ == "django.core.handlers.wsgi":
        patch.method(module.WSGIHandler, "__call__", _wsgi.call)
    elif module.__name__ == "django.core.handlers.asgi":
        patch.method(module.ASGIHandler, "__call__", _asgi.call)
    else:
        patch.method(module.ClientHandler, "__call__", _serve.serving(lambda _, environ: _wsgi.read(environ)))
        patch.method(module.AsyncClientHandler, "__call__", _serve.serving_async(lambda _, scope: _asgi.read(scope)))
