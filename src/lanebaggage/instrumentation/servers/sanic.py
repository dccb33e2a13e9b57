"""Sanic: ``Sanic.handle_request`` on its own server, ``Sanic.__call__`` under an ASGI server.

Sanic's server calls ``handle_exception`` on its own when a request times out or its client goes away, so the lane is
entered there as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, UNSET
from . import _asgi, _serve

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Patcher


def install(app: Any, patch: Patcher) -> None:
    """Extract where a request is handled, and where its error is."""
    patch.method(app.Sanic, "__call__", _asgi.call)
    patch.method(app.Sanic, "handle_request", _serve.serving_async(_request))
    patch.method(app.Sanic, "handle_exception", _serve.serving_async(_error))


def _request(_app: Any, request: Any) -> Carried | None:
    if _serve.ENTERED in getattr(request.transport, "scope", ()):
        return UNSET
    return _serve.pairs(request.headers.items())


def _error(_app: Any, request: Any, *_: Any, **__: Any) -> Carried | None:
    return UNSET if CARRIED.get() is not UNSET else _serve.pairs(request.headers.items())
