"""Werkzeug's development server: ``WSGIRequestHandler.run_wsgi``, which calls a bare WSGI callable and sends its body.

All of it serves one request in one thread, so the lane is current throughout. The environ is made inside of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(serving: Any, patch: Patcher) -> None:
    """Extract in ``WSGIRequestHandler.run_wsgi``, mark in ``make_environ``."""
    patch.method(
        serving.WSGIRequestHandler, "run_wsgi", _serve.serving(lambda self: _serve.pairs(self.headers.items()), _through)
    )
    patch.method(serving.WSGIRequestHandler, "make_environ", _serve.marking(lambda environ: environ))


def _through(handler: Any, gate: Gate) -> None:
    _serve.answering(handler.server, "app", _wsgi.application, gate)
