"""Starlette: ``Starlette.__call__``, outside its middleware stack, so that every middleware has the lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(applications: Any, patch: Patcher) -> None:
    """Extract in ``Starlette.__call__``."""
    patch.method(applications.Starlette, "__call__", _asgi.call)
