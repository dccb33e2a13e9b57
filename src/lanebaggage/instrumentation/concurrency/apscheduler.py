"""APScheduler: a job has no lane, least of all that of the request that scheduled it or woke the scheduler.

Version 3 starts due jobs in ``BaseScheduler._process_jobs``, which may run where ``add_job`` was called and whose timers
would hand that context on to every later job. Version 4 runs each job in ``AsyncScheduler._run_job``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, reset
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Leave every lane where jobs are started."""
    if hasattr(module, "BaseScheduler"):
        patch.method(module.BaseScheduler, "_process_jobs", _process_jobs)
    else:
        patch.method(module.AsyncScheduler, "_run_job", _run_job)


def _process_jobs(original: Any, gate: Gate) -> Any:
    def process_jobs(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _jobs.run(None, original, self, *args, **kwargs) if gate.on else original(self, *args, **kwargs)

    return process_jobs


def _run_job(original: Any, gate: Gate) -> Any:
    async def run_job(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return await original(self, *args, **kwargs)
        token = CARRIED.set(None)
        try:
            return await original(self, *args, **kwargs)
        finally:
            reset(token)

    return run_job
