"""asyncio and uvloop: ``run_in_executor`` with an executor whose ``submit`` is not the patched one of the standard library.

Tasks, callbacks and ``to_thread`` need nothing: each has a copy of the context of whoever made it (PEP 567).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, UNSET
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Carry in ``run_in_executor``."""
    loop = getattr(module, "BaseEventLoop", None) or module.Loop
    patch.method(loop, "run_in_executor", _run_in_executor)


def _run_in_executor(original: Any, gate: Gate) -> Any:
    def run_in_executor(self: Any, executor: Any, func: Any, *args: Any) -> Any:
        if gate.on and executor is not None and CARRIED.get() is not UNSET and not _is_patched(executor):
            func = _jobs.bound(func)
        return original(self, executor, func, *args)

    return run_in_executor


def _is_patched(executor: Any) -> bool:
    """Whether the executor's own ``submit`` carries already, or is another process's, to which nothing of ours need go."""
    submit = getattr(type(executor), "submit", None)
    for module, name in (("thread", "ThreadPoolExecutor"), ("process", "ProcessPoolExecutor")):
        loaded = sys.modules.get(f"concurrent.futures.{module}")
        if loaded is not None and submit is getattr(loaded, name).submit:
            return True
    return False
