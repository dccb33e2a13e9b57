"""aiohttp.web: ``RequestHandler._handle_request``, which runs a request's handler and sends its answer.

It is below ``Application._handle``, so that sub-applications, middlewares, low-level servers (``web.Server``), websockets and
bodies that are made while they are sent have the lane, on servers that are running already, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _serve

if TYPE_CHECKING:
    from .._patching import Patcher


def install(web_protocol: Any, patch: Patcher) -> None:
    """Extract in ``RequestHandler._handle_request``."""
    patch.method(web_protocol.RequestHandler, "_handle_request", _serve.serving_async(_carried))


def _carried(_self: Any, request: Any, *_: Any, **__: Any) -> Any:
    return _serve.pairs(request.headers.items())
