"""``asyncio.wait_for`` around a pull, which is a task of its own before Python 3.12."""

from __future__ import annotations

import asyncio
import gc

import pytest

import lanebaggage
from lanebaggage._context import CARRIED, UNSET
from lanebaggage.instrumentation._patching import Patcher, undo_all
from lanebaggage.instrumentation.messaging import _messages, _wait_for

HEADER = "x-asm-prefer-tag"


@pytest.fixture(autouse=True, params=[1, 2], ids=["one-library", "two-libraries"])
def patched(request: pytest.FixtureRequest) -> None:
    for number in range(request.param):
        _wait_for.install(Patcher(f"test {number}"))


async def pull(lane: str | None = "s2", message: bool = True) -> str:
    _messages.ask()
    await asyncio.sleep(0)
    _messages.hand_out(pull, {HEADER: lane} if message else _messages.NO_MESSAGE)
    return "message"


async def test_lane_arrives_in_the_waiting_task() -> None:
    """The lane of what was pulled is current in the task that waits, until the next pull."""
    assert await asyncio.wait_for(pull(), 30) == "message"
    assert lanebaggage.current_lane() == "s2"
    await asyncio.wait_for(pull(None), 30)
    assert lanebaggage.current_lane() is None
    assert CARRIED.get().before is UNSET
    await asyncio.wait_for(pull("s3"), timeout=30)
    await asyncio.wait_for(pull(message=False), 30)
    assert lanebaggage.current_lane() is None


async def test_time_out() -> None:
    """A pull that times out has asked: the previous message's lane is left."""

    async def forever() -> None:
        _messages.ask()
        await asyncio.Event().wait()

    await asyncio.wait_for(pull(), 30)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(forever(), 0.01)
    assert lanebaggage.current_lane() is None


async def test_other_awaitables() -> None:
    """Coroutines that pull nothing, futures and exceptions pass as they are, in the waiting task's own lane."""

    async def work() -> str | None:
        with lanebaggage.lane("inner"):
            await asyncio.sleep(0)
        return lanebaggage.current_lane()

    async def fail() -> None:
        raise LookupError("mine")

    future = asyncio.get_running_loop().create_future()
    future.set_result("done")
    with lanebaggage.lane("s2"):
        assert await asyncio.wait_for(work(), 30) == "s2"
        assert await asyncio.wait_for(future, 30) == "done"
        assert await asyncio.wait_for(work(), None) == "s2"
        with pytest.raises(LookupError):
            await asyncio.wait_for(fail(), 30)
        assert lanebaggage.current_lane() == "s2"


@pytest.mark.filterwarnings("error")
async def test_time_out_of_zero() -> None:
    """A coroutine that is given no time is closed, without a warning that nobody awaited it."""
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(pull(), 0)
    gc.collect()
    assert lanebaggage.current_lane() is None


async def test_undo() -> None:
    """Both names are the original again."""
    undo_all()
    assert asyncio.wait_for is asyncio.tasks.wait_for
    assert not hasattr(asyncio.wait_for, "__wrapped__")
