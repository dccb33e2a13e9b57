"""Flask: ``Flask.__call__``, looked up on the class by every server, so that earlier apps and subclasses are covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _wsgi

if TYPE_CHECKING:
    from .._patching import Patcher


def install(app: Any, patch: Patcher) -> None:
    """Extract in ``Flask.__call__``: outside every middleware that was put around ``wsgi_app``."""
    patch.method(app.Flask, "__call__", _wsgi.call)
