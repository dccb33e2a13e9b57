"""gevent: a greenlet that is started has the lane of whoever starts it; a job of a gevent ``ThreadPool`` its submitter's.

``Greenlet.start`` and ``start_later`` give the greenlet a context (``gr_context``) that holds the lane and nothing else, so
that no other context variable begins to be inherited. ``spawn``, pools and subclasses go through them. A greenlet that was
given a context of its own keeps that.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, UNSET
from .._extension import opened
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Carry in ``Greenlet.start`` and ``ThreadPool.spawn``."""
    if hasattr(module, "ThreadPool"):
        patch.method(module.ThreadPool, "spawn", _spawn)
    else:
        greenlet = opened(module.Greenlet)
        patch.method(greenlet, "start", _start)
        patch.method(greenlet, "start_later", _start)


def _start(original: Any, gate: Gate) -> Any:
    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                carried = CARRIED.get()
                if carried is not UNSET and not self and not self.ready() and self.gr_context is None:
                    context = Context()
                    context.run(CARRIED.set, carried)
                    self.gr_context = context
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return start


def _spawn(original: Any, gate: Gate) -> Any:
    def spawn(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, _jobs.bound(func) if gate.on else func, *args, **kwargs)

    return spawn
