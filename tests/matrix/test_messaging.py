"""Each messaging library in each situation, on a real broker."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage.instrumentation import _patching
from matrix.messaging import MESSAGING

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.messaging_drivers.base import Driver, Seen
    from matrix.table import Cell
    from support.brokers import Address

HEADER = "x-asm-prefer-tag"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def address(cell: Cell, request: pytest.FixtureRequest) -> Address:
    return request.getfixturevalue(cell.driver.broker)


@pytest.mark.parametrize("cell", MESSAGING.cells, ids=str)
def test_messaging(cell: Cell, covers: Cell, address: Address) -> None:
    """A message in a situation brings its lane to the code that handles it, and to nothing else."""
    SITUATIONS[cell.situation](cell, address)


class Log:
    """What the consumer's code saw."""

    def __init__(self) -> None:
        self.lanes: list[tuple[str, str | None]] = []
        self.seen: list[Seen] = []

    def __call__(self, seen: Seen) -> None:
        self.seen.append(seen)
        self.lanes.append((seen.body, lanebaggage.current_lane()))

    def values(self, name: str = HEADER) -> list[list[str]]:
        return [seen.values(name) for seen in self.seen]


def made(cell: Cell, address: Address, **settings: Any) -> Any:
    """A driver, made after ``auto_instrument()``; closes at the end of a ``with``."""
    lanebaggage.auto_instrument(**settings)
    return closing(cell.driver(address))


def exchange(driver: Driver, container: Any = None, lane: str | None = "s2") -> Log:
    """Send one message in a lane and receive it outside."""
    log = Log()
    with lanebaggage.lane(lane):
        driver.send("message", container)
    driver.receive(1, log)
    return log


def own_code(cell: Cell, address: Address) -> None:
    with made(cell, address) as driver:
        log = exchange(driver)
    assert log.lanes == [("message", "s2")]
    assert log.values() == [["s2"]]


def object_made_before(cell: Cell, address: Address) -> None:
    with closing(cell.driver(address)) as driver:
        lanebaggage.auto_instrument()
        assert exchange(driver).lanes == [("message", "s2")]


def import_after(cell: Cell, address: Address) -> None:
    code = f"""
import sys, lanebaggage
lanebaggage.auto_instrument()
from matrix.messaging import MESSAGING
from matrix.test_messaging import exchange
from support.brokers import Address
driver = MESSAGING.libraries[{cell.library!r}](Address({address.host!r}, {address.port}))
assert exchange(driver).lanes == [("message", "s2")]
driver.close()
"""
    subprocess.run([sys.executable, "-c", code], cwd=TESTS, env={"PYTHONPATH": str(TESTS)}, check=True, timeout=60)


def next_without_lane(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address) as driver:
        with lanebaggage.lane("s2"):
            driver.send("first")
        driver.send("second")
        driver.receive(2, log)
    assert dict(log.lanes) == {"first": "s2", "second": None}


def asked_in_vain(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address) as driver:
        with lanebaggage.lane("s2"):
            driver.send("message")
        assert driver.receive(1, log) is None
    assert log.lanes == [("message", "s2")]


def closed(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address) as driver:
        with lanebaggage.lane("s2"):
            driver.send("message")
        assert driver.receive_and_close(log) is None
    assert log.lanes == [("message", "s2")]


def batch(cell: Cell, address: Address) -> None:
    lanes = {}

    def handle(messages: list[Seen]) -> None:
        assert lanebaggage.current_lane() is None
        for seen in messages:
            with lanebaggage.extract(seen.headers):
                lanes[seen.body] = lanebaggage.current_lane()

    with made(cell, address) as driver:
        for lane, body in (("s1", "one"), ("s2", "two"), (None, "none")):
            with lanebaggage.lane(lane):
                driver.send(body)
        driver.receive_batch(3, handle)
    assert lanes == {"one": "s1", "two": "s2", "none": None}


def containers(cell: Cell, address: Address) -> None:
    with made(cell, address) as driver:
        for container in driver.containers({"tenant": "t-1"}):
            before = driver.contents(container)
            log = exchange(driver, container)
            assert log.values() == [["s2"]], before
            assert log.values("tenant") == [["t-1"] if "tenant" in str(before) else []], before
            assert driver.contents(container) == before


