"""arq: the pass-through headers travel beside the job's arguments; a worker enters the lane around the job.

What is stored for a job is a dictionary, pickled or written by the user's own serializer; it gets one entry more, which a
worker without this library ignores. A job that is retried or deferred keeps it.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, carried, reset
from ..._hop import read

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

ENTRY = "lanebaggage"


def install(module: Any, patch: Patcher) -> None:
    """Inject in what ``enqueue_job`` stores; extract in ``Worker.run_job``."""
    if hasattr(module, "Worker"):
        patch.method(module.Worker, "run_job", _run_job)
        patch.method(module, "deserialize_job_raw", _deserialize)
    else:
        patch.method(module, "serialize_job", _serialize)


def _serialize(original: Any, gate: Gate) -> Any:
    def serialize_job(*args: Any, serializer: Any = None, **kwargs: Any) -> Any:
        current = carried() if gate.on else None
        if current is None or not current.headers:
            return original(*args, serializer=serializer, **kwargs)
        headers = dict(current.headers)

        def with_headers(data: Any) -> Any:
            return (serializer or pickle.dumps)({**data, ENTRY: headers})

        return original(*args, serializer=with_headers, **kwargs)

    return serialize_job


def _deserialize(original: Any, gate: Gate) -> Any:
    def deserialize_job_raw(*args: Any, deserializer: Any = None, **kwargs: Any) -> Any:
        if not gate.on:
            return original(*args, deserializer=deserializer, **kwargs)

        def noting_headers(stored: Any) -> Any:
            data = (deserializer or pickle.loads)(stored)
            try:
                CARRIED.set(read(data.get(ENTRY)))  # within run_job() below
            except Exception:
                gate.failed()
            return data

        return original(*args, deserializer=noting_headers, **kwargs)

    return deserialize_job_raw


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
