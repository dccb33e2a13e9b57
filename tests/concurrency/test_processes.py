"""Processes: state after a fork, and what is pickled for a spawned child."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

import lanebaggage
from lanebaggage.instrumentation import PATCHED, report


class Own(multiprocessing.get_context("spawn").Process):  # type: ignore[misc]
    """A process that overrides ``run``."""

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self.connection = connection

    def run(self) -> None:
        self.connection.send(lanebaggage.current_lane())


def in_child(connection: Any) -> None:
    rows = {row.library: row.status for row in report()}
    connection.send((rows.get("multiprocessing"), lanebaggage.inject({})))


def test_subclass_spawned() -> None:
    """A subclass that overrides ``run`` has the lane in a spawned child, and is left as it was."""
    lanebaggage.auto_instrument()
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = Own(sender)
    with lanebaggage.lane("s2"):
        process.start()
    assert receiver.recv() == "s2"
    process.join()
    assert "run" not in vars(process)


@pytest.mark.parametrize(("method", "status"), [("fork", PATCHED), ("spawn", None)])
def test_state_in_a_child(method: str, status: str | None) -> None:
    """A forked child is instrumented as its parent is; a spawned one by its own main module; both have the lane."""
    lanebaggage.auto_instrument()
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=in_child, args=(sender,))
    with lanebaggage.lane("s2"):
        process.start()
    assert receiver.recv() == (status, {"x-asm-prefer-tag": "s2"})
    process.join()


def test_own_run_attribute() -> None:
    """A ``run`` that was set on the object is called in the lane and stays on it."""
    lanebaggage.auto_instrument()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process()
    process.run = run = lambda: sender.send(lanebaggage.current_lane())
    with lanebaggage.lane("s2"):
        process.start()
    assert receiver.recv() == "s2"
    process.join()
    assert process.run is run


def knows_jobs() -> bool:
    return "lanebaggage.instrumentation.concurrency._jobs" in sys.modules


def test_nothing_of_ours_goes_where_nothing_is_carried() -> None:
    """A job that carries nothing does not make a process import what carries."""
    lanebaggage.auto_instrument()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(knows_jobs).result() is False
        with lanebaggage.lane("s2"):
            assert pool.submit(lanebaggage.current_lane).result() == "s2"
        assert pool.submit(knows_jobs).result() is True


async def test_function_of_anyio_that_was_imported_before() -> None:
    """Who imported ``to_process.run_sync`` by name before us is served, and nothing is left after undo."""
    from anyio import to_process

    run_sync, before = to_process.run_sync, to_process.pickle
    lanebaggage.auto_instrument()
    for lane in ("s2", None, "s3"):
        with lanebaggage.lane(lane):
            assert await run_sync(lanebaggage.current_lane) == lane
            with pytest.raises(ZeroDivisionError):
                await run_sync(divmod, 1, 0)
    lanebaggage.uninstrument()
    assert to_process.pickle is before
    with lanebaggage.lane("s2"):
        assert await run_sync(lanebaggage.current_lane) is None


INTERPRETERS = """
import anyio, lanebaggage
from anyio.to_interpreter import run_sync
lanebaggage.auto_instrument()

async def main():
    for lane in ("s2", None, "s3"):
        with lanebaggage.lane(lane):
            print(await run_sync(lanebaggage.current_lane))

anyio.run(main)
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="AnyIO's interpreters need Python 3.13")
def test_interpreter_of_anyio() -> None:
    """A job for another interpreter of its process has the lane of whoever handed it over, and the next one has its own.

    In a process of its own: Python 3.13.0 cannot be forked any more once it had another interpreter.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERPRETERS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.split(), done.returncode) == (["s2", "None", "s3"], 0), done.stderr
