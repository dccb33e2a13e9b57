"""multiprocessing: a process that a request starts for a job has its lane, pickled where it is not forked; a daemon has none.

A daemonic process is one on purpose (it cannot be inherited, since daemons have no children): a worker that outlives the
request. The processes of pools are daemons, too. In a child that was spawned, unpickling imports this library; whether
calls of the child carry the lane depends on the child's own ``auto_instrument()``, which its main module repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, UNSET, reset
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(process: Any, patch: Patcher) -> None:
    """Carry in ``BaseProcess.start``."""
    patch.method(process.BaseProcess, "start", _start)


def _start(original: Any, gate: Gate) -> Any:
    def start(self: Any) -> Any:
        carried = CARRIED.get()
        if not gate.on or carried is UNSET or carried is None:
            return original(self)
        if self.daemon:
            token = CARRIED.set(UNSET)  # a forked child begins with what is current here
            try:
                return original(self)
            finally:
                reset(token)
        own = vars(self).get("run")
        self.run = _jobs.bound_for_process(own or self.run)
        try:
            return original(self)
        finally:
            if own is None:
                del self.run
            else:
                self.run = own

    return start
