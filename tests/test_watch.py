"""on_hop, stats, the debug mode, and calls that lose the lane in a worker thread."""

from __future__ import annotations

import _thread
import logging
import threading
from typing import TYPE_CHECKING

import pytest

import lanebaggage
from lanebaggage import Hop, _runtime
from lanebaggage._hop import sending
from lanebaggage._watched import WatchedWire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"
SIGNED = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"


@pytest.fixture
def hops() -> Iterator[list[Hop]]:
    seen: list[Hop] = []
    stop = lanebaggage.on_hop(seen.append)
    yield seen
    stop()


@pytest.mark.parametrize(
    ("host", "authorization", "sent", "reason"),
    [
        ("mockb", "", True, ""),
        ("api.partner.example", "", False, "not a host of the mesh"),
        ("mockb", SIGNED, False, "a signed request, and allow does not name the host"),
    ],
)
def test_each_decision_about_a_host_is_told(hops: list[Hop], host: str, authorization: str, sent: bool, reason: str) -> None:
    """A watcher learns host, lane and answer of each outgoing hop."""
    with lanebaggage.lane("s2"):
        sending(host, authorization)
    (hop,) = hops
    assert (hop.direction, hop.host, hop.lane, hop.sent, hop.reason) == ("out", host, "s2", sent, reason)


def test_a_layer_that_is_asked_again_tells_once(hops: list[Hop]) -> None:
    """Where a lower layer decides about the same request, only that one is told."""
    with lanebaggage.lane("s2"):
        sending("mockb", told=True)
        sending("partner.example", told=True)
        sending("mockb", SIGNED, told=True)
    assert hops == []


@pytest.mark.parametrize(
    "read",
    [
        lambda value: _runtime.wire.from_environ({"HTTP_X_ASM_PREFER_TAG": value} if value else {}),
        lambda value: _runtime.wire.from_raw([(HEADER.encode(), value.encode())] if value else []),
        lambda value: _runtime.wire.from_pairs([(HEADER, value)] if value else []),
    ],
    ids=["wsgi", "asgi", "messages"],
)
def test_each_arrival_is_told(hops: list[Hop], read: Callable[[str], object]) -> None:
    """A watcher learns of each incoming request, with its lane or without one."""
    read("s2")
    read("")
    assert [(hop.direction, hop.lane, hop.host) for hop in hops] == [("in", "s2", ""), ("in", None, "")]


def test_a_request_entered_twice_is_told_once(hops: list[Hop]) -> None:
    """A framework below a server that has entered the lane already is not another hop."""
    for value in ("s2", ""):
        with lanebaggage.extract({HEADER: value}):
            _runtime.wire.from_environ({"HTTP_X_ASM_PREFER_TAG": value})
    assert [hop.lane for hop in hops] == ["s2", None]


def test_nobody_watching_costs_nothing() -> None:
    """The watching wire is in force only while there is a watcher."""
    stop = lanebaggage.on_hop(print)
    other = lanebaggage.on_hop(repr)
    stop()
    assert type(_runtime.wire) is WatchedWire
    lanebaggage.auto_instrument()
    assert type(_runtime.wire) is WatchedWire
    other()
    assert type(_runtime.wire) is not WatchedWire


def test_a_watcher_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A callback's error is logged by its type, and the hop goes on."""

    def fail(hop: Hop) -> None:
        raise RuntimeError("secret")

    stop = lanebaggage.on_hop(fail)
    with lanebaggage.lane("s2"):
        assert sending("mockb") is not None
    stop()
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_stats_count_what_happened() -> None:
    """stats() has one number per kind of event."""
    before = lanebaggage.stats()
    with lanebaggage.extract({HEADER: "s2"}):
        lanebaggage.inject({}, url="http://mockb/")
        lanebaggage.inject({}, url="http://partner.example/")
    with lanebaggage.extract({HEADER: "no lane\n"}):
        pass
    after = lanebaggage.stats()
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"extracted": 1, "injected": 1, "refused_host": 1, "refused_value": 1}


# --- the debug mode


