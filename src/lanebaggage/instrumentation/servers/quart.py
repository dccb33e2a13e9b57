"""Quart: ``Quart.__call__``, outside every middleware that was put around ``asgi_app``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(app: Any, patch: Patcher) -> None:
    """Extract in ``Quart.__call__``."""
    patch.method(app.Quart, "__call__", _asgi.call)
