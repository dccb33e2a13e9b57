"""``carry``: what is current now, bound to a function that something else calls later."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from functools import partial

import pytest

import lanebaggage


def test_worker_thread() -> None:
    """A daemon worker does each job in the lane that it was carried from."""
    lanebaggage.auto_instrument()
    jobs: queue.SimpleQueue = queue.SimpleQueue()
    seen = []

    def serve() -> None:
        while (job := jobs.get()) is not None:
            job()
            seen.append(("worker", lanebaggage.current_lane()))

    def job() -> None:
        seen.append(("job", lanebaggage.current_lane()))

    with lanebaggage.lane("request"):
        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
    for lane in ("s1", "s2", None):
        with lanebaggage.lane(lane):
            jobs.put(lanebaggage.carry(job))
    jobs.put(None)
    worker.join()
    assert seen == [("job", "s1"), ("worker", None), ("job", "s2"), ("worker", None), ("job", None), ("worker", None)]


def test_no_lane_is_carried() -> None:
    """Carried from outside every lane, a function has none wherever it is called."""
    bound = lanebaggage.carry(lanebaggage.current_lane)
    with lanebaggage.lane("s2"):
        assert bound() is None
        assert lanebaggage.current_lane() == "s2"


async def test_coroutine_function() -> None:
    """A coroutine function stays one, and has the lane after an await, too."""

    async def job() -> str | None:
        await asyncio.sleep(0)
        return lanebaggage.current_lane()

    with lanebaggage.lane("s2"):
        bound = lanebaggage.carry(job)
    assert inspect.iscoroutinefunction(bound)
    assert await bound() == "s2"
    assert lanebaggage.current_lane() is None


def test_arguments_result_and_name() -> None:
    """Arguments, result, name and exceptions are those of the function."""

    def add(left: int, right: int = 1) -> int:
        """Add."""
        return left + right

    bound = lanebaggage.carry(add)
    assert (bound(1, right=2), bound.__name__, bound.__doc__) == (3, "add", "Add.")
    assert lanebaggage.carry(partial(add, 3))() == 4
    with lanebaggage.lane("s2"), pytest.raises(TypeError):
        bound()


def test_several_threads_at_once() -> None:
    """One carried function can run in several threads at the same time."""
    meet = threading.Barrier(5)

    def job(results: list[str | None]) -> None:
        meet.wait(30)
        results.append(lanebaggage.current_lane())
        meet.wait(30)

    with lanebaggage.lane("s2"):
        bound = lanebaggage.carry(job)
    results: list[str | None] = []
    threads = [threading.Thread(target=bound, args=(results,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["s2"] * 5
