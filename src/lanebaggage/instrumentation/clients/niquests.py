"""niquests: its sessions, synchronous, asynchronous or multiplexed, make their requests on urllib3-future, patched below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._patching import Patcher


def install(sessions: Any, patch: Patcher) -> None:
    """Nothing of its own: the patch of ``urllib3-future`` serves it."""