@pytest.fixture
def debug(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setenv("LANEBAGGAGE_DEBUG", "1")
    lanebaggage.auto_instrument()
    return caplog


def call(host: str = "mockb") -> None:
    lanebaggage.inject({}, url=f"http://{host}/")


def test_debug_logs_each_decision_once_per_place(debug: pytest.LogCaptureFixture) -> None:
    """A decision is logged with file, line and function, and not again from there."""
    with lanebaggage.lane("s2"):
        for _ in range(3):
            call()
        call("partner.example")
        lanebaggage.inject({}, url="http://mockb/")
    lines = [record.getMessage() for record in debug.records if record.name == "lanebaggage.debug"]
    assert [line.partition(": ")[2] for line in lines] == [
        "a call to mockb in lane s2: it gets the headers",
        "a call to partner.example in lane s2: it gets no header: not a host of the mesh",
        "a call to mockb in lane s2: it gets the headers",
    ]
    assert f"{__file__}:{call.__code__.co_firstlineno + 1} call: " in lines[0]


def test_debug_says_what_arrived(debug: pytest.LogCaptureFixture) -> None:
    """An incoming request is logged with its lane."""
    with lanebaggage.extract({HEADER: "s2"}):
        pass
    assert "a request or message arrived in lane s2" in debug.text


def test_debug_logs_no_text_from_outside(debug: pytest.LogCaptureFixture) -> None:
    """A host that is not made of host characters is not logged."""
    with lanebaggage.lane("s2"):
        sending("evil\nINFO forged")
    assert "a call to a host in lane s2" in debug.text
    assert "forged" not in debug.text


def test_debug_prints_where_no_logging_is_set_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a handler of the application's, the debug mode writes to stderr; with one, it does not."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    lanebaggage.auto_instrument(debug=True)
    with lanebaggage.lane("s2"):
        call()
        assert "a call to mockb in lane s2: it gets the headers" in capsys.readouterr().err
        logging.getLogger().addHandler(logging.NullHandler())
        call("mockc")
    assert capsys.readouterr().err == ""


def test_debug_ends_with_the_setting() -> None:
    """Without the setting nothing is watched, and no handler stays."""
    lanebaggage.auto_instrument(debug=True)
    lanebaggage.uninstrument()
    lanebaggage.auto_instrument(debug=False)
    assert type(_runtime.wire) is not WatchedWire
    assert logging.getLogger("lanebaggage.debug").handlers == []


# --- worker threads


def in_worker(make: Callable[[], object], *, daemon: bool = True) -> None:
    """Start a worker inside a lane, and have it call ``make`` once the lane is over."""
    begin = threading.Event()

    def work() -> None:
        begin.wait()
        make()

    with lanebaggage.lane("s2"):
        worker = threading.Thread(target=work, name="flusher", daemon=daemon)
        worker.start()
    begin.set()
    worker.join()


def test_a_call_without_lane_from_a_worker_is_counted_and_explained(debug: pytest.LogCaptureFixture) -> None:
    """A daemon thread started inside a lane has none; its calls are counted, and the debug mode names thread and lane."""
    before = lanebaggage.stats()["lost_in_thread"]
    in_worker(call)
    assert lanebaggage.stats()["lost_in_thread"] == before + 1
    assert "in no lane, from the thread 'flusher', which was started in lane s2: a daemon thread" in debug.text


def test_a_thread_that_a_worker_starts_is_one_too(debug: pytest.LogCaptureFixture) -> None:
    """A call without a lane is found in a thread that a worker of the lane has started, daemon or not."""
    before = lanebaggage.stats()["lost_in_thread"]

    def start_another() -> None:
        another = threading.Thread(target=call, name="another")
        another.start()
        another.join()

    in_worker(start_another)
    assert lanebaggage.stats()["lost_in_thread"] == before + 1
    assert "in no lane, from the thread 'another', which was started in lane s2" in debug.text


def test_a_low_level_thread_is_a_worker(debug: pytest.LogCaptureFixture) -> None:
    """A call from a thread of ``_thread`` that was started in a lane is found, until that thread ends."""
    before = lanebaggage.stats()["lost_in_thread"]
    ended = threading.Event()

    def work(*arguments: object, **more: object) -> None:
        seen.append((arguments, more))
        call()
        ended.set()

    seen: list[object] = []
    with lanebaggage.lane("s2"):
        _thread.start_new_thread(work, (1,), {"a": 2})
    assert ended.wait(30)
    assert seen == [((1,), {"a": 2})]
    assert lanebaggage.stats()["lost_in_thread"] == before + 1
    assert "which was started in lane s2" in debug.text
    with pytest.raises(TypeError):
        _thread.start_new_thread(7, ())  # type: ignore[arg-type] # wrong on purpose


def test_a_worker_that_enters_a_lane_loses_nothing(debug: pytest.LogCaptureFixture) -> None:
    """A worker that enters its job's lane, and a job that is no worker, are not counted."""
    before = lanebaggage.stats()["lost_in_thread"]
    in_worker(lanebaggage.lane("s3")(call))
    in_worker(call, daemon=False)
    assert lanebaggage.stats()["lost_in_thread"] == before
    assert "no lane" not in debug.text
