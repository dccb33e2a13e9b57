"""Falcon: ``falcon.App.__call__`` and ``falcon.asgi.App.__call__``, outside every middleware; subclasses included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi, _wsgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in ``App.__call__``, of WSGI or ASGI."""
    patch.method(module.App, "__call__", _asgi.call if "asgi" in module.__name__ else _wsgi.call)
