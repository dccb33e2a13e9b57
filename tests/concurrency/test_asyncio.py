"""asyncio: long-lived tasks, and callbacks of futures."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import lanebaggage


async def test_long_lived_worker() -> None:
    """A worker that is started ``with lane(None)`` keeps no lane; each job brings its own by ``carry``."""
    lanebaggage.auto_instrument()
    jobs: asyncio.Queue = asyncio.Queue()
    seen = []

    async def serve() -> None:
        while (job := await jobs.get()) is not None:
            seen.append((await job(), lanebaggage.current_lane()))

    async def job() -> str | None:
        await asyncio.sleep(0)
        return lanebaggage.current_lane()

    with lanebaggage.lane("request"), lanebaggage.lane(None):
        worker = asyncio.create_task(serve())
    for lane in ("s1", None, "s2"):
        with lanebaggage.lane(lane):
            jobs.put_nowait(lanebaggage.carry(job))
    jobs.put_nowait(None)
    await worker
    assert seen == [("s1", None), (None, None), ("s2", None)]


async def test_worker_that_was_not_told() -> None:
    """A task keeps the lane of whoever made it for life (PEP 567): that is why workers are started outside."""
    lanebaggage.auto_instrument()
    go = asyncio.Event()

    async def serve() -> str | None:
        await go.wait()
        return lanebaggage.current_lane()

    with lanebaggage.lane("request"):
        worker = asyncio.create_task(serve())
    go.set()
    assert await worker == "request"


def test_callback_of_a_future() -> None:
    """A callback of a future runs in the lane of whoever added it, in whichever thread it is called."""
    lanebaggage.auto_instrument()
    seen: list[tuple[str, str | None]] = []

    def note(future: Future[str]) -> None:
        seen.append((future.result(), lanebaggage.current_lane()))

    with ThreadPoolExecutor(1) as pool:
        future: Future[str] = Future()
        with lanebaggage.lane("s2"):
            future.add_done_callback(note)
        with lanebaggage.lane("s3"):
            pool.submit(future.set_result, "done").result()
    assert seen == [("done", "s2")]
