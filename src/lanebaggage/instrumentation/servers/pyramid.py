"""Pyramid: ``Router.__call__``, outside every tween; ``invoke_subrequest`` stays in the lane of the request that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _wsgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(router: Any, patch: Patcher) -> None:
    """Extract in ``Router.__call__``."""
    patch.method(router.Router, "__call__", _wsgi.call)
