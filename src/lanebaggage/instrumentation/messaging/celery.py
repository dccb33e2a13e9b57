"""Celery: a worker calls a task's ``__trace__``, in whichever pool; there the lane of the task's message is entered.

Publishing goes through kombu. The tracer covers the task, its retries, and the callbacks and chains that are published for
it. A task that is called eagerly, or directly, has no tracer of the worker's and stays in the lane of its caller.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..._hop import read
from ..concurrency import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

TRACE = "__trace__"


def install(task: Any, patch: Patcher) -> None:
    """Extract around what a worker finds in ``Task.__trace__``, built before or not."""
    patch.descriptor(task.Task, TRACE, _tracer)


def _tracer(found: Any, gate: Gate) -> Any:
    def get(self: Any) -> Any:
        trace = vars(self).get(TRACE, found)
        return partial(_in_lane, gate, trace) if gate.on and trace is not None else trace

    def put(self: Any, trace: Any) -> None:
        vars(self)[TRACE] = trace

    def delete(self: Any) -> None:
        if TRACE not in vars(self):
            raise AttributeError(TRACE)
        del vars(self)[TRACE]

    return property(get, put, delete)


def _in_lane(gate: Gate, trace: Any, uuid: Any, args: Any, kwargs: Any, request: Any = None) -> Any:
    try:
        arrived = read(request)
    except Exception:
        gate.failed()
        arrived = None
    return _jobs.run(arrived, trace, uuid, args, kwargs, request)
