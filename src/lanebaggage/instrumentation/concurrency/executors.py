"""concurrent.futures: ``submit`` carries the submitter's lane to the job; ``map`` goes through it.

The threads and processes of a pool, which a first ``submit`` starts, keep nothing: the submitter's lane is put aside while
they start. To another process the lane travels pickled beside the job, to a callback of a future with the callback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, UNSET, reset
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Carry in ``submit`` and ``add_done_callback``."""
    if hasattr(module, "ProcessPoolExecutor"):
        patch.method(module.ProcessPoolExecutor, "submit", _submit_to_process)
    else:
        patch.method(module.ThreadPoolExecutor, "submit", _submit)
        patch.method(module._base.Future, "add_done_callback", _add_done_callback)


def _submit(original: Any, gate: Gate) -> Any:
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return original(self, fn, *args, **kwargs)
        carried = CARRIED.get()
        token = CARRIED.set(UNSET)
        try:
            return original(self, _jobs.run, carried, fn, *args, **kwargs)
        finally:
            reset(token)

    return submit


def _submit_to_process(original: Any, gate: Gate) -> Any:
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return original(self, fn, *args, **kwargs)
        fn = _jobs.bound_for_process(fn)
        token = CARRIED.set(UNSET)
        try:
            return original(self, fn, *args, **kwargs)
        finally:
            reset(token)

    return submit


def _add_done_callback(original: Any, gate: Gate) -> Any:
    def add_done_callback(self: Any, fn: Any) -> None:
        original(self, _jobs.bound(fn) if gate.on and CARRIED.get() is not UNSET else fn)

    return add_done_callback
