"""gevent.pywsgi: ``WSGIHandler.run_application``, which calls a bare WSGI callable and sends its body in one greenlet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(pywsgi: Any, patch: Patcher) -> None:
    """Extract in ``WSGIHandler.run_application``."""
    patch.method(pywsgi.WSGIHandler, "run_application", _serve.serving(lambda self: _wsgi.read(self.environ), _through))


def _through(handler: Any, gate: Gate) -> None:
    _serve.answering(handler, "application", _wsgi.application, gate)
