"""Bottle: ``Bottle.__call__``, which the default application and mounted ones go through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _wsgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(bottle: Any, patch: Patcher) -> None:
    """Extract in ``Bottle.__call__``."""
    patch.method(bottle.Bottle, "__call__", _wsgi.call)
