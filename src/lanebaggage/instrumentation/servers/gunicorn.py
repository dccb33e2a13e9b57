"""gunicorn: the workers' methods that serve one request: sync, gthread, gevent (and what else is based on it), and asgi.

The worker's hooks (``pre_request``, ``post_request``) and its access log have the lane, too. The environ, or scope, is made
inside of these methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

_METHODS = {
    "gunicorn.workers.sync": ("SyncWorker", ("handle_request",)),
    "gunicorn.workers.gthread": ("ThreadWorker", ("handle_request", "handle_http2_request")),
    "gunicorn.workers.base_async": ("AsyncWorker", ("handle_request", "handle_http2_request")),
    "gunicorn.asgi.protocol": ("ASGIProtocol", ("_handle_http_request", "_handle_http2_request", "_handle_websocket")),
}
_SCOPES = ("_build_http_scope", "_build_http2_scope", "_build_websocket_scope")


def install(module: Any, patch: Patcher) -> None:
    """Extract in what serves a request, mark in what makes its environ or scope."""
    if module.__name__ == "gunicorn.http.wsgi":
        patch.method(module, "create", _serve.marking(lambda made: made[1]))
        return
    owner_name, methods = _METHODS[module.__name__]
    owner = getattr(module, owner_name)
    asgi = owner_name == "ASGIProtocol"
    serving = _serve.serving_async(_carried, _through_asgi) if asgi else _serve.serving(_carried, _through_wsgi)
    for name in methods:
        if name == methods[0] or hasattr(owner, name):
            patch.method(owner, name, serving)
    if asgi:
        for name in _SCOPES:
            patch.method(owner, name, _serve.marking(lambda scope: scope))


def _through_wsgi(worker: Any, gate: Gate) -> None:
    _serve.answering(worker, "wsgi", _wsgi.application, gate)


def _through_asgi(protocol: Any, gate: Gate) -> None:
    _serve.answering(protocol, "app", _asgi.application, gate)


def _carried(_worker: Any, *args: Any, **_: Any) -> Any:
    request = next(value for value in args if hasattr(value, "headers"))
    return _serve.pairs(request.headers)
