"""FastAPI: ``FastAPI.__call__`` ends in Starlette's, whose patch serves it: one entry less on the way of each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._patching import Patcher


def install(applications: Any, patch: Patcher) -> None:
    """Nothing of its own: the patch of Starlette serves it."""
