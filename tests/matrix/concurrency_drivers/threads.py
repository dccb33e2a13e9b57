"""Drivers of threads and of pools of threads and processes."""

from __future__ import annotations

import multiprocessing
import multiprocessing.pool
import queue
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import lanebaggage

from .base import SECONDS, Driver, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    Jobs = list[tuple[str | None, Callable[..., Any], tuple[Any, ...]]]


class Thread(Driver):
    """``threading.Thread`` with a target; the worker is a daemon."""

    def make(self, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return threading.Thread(target=outcome.run, args=(job, *args))

    def run_each(self, jobs: Jobs) -> list[Any]:
        outcomes = []
        for lane, job, args in jobs:
            outcomes.append(Outcome())
            with lanebaggage.lane(lane):
                self.make(outcomes[-1], job, args).start()
        return [outcome.get() for outcome in outcomes]

    def work(self, job: Callable[..., Any]) -> Any:
        outcome = Outcome()
        threading.Thread(target=outcome.run, args=(job,), daemon=True).start()
        return outcome.get()


class Subclass(Thread):
    """A subclass of ``Thread`` that overrides ``run`` and never calls the original."""

    def make(self, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        class Own(threading.Thread):
            def run(self) -> None:
                outcome.run(job, *args)

        return Own()

    def work(self, job: Callable[..., Any]) -> Any:
        outcome = Outcome()
        thread = self.make(outcome, job, ())
        thread.daemon = True
        thread.start()
        return outcome.get()


class Timer(Thread):
    """``threading.Timer``."""

    def make(self, outcome: Outcome, job: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return threading.Timer(0, outcome.run, (job, *args))

    def cancel(self, seen: list[str | None]) -> None:
        timer = threading.Timer(SECONDS, seen.append, ("ran",))
        timer.start()
        timer.cancel()
        timer.join()


class Pool(Driver):
    """``ThreadPoolExecutor.submit``, one thread."""

    def __init__(self) -> None:
        self.executor = self.make()

    def make(self) -> Executor:
        return ThreadPoolExecutor(1)

    def run_each(self, jobs: Jobs) -> list[Any]:
        futures = []
        for lane, job, args in jobs:
            with lanebaggage.lane(lane):
                futures.append(self.executor.submit(job, *args))
        return [future.result(SECONDS) for future in futures]

    def cancel(self, seen: list[str | None]) -> None:
        begun, release = threading.Event(), threading.Event()
        blocking = self.executor.submit(self.block, begun, release)
        assert begun.wait(SECONDS)
        waiting = self.executor.submit(seen.append, "ran")
        assert waiting.cancel()
        release.set()
        blocking.result(SECONDS)

    @staticmethod
    def block(begun: threading.Event, release: threading.Event) -> None:
        begun.set()
        release.wait(SECONDS)

    def work(self, job: Callable[..., Any]) -> Any:
        """What runs in the pool's thread when nobody hands a job over: its initializer."""
        outcome = Outcome()
        with ThreadPoolExecutor(1, initializer=outcome.run, initargs=(job,)) as pool:
            pool.submit(int)
            return outcome.get()

    def close(self) -> None:
        self.executor.shutdown()


class Map(Pool):
    """``ThreadPoolExecutor.map``."""

    def run_each(self, jobs: Jobs) -> list[Any]:
        results = []
        for lane, job, args in jobs:
            with lanebaggage.lane(lane):
                results.append(self.executor.map(lambda call: call[0](*call[1]), [(job, args)]))
        return [next(result) for result in results]


class ContextPool(Pool):
    """A subclass of ``ThreadPoolExecutor`` that hands its caller's context over itself."""

    class Own(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(copy_context().run, fn, *args, **kwargs)

    def make(self) -> Executor:
        return self.Own(1)


class ProcessPool(Pool):
    """``ProcessPoolExecutor`` of forked processes."""

    method = "fork"

    def make(self) -> Executor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(self.method))

    def cancel(self, seen: list[str | None]) -> None:
        futures = [self.executor.submit(time.sleep, 0.05) for _ in range(5)]
        assert futures[-1].cancel()

    def work(self, job: Callable[..., Any]) -> Any:
        receiver, sender = multiprocessing.get_context(self.method).Pipe(duplex=False)
        context = multiprocessing.get_context(self.method)
        with ProcessPoolExecutor(1, mp_context=context, initializer=send, initargs=(sender, job)) as pool:
            pool.submit(int)
            assert receiver.poll(SECONDS), "the worker has died"
            return receiver.recv()


def send(connection: Any, job: Callable[..., Any], args: tuple[Any, ...] = ()) -> None:
    """Do a job in another process."""
    try:
        connection.send(job(*args))
    except Exception as error:
        connection.send(error)


class SpawnPool(ProcessPool):
    """``ProcessPoolExecutor`` of spawned processes."""

    method = "spawn"


class Process(Driver):
    """``multiprocessing.Process``, forked; the worker is a daemon."""

    method = "fork"
    many = 10

    def run_each(self, jobs: Jobs) -> list[Any]:
        return self.results([self.start(lane, job, args) for lane, job, args in jobs])

    def start(self, lane: str | None, job: Callable[..., Any], args: tuple[Any, ...] = (), **options: Any) -> Any:
        context = multiprocessing.get_context(self.method)
        receiver, sender = context.Pipe(duplex=False)
        with lanebaggage.lane(lane):
            process = context.Process(target=send, args=(sender, job, args), **options)
            process.start()
        sender.close()
        return process, receiver

    def results(self, started: list[Any]) -> list[Any]:
        results = []
        for process, receiver in started:
            results.append(receiver.recv())
            process.join(SECONDS)
            process.close()
            receiver.close()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    def work(self, job: Callable[..., Any]) -> Any:
        return self.results([self.start(lanebaggage.current_lane(), job, daemon=True)])[0]


class SpawnProcess(Process):
    """``multiprocessing.Process``, spawned."""

    method = "spawn"


class MultiPool(Driver):
    """``multiprocessing.Pool``, one forked process."""

    def __init__(self) -> None:
        self.pool = self.make()

    def make(self, **options: Any) -> Any:
        return multiprocessing.get_context("fork").Pool(1, **options)

    def run_each(self, jobs: Jobs) -> list[Any]:
        results = []
        for number, (lane, job, args) in enumerate(jobs):
            with lanebaggage.lane(lane):
                results.append(HAND_OVER[number % len(HAND_OVER)](self.pool, job, args))
        return [result() for result in results]

    def work(self, job: Callable[..., Any]) -> Any:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        pool = self.make(initializer=send, initargs=(sender, job))
        try:
            return receiver.recv()
        finally:
            pool.terminate()
            pool.join()

    def close(self) -> None:
        self.pool.terminate()
        self.pool.join()


def call(job: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return job(*args)


def callback(pool: Any, job: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def note(result: Any) -> None:
        results.put(result if isinstance(result, Exception) else (result, lanebaggage.current_lane()))

    pool.apply_async(job, args, {}, note, note)

    def get() -> Any:
        result = results.get(timeout=SECONDS)
        if isinstance(result, Exception):
            raise result
        assert result[0] == result[1], "the callback is in the lane of the job"
        return result[0]

    return get


def apply(pool: Any, job: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    result = pool.apply_async(job, args)
    return lambda: result.get(SECONDS)


def starmap(pool: Any, job: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    result = pool.starmap_async(call, [(job, args)])
    return lambda: result.get(SECONDS)[0]


def imap(pool: Any, job: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    return pool.imap(job_of(job, args), [0]).__next__


def imap_unordered(pool: Any, job: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    return pool.imap_unordered(job_of(job, args), [0]).__next__


HAND_OVER = [apply, starmap, imap, imap_unordered, callback]
"""Every way to hand a job to a pool, taken in turn; each returns how to wait for its result."""


class job_of:
    """A job as a picklable function of one argument that it ignores."""

    def __init__(self, job: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.job, self.args = job, args

    def __call__(self, _: int) -> Any:
        return self.job(*self.args)


class MultiThreadPool(MultiPool):
    """``multiprocessing.pool.ThreadPool``, one thread."""

    def make(self, **options: Any) -> Any:
        return multiprocessing.pool.ThreadPool(1, **options)
