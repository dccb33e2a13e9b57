"""APScheduler 3: a job has no lane from whoever scheduled it or woke the scheduler."""

from __future__ import annotations

import asyncio
import queue
import threading
from datetime import datetime, timezone
from typing import Any

import pytest

import lanebaggage

SECONDS = 30


@pytest.fixture
def seen() -> queue.SimpleQueue[Any]:
    lanebaggage.auto_instrument()
    return queue.SimpleQueue()


@pytest.mark.parametrize("daemon", [True, False])
def test_background_scheduler(seen: queue.SimpleQueue[Any], daemon: bool) -> None:
    """Neither the scheduler's thread, daemon or not, nor a job has the lane of the request that started them."""
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(daemon=daemon, timezone=timezone.utc)
    with lanebaggage.lane("request"):
        scheduler.start()
        scheduler.add_job(lambda: seen.put(lanebaggage.current_lane()))
    assert seen.get(timeout=SECONDS) is None
    with lanebaggage.lane("other"):
        scheduler.add_job(lambda: seen.put(lanebaggage.current_lane()), "interval", seconds=0.01, max_instances=9, id="again")
    assert [seen.get(timeout=SECONDS) for _ in range(2)] == [None, None]
    scheduler.shutdown()


def test_blocking_scheduler(seen: queue.SimpleQueue[Any]) -> None:
    """A scheduler that blocks inside a lane runs its jobs outside."""
    from apscheduler.schedulers.blocking import BlockingScheduler

    scheduler = BlockingScheduler(timezone=timezone.utc)

    def job() -> None:
        seen.put(lanebaggage.current_lane())
        threading.Thread(target=scheduler.shutdown, kwargs={"wait": False}).start()

    scheduler.add_job(job, "interval", seconds=SECONDS, next_run_time=datetime.now(timezone.utc))
    with lanebaggage.lane("request"):
        scheduler.start()
    assert seen.get(timeout=SECONDS) is None


async def test_asyncio_scheduler(seen: queue.SimpleQueue[Any]) -> None:
    """A job that is added in a request, and every one that its timers start later, is in no lane."""
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler(timezone=timezone.utc)
    enough = asyncio.Event()

    async def job() -> None:
        seen.put(lanebaggage.current_lane())
        if seen.qsize() >= 3:
            enough.set()

    scheduler.start()
    with lanebaggage.lane("request"):
        scheduler.add_job(job, "interval", seconds=0.01, next_run_time=datetime.now(timezone.utc), max_instances=9)
    await asyncio.wait_for(enough.wait(), SECONDS)
    scheduler.shutdown(wait=False)
    assert [seen.get(timeout=SECONDS) for _ in range(3)] == [None, None, None]
