"""Each way to run a job elsewhere, in each situation."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage.instrumentation import _patching
from matrix.concurrency import CONCURRENCY
from matrix.concurrency_drivers.base import JobError, fail, lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.table import Cell

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("cell", CONCURRENCY.cells, ids=str)
def test_concurrency(cell: Cell, covers: Cell) -> None:
    """A job in a situation has the lane of whoever handed it over, and its worker keeps nothing."""
    SITUATIONS[cell.situation](cell)


def made(cell: Cell) -> Any:
    lanebaggage.auto_instrument()
    return closing(cell.driver())


def own_job(cell: Cell) -> None:
    with made(cell) as driver, lanebaggage.lane("s2"):
        assert driver.run(lane) == "s2"
        assert lanebaggage.current_lane() == "s2"


def object_made_before(cell: Cell) -> None:
    with closing(cell.driver()) as driver:
        lanebaggage.auto_instrument()
        with lanebaggage.lane("s2"):
            assert driver.run(lane) == "s2"


def import_after(cell: Cell) -> None:
    code = f"""
import lanebaggage
if __name__ == "__main__":
    lanebaggage.auto_instrument()
    from matrix.concurrency import CONCURRENCY
    from matrix.concurrency_drivers.base import lane
    driver = CONCURRENCY.libraries[{cell.library!r}]()
    with lanebaggage.lane("s2"):
        assert driver.run(lane) == "s2"
    driver.close()
"""
    subprocess.run([sys.executable, "-c", code], cwd=TESTS, env={"PYTHONPATH": str(TESTS)}, check=True, timeout=60)


def none(cell: Cell) -> None:
    with made(cell) as driver:
        with lanebaggage.lane("s2"):
            assert driver.run(lane) == "s2"
            with lanebaggage.lane(None):
                assert driver.run(lane) is None
        assert driver.run(lane) is None


def lazy_worker(cell: Cell) -> None:
    with made(cell) as driver:
        with lanebaggage.lane("s2"):
            assert driver.run(lane) == "s2"
        lanebaggage.uninstrument()  # the worker's own context shows
        assert driver.run(lane) is None


def exception(cell: Cell) -> None:
    with made(cell) as driver:
        with lanebaggage.lane("s2"):
            with pytest.raises(JobError) as raised:
                driver.run(fail)
            assert raised.value.args == ("s2",)
            assert lanebaggage.current_lane() == "s2"
        assert driver.run(lane) is None


def cancellation(cell: Cell) -> None:
    seen: list[str | None] = []
    with made(cell) as driver:
        with lanebaggage.lane("s2"):
            driver.cancel(seen)
            assert lanebaggage.current_lane() == "s2"
        assert driver.run(lane) is None
    assert tuple(seen) == cell.driver.cancelled


def nested(cell: Cell) -> None:
    with made(cell) as driver, lanebaggage.lane("s2"):
        assert driver.nested() == "s2"


def five_lanes(cell: Cell) -> None:
    lanes = [f"s{number % 5}" for number in range(cell.driver.many)]
    with made(cell) as driver:
        assert driver.run_each([(name, lane, ()) for name in lanes]) == lanes


def worker_in_request(cell: Cell) -> None:
    with made(cell) as driver, lanebaggage.lane("request"):
        assert driver.work(lane) is None


def undo(cell: Cell) -> None:
    with made(cell) as driver:
        with lanebaggage.lane("s2"):
            driver.run(lane)
        found: dict[Any, Any] = {}
        for patch in _patching._installed:
            found.setdefault((patch.owner, patch.name), patch.found)
        lanebaggage.uninstrument()
        for (owner, name), original in found.items():
            assert vars(owner).get(name, _patching._MISSING) is original
        driver.run(lane)


SITUATIONS: dict[str, Callable[[Cell], None]] = {name: globals()[name.replace("-", "_")] for name in CONCURRENCY.situations}
