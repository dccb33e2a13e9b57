"""Taskiq: ``AsyncKicker.kiq`` adds the pass-through headers to the task's labels; ``Receiver.run_task`` enters the lane.

A task that is scheduled for one time is in the lane of whoever scheduled it; one that is scheduled by cron or interval
belongs to no request and gets none.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, reset
from ..._hop import read
from . import _messages

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``kiq`` and ``schedule_by_time``; extract in ``run_task``."""
    if hasattr(module, "Receiver"):
        patch.method(module.Receiver, "run_task", _run_task)
    else:
        patch.method(module.AsyncKicker, "kiq", _kick)
        patch.method(module.AsyncKicker, "schedule_by_time", _kick)


def _kick(original: Any, gate: Gate) -> Any:
    async def kick(self: Any, *args: Any, **kwargs: Any) -> Any:
        kicker = self
        if gate.on:
            try:
                labels = _messages.with_headers(self.labels)
                if labels is not None:
                    kicker = copy(self)
                    kicker.labels = labels
            except Exception:
                gate.failed()
        return await original(kicker, *args, **kwargs)

    return kick


def _run_task(original: Any, gate: Gate) -> Any:
    async def run_task(self: Any, target: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return await original(self, target, message, *args, **kwargs)
        try:
            arrived = read(message.labels)
        except Exception:
            gate.failed()
            arrived = None
        token = CARRIED.set(arrived)
        try:
            return await original(self, target, message, *args, **kwargs)
        finally:
            reset(token)

    return run_task
