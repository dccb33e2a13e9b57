"""asyncio: ``run_in_executor`` with an executor that is not of the standard library; tasks copy their context themselves."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(base_events: Any, patch: Patcher) -> None:
    """Carry in ``BaseEventLoop.run_in_executor``."""
    patch.method(base_events.BaseEventLoop, "run_in_executor", _run_in_executor)


def _run_in_executor(original: Any, gate: Gate) -> Any:
    def run_in_executor(self: Any, executor: Any, func: Any, *args: Any) -> Any:
        if gate.on and executor is not None and not _is_standard(executor):
            func = partial(_jobs.run, CARRIED.get(), func)
        return original(self, executor, func, *args)

    return run_in_executor


def _is_standard(executor: Any) -> bool:
    """Whether the executor's own ``submit`` is patched already."""
    thread = sys.modules.get("concurrent.futures.thread")
    return thread is not None and isinstance(executor, thread.ThreadPoolExecutor)
