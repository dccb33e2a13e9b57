"""RQ: a job keeps the lane of whoever made it, in a field of its own in the job's hash; a worker enters it around the job.

The job, not its queueing, is what carries: a job that is deferred, scheduled, retried or queued again by a worker or a
scheduler is in its creator's lane each time. The worker's callbacks for the job run in the lane, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..._context import carried
from ..._hop import read
from ..concurrency import _jobs

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

FIELD = "lanebaggage"
"""Of the hash that RQ keeps a job in; RQ leaves fields alone that it does not know."""
HEADERS = "_lanebaggage_headers"
"""On a job: the pass-through headers as JSON."""


def install(module: Any, patch: Patcher) -> None:
    """Keep the lane in ``Job``; enter it in the worker's ``perform_job``."""
    if hasattr(module, "Job"):
        patch.method(module.Job, "create", _create)
        patch.method(module.Job, "to_dict", _to_dict)
        patch.method(module.Job, "restore", _restore)
    if hasattr(module, "Worker"):
        owner = next((cls for cls in module.Worker.__mro__ if "perform_job" in vars(cls)), module.Worker)
        patch.method(owner, "perform_job", _perform_job)


def _create(original: Any, gate: Gate) -> Any:
    def create(cls: Any, *args: Any, **kwargs: Any) -> Any:
        job = original(cls, *args, **kwargs)
        if gate.on:
            try:
                current = carried()
                if current is not None and current.headers:
                    setattr(job, HEADERS, json.dumps(dict(current.headers)))
            except Exception:
                gate.failed()
        return job

    return create


def _to_dict(original: Any, gate: Gate) -> Any:
    def to_dict(self: Any, *args: Any, **kwargs: Any) -> Any:
        fields = original(self, *args, **kwargs)
        if gate.on and hasattr(self, HEADERS):
            fields[FIELD] = getattr(self, HEADERS)
        return fields

    return to_dict


def _restore(original: Any, gate: Gate) -> Any:
    def restore(self: Any, raw_data: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                kept = raw_data.get(FIELD.encode()) or raw_data.get(FIELD)
                if kept is not None:
                    setattr(self, HEADERS, kept.decode() if isinstance(kept, bytes) else kept)
            except Exception:
                gate.failed()
        return original(self, raw_data, *args, **kwargs)

    return restore


def _perform_job(original: Any, gate: Gate) -> Any:
    def perform_job(self: Any, job: Any, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return original(self, job, *args, **kwargs)
        arrived = None
        try:
            if hasattr(job, HEADERS):
                arrived = read(json.loads(getattr(job, HEADERS)))
        except Exception:
            gate.failed()
        return _jobs.run(arrived, original, self, job, *args, **kwargs)

    return perform_job
