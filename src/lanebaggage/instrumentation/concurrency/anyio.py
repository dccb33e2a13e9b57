"""AnyIO: ``to_process.run_sync`` and ``to_interpreter.run_sync`` carry the caller's lane.

Tasks and threads run in the caller's context anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Carry in ``run_sync``, which pickles its function for another process or interpreter."""
    patch.method(module, "run_sync", _run_sync)


def _run_sync(original: Any, gate: Gate) -> Any:
    async def run_sync(func: Any, *args: Any, **kwargs: Any) -> Any:
        return await original(_jobs.bound_for_process(func) if gate.on else func, *args, **kwargs)

    return run_sync