def positional(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address) as driver:
        container = driver.container({"tenant": "t-1"})
        with lanebaggage.lane("s2"):
            driver.send_positional("with", container)
            driver.send_positional("none", None)
        driver.receive(2, log)
    assert log.lanes == [("with", "s2"), ("none", "s2")]
    assert log.values("tenant") == [["t-1"], []]


def same_object_twice(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address) as driver:
        container = driver.container({"tenant": "t-1"})
        with lanebaggage.lane("s2"):
            driver.send("first", container)
            driver.send("second", container)
        driver.send("outside", container)
        driver.receive(3, log)
    assert {seen.body: seen.values() for seen in log.seen} == {"first": ["s2"], "second": ["s2"], "outside": []}
    assert dict(log.lanes) == {"first": "s2", "second": "s2", "outside": None}


def own_header(cell: Cell, address: Address) -> None:
    with made(cell, address) as driver:
        log = exchange(driver, driver.container({"X-Asm-Prefer-Tag": "mine"}))
    assert log.values() == [["mine"]]
    assert log.lanes == [("message", "mine")]


def own_baggage(cell: Cell, address: Address) -> None:
    with made(cell, address, trace_header="baggage") as driver:
        log = exchange(driver, driver.container({"baggage": "team=a%20b;p=1,x=+1"}))
    assert log.values("baggage") == [["team=a%20b;p=1,x=+1,x-asm-prefer-tag=s2"]]
    assert log.lanes == [("message", "s2")]


def trace_id(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address, trace_header="my-trace-id") as driver:
        with lanebaggage.extract({"my-trace-id": "T-1", HEADER: "s2"}):
            driver.send("message")
        driver.receive(1, log)
    assert log.values("my-trace-id") == [["T-1"]]
    assert log.values() == [["s2"]]
    assert log.lanes == [("message", "s2")]


def handler_raises(cell: Cell, address: Address) -> None:
    log = Log()

    def handle(seen: Seen) -> None:
        log(seen)
        if seen.body == "bad":
            raise RuntimeError("of the handler")

    with made(cell, address) as driver:
        with lanebaggage.lane("s2"):
            driver.send("bad")
        driver.send("good")
        driver.receive(2, handle)
    assert dict(log.lanes) == {"bad": "s2", "good": None}


def redelivery(cell: Cell, address: Address) -> None:
    log = Log()
    with made(cell, address) as driver:
        with lanebaggage.lane("s2"):
            driver.send("message")
        driver.receive_again(log)
    assert log.lanes == [("message", "s2"), ("message", "s2")]


def five_lanes(cell: Cell, address: Address) -> None:
    log = Log()
    messages = [(f"s{number % 5}", f"s{number % 5} {number}") for number in range(20)]
    with made(cell, address) as driver:
        driver.send_each(messages)
        driver.receive(20, log)
    assert sorted(log.lanes) == sorted((body, lane) for lane, body in messages)


def worker_in_request(cell: Cell, address: Address) -> None:
    log = Log()
    lanebaggage.auto_instrument()
    with lanebaggage.lane("request"), closing(cell.driver(address)) as driver:
        with lanebaggage.lane(None):
            driver.send("without")
        with lanebaggage.lane("s2"):
            driver.send("with")
        driver.receive(2, log)
    assert dict(log.lanes) == {"without": None, "with": "s2"}


def instrument_twice(cell: Cell, address: Address) -> None:
    lanebaggage.auto_instrument()
    with made(cell, address) as driver:
        assert exchange(driver).values() == [["s2"]]


def undo(cell: Cell, address: Address) -> None:
    with made(cell, address) as driver:
        found: dict[Any, Any] = {}
        for patch in _patching._installed:
            found.setdefault((patch.owner, patch.name), patch.found)
        assert any(patch.gate.library in MESSAGING_ROWS for patch in _patching._installed)
        lanebaggage.uninstrument()
        for (owner, name), original in found.items():
            assert vars(owner).get(name, _patching._MISSING) is original
        log = exchange(driver)
    assert log.lanes == [("message", None)]
    assert log.values() == [[]]


MESSAGING_ROWS = {entry.library for entry in lanebaggage.instrumentation.TABLE if entry.role == "messaging"}

SITUATIONS: dict[str, Callable[[Any, Any], None]] = {name: globals()[name.replace("-", "_")] for name in MESSAGING.situations}
