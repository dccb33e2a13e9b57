"""urllib.request: every opener makes its requests on ``http.client``, where each hop of a redirect is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._patching import Patcher


def install(request: Any, patch: Patcher) -> None:
    """Nothing of its own: the patch of ``http.client`` serves it."""
