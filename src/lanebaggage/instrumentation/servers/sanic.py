"""Sanic: the ``request_handler`` of each connection on its own server, ``Sanic.__call__`` under an ASGI server.

Sanic compiles ``Sanic.handle_request`` anew from its source when it starts, so a patch of that method would be lost. Its
server answers a request that times out, or whose client goes away, on its own, so ``Http.error_response`` enters the lane
as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import UNSET
from . import _asgi, _serve

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract where a request is handled, and where its error is."""
    if module.__name__ == "sanic.app":
        patch.method(module.Sanic, "__call__", _asgi.call)
    elif module.__name__ == "sanic.http.http1":
        patch.method(module.Http, "error_response", _serve.serving_async(_of_http))
    else:
        patch.method(module.HttpProtocolMixin, "_setup", _setup)


def _setup(original: Any, gate: Gate) -> Any:
    def _setup(self: Any) -> None:
        original(self)
        if gate.on:
            try:
                self.request_handler = _serve.serving_async(_of_request)(self.request_handler, gate)
            except Exception:
                gate.failed()

    return _setup


def _of_request(request: Any) -> Carried | None:
    return _serve.pairs(request.headers.items())


def _of_http(http: Any, *_: Any) -> Carried | None:
    return UNSET if http.request is None else _of_request(http.request)
