"""Litestar: ``Litestar.__call__``, outside every middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(app: Any, patch: Patcher) -> None:
    """Extract in ``Litestar.__call__``."""
    patch.method(app.Litestar, "__call__", _asgi.call)
