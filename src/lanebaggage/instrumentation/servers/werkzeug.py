"""Werkzeug's development server: ``WSGIRequestHandler.run_wsgi``, which calls a bare WSGI callable and sends its body.

All of it serves one request in one thread, so the lane is current throughout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, reset

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(serving: Any, patch: Patcher) -> None:
    """Extract in ``WSGIRequestHandler.run_wsgi``."""
    patch.method(serving.WSGIRequestHandler, "run_wsgi", _run_wsgi)


def _run_wsgi(original: Any, gate: Gate) -> Any:
    def run_wsgi(self: Any) -> Any:
        if not gate.on:
            return original(self)
        try:
            carried = _runtime.wire.from_pairs(self.headers.items())
        except Exception:
            gate.failed()
            return original(self)
        token = CARRIED.set(carried)
        try:
            return original(self)
        finally:
            reset(token)

    return run_wsgi
