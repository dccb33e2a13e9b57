"""concurrent.futures: ``ThreadPoolExecutor.submit`` carries the submitter's lane to the job; ``map`` goes through it.

The pool's threads, which a first ``submit`` starts, keep nothing: the submitter's lane is put aside while they start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, UNSET, reset
from . import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(thread: Any, patch: Patcher) -> None:
    """Carry in ``ThreadPoolExecutor.submit``."""
    patch.method(thread.ThreadPoolExecutor, "submit", _submit)


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
