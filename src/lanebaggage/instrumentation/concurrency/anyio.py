"""AnyIO: tasks and ``to_thread`` carry the context themselves; here its worker threads keep none, and processes get the lane.

A worker thread runs each job in the caller's context. It is not a daemon, so that it would otherwise begin, and idle, in
the lane of the request that happened to need it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import UNSET
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Put the lane aside in ``WorkerThread.run``; carry in ``to_process.run_sync``."""
    if hasattr(module, "WorkerThread"):
        patch.method(module.WorkerThread, "run", _run)
    else:
        patch.method(module, "run_sync", _run_sync)


def _run(original: Any, gate: Gate) -> Any:
    def run(self: Any) -> Any:
        return _jobs.run(UNSET, original, self) if gate.on else original(self)

    return run


def _run_sync(original: Any, gate: Gate) -> Any:
    async def run_sync(func: Any, *args: Any, **kwargs: Any) -> Any:
        return await original(_jobs.bound_for_process(func) if gate.on else func, *args, **kwargs)

    return run_sync
