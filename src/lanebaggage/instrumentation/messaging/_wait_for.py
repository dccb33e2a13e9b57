"""``asyncio.wait_for`` before Python 3.12, which runs what it waits for in a task of its own.

A pull that is awaited through it would hand its message out in that task only. Here the lane that the pull left current
there becomes current in the task that waits, too. From 3.12 on, ``wait_for`` awaits in the caller's own task.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED
from ._messages import Handed, ask

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(patch: Patcher) -> None:
    """Hand out through ``asyncio.wait_for``, by both names that it is called by."""
    if sys.version_info < (3, 12):
        patch.method(asyncio, "wait_for", _wait_for)
        patch.method(asyncio.tasks, "wait_for", _wait_for)


def _wait_for(original: Any, gate: Gate) -> Any:
    async def wait_for(fut: Any, timeout: Any, **kwargs: Any) -> Any:
        if not gate.on or not asyncio.iscoroutine(fut):
            return await original(fut, timeout, **kwargs)
        fut = _Watched(fut)
        try:
            return await original(fut, timeout, **kwargs)
        finally:
            if fut.asked or fut.handed is not None:
                ask()
            if fut.handed is not None:
                CARRIED.set(Handed(fut.handed, CARRIED.get(), fut.handed.source))

    return wait_for


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that remembers whether it asked for a message and which lane it was handed."""

    __slots__ = ("_coroutine", "asked", "handed")

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine
        self.asked = False
        self.handed: Handed | None = None

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *exception: Any) -> Any:
        return self._step(self._coroutine.throw, *exception)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        return self._coroutine.__await__()

    def _step(self, step: Any, *args: Any) -> Any:
        before = CARRIED.get()
        try:
            return step(*args)
        finally:
            after = CARRIED.get()
            if after is not before:
                self.asked = self.asked or type(before) is Handed
                self.handed = after if type(after) is Handed else None
