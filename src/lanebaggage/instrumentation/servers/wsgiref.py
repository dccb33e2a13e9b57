"""wsgiref: ``BaseHandler.run``, which is handed the application, so that a bare WSGI callable is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(handlers: Any, patch: Patcher) -> None:
    """Extract in the application that ``BaseHandler.run`` is handed."""
    patch.method(handlers.BaseHandler, "run", _run)


def _run(original: Any, gate: Gate) -> Any:
    def run(self: Any, application: Any) -> Any:
        return original(self, _wsgi.application(application, gate))

    return run
