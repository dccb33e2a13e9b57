"""aiohttp.web: ``RequestHandler._handle_request``, which runs a request's handler and sends its answer.

It is below ``Application._handle``, so that sub-applications, middlewares, low-level servers (``web.Server``), websockets and
bodies that are made while they are sent have the lane, on servers that are running already, too. What a setting adds to
answers goes into ``StreamResponse._prepare_headers``, through which every answer's headers go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._answers import report
from . import _serve

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in ``RequestHandler._handle_request``; add to answers in ``StreamResponse._prepare_headers``."""
    if module.__name__ == "aiohttp.web_response":
        patch.method(module.StreamResponse, "_prepare_headers", _prepare_headers)
        return
    patch.method(module.RequestHandler, "_handle_request", _handle_request)


def _handle_request(original: Any, gate: Gate) -> Any:
    in_lane = _serve.serving_async(_carried)(original, gate)

    def handle_request(self: Any, request: Any, start_time: Any, request_handler: Any) -> Any:
        if gate.on and _runtime.answers is not None and request.path == _runtime.answers.path:
            request_handler = _report
        return in_lane(self, request, start_time, request_handler)

    return handle_request


async def _report(_request: Any) -> Any:
    from aiohttp.web import Response

    headers, body = report()
    return Response(body=body, headers=headers)


def _prepare_headers(original: Any, gate: Gate) -> Any:
    def prepare_headers(self: Any) -> Any:
        if gate.on and _runtime.answers is not None:
            try:
                _runtime.answers.tell(self.headers)
            except Exception:
                gate.failed()
        return original(self)

    return prepare_headers


def _carried(_self: Any, request: Any, *_: Any, **__: Any) -> Any:
    return _serve.pairs(request.headers.items())
