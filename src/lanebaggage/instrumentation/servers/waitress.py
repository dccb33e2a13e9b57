"""waitress: ``WSGITask.execute``, which calls a bare WSGI callable and sends its body in one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(task: Any, patch: Patcher) -> None:
    """Extract in ``WSGITask.execute``, from the environ that the task keeps."""
    patch.method(task.WSGITask, "execute", _serve.serving(lambda self: _wsgi.read(self.get_environment()), _through))


def _through(task: Any, gate: Gate) -> None:
    _serve.answering(task.channel.server, "application", _wsgi.application, gate)
