"""FastAPI: ``FastAPI.__call__``, which overrides Starlette's and runs code of its own before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _asgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(applications: Any, patch: Patcher) -> None:
    """Extract in ``FastAPI.__call__``."""
    patch.method(applications.FastAPI, "__call__", _asgi.call)
