"""multiprocessing.pool: the lane travels with each job, into the threads of ``ThreadPool`` and the processes of ``Pool``.

Workers keep nothing, whenever they were started. Callbacks of a result run in the lane of whoever asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate, Patcher

METHODS = {"apply_async": 3, "_map_async": 4, "imap": None, "imap_unordered": None}
"""What hands jobs to a pool, and where its ``callback`` stands, followed by ``error_callback``."""


def install(pool: Any, patch: Patcher) -> None:
    """Carry in what hands jobs to a pool."""
    for name, position in METHODS.items():
        patch.method(pool.Pool, name, _carry(pool.ThreadPool, position))


def _carry(thread_pool: type, position: int | None) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        def hand_over(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
            if not gate.on:
                return original(self, func, *args, **kwargs)
            func = _jobs.bound(func) if isinstance(self, thread_pool) else _jobs.bound_for_process(func)
            if position is not None:
                first = position - 1  # func is not among args
                args = (*args[:first], *map(_jobs.bound, args[first : first + 2]), *args[first + 2 :])
                for name in ("callback", "error_callback"):
                    if name in kwargs:
                        kwargs[name] = _jobs.bound(kwargs[name])
            return original(self, func, *args, **kwargs)

        return hand_over

    return make
