"""threading: a thread that a request starts for a job has its lane; one that is started as a daemon worker has none.

``Thread.start`` puts the starter's lane around ``run``, whoever overrides that, ``Timer`` included. A thread that its
creator made a daemon outlives the request on purpose and serves others: a flusher, a poller, a queue's worker. It starts
with no lane, so that it never keeps the one of the request that happened to start it. Being a daemon only because the
starting thread is one does not count. ``Thread(context=...)`` of Python 3.14 is the creator's own word and is kept; where
threads inherit the whole context (``sys.flags.thread_inherit_context``), the same rule replaces the inherited lane. A thread
of ``_thread`` counts as such a worker, and so does what a worker starts.
"""

from __future__ import annotations

import _thread

from ... import _watch
from ..._context import CARRIED, UNSET
from . import _jobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._patching import Gate, Patcher

WORKER = "_lanebaggage_worker"
"""On a thread that was explicitly made a daemon."""


def install(threading: Any, patch: Patcher) -> None:
    """Carry in ``Thread.start``; learn who is a worker from ``Thread.__init__`` and the ``daemon`` property."""
    patch.method(threading.Thread, "__init__", _init)
    patch.descriptor(threading.Thread, "daemon", _daemon)
    patch.method(threading.Thread, "start", _starter(threading))
    patch.method(_thread, "start_new_thread", _low_level)


def _low_level(original: Any, gate: Gate) -> Any:
    def start_new_thread(function: Any, *args: Any) -> Any:
        if gate.on:
            carried = CARRIED.get()
            if carried is not None and carried.lane is not None and callable(function):
                function = _watch.low_level_worker(function, carried.lane)
        return original(function, *args)

    return start_new_thread


def _init(original: Any, gate: Gate) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if gate.on and kwargs.get("daemon"):
            setattr(self, WORKER, True)

    return __init__


def _daemon(original: Any, gate: Gate) -> Any:
    def assign(self: Any, daemonic: bool) -> None:
        original.fset(self, daemonic)
        if gate.on:
            setattr(self, WORKER, bool(daemonic))

    return property(original.fget, assign, original.fdel, original.__doc__)


def _starter(threading: Any) -> Any:
    def make(original: Any, gate: Gate) -> Any:
        def start(self: Any) -> None:
            carried = CARRIED.get()
            if carried is UNSET and _watch.workers and gate.on:
                _watch.worker_started(self, _watch.started_in())
            if not gate.on or carried is UNSET or getattr(self, "_context", None) is not None:
                return original(self)  # type: ignore[no-any-return]
            if getattr(self, WORKER, False) and not isinstance(self, threading.Timer):
                _watch.worker_started(self, None if carried is None else carried.lane)
                carried = UNSET
            own = self.__dict__.get("run")
            run = self.run

            def run_in_lane(_thread: Any) -> None:
                restore()
                _jobs.run(carried, run)

            def restore() -> None:
                if own is None:
                    self.__dict__.pop("run", None)
                else:
                    self.run = own

            self.run = run_in_lane.__get__(self)  # a method, as tracers that wrap it in turn expect
            try:
                return original(self)  # type: ignore[no-any-return]
            except BaseException:
                restore()
                raise

        return start

    return make
