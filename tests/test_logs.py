"""The lane on log records of logging, structlog and loguru."""

from __future__ import annotations

import io
import logging
import logging.handlers
import queue
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage.logs import LaneFilter, add_to_records, loguru_patcher, structlog_processor

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, logging.StreamHandler[io.StringIO]]]:
    """A logger, and a handler of its parent that prints the lane."""
    parent, child = (logging.getLogger(name) for name in ("lanebaggage-test", "lanebaggage-test.orders"))
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(lane)s %(message)s"))
    parent.addHandler(handler)
    parent.setLevel(logging.INFO)
    parent.propagate = False
    yield child, handler
    child.handlers.clear()
    child.propagate = True
    parent.removeHandler(handler)


def inside_and_outside(info: Any) -> None:
    with lanebaggage.lane("s2"):
        info("in")
    info("out")


def test_a_handlers_filter_gives_records_the_lane(log: Any) -> None:
    """A format may name the lane, inside and outside of lanes, for the records of every child."""
    logger, handler = log
    handler.addFilter(LaneFilter())
    inside_and_outside(logger.info)
    assert handler.stream.getvalue() == "s2 in\n- out\n"


@pytest.fixture
def own_factory() -> Iterator[None]:
    """A record factory of the application's."""
    before = logging.getLogRecordFactory()

    def own(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.msg = f"own {record.msg}"
        return record

    logging.setLogRecordFactory(own)
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("own_factory")
def test_every_record_has_the_lane(log: Any) -> None:
    """All loggers' records get it, beside a factory of the application's, until that is ended and nothing is left."""
    before = logging.Logger.makeRecord
    stop = add_to_records()
    inside_and_outside(log[0].info)
    assert log[1].stream.getvalue() == "s2 own in\n- own out\n"
    stop()
    assert logging.Logger.makeRecord is before


def test_a_lane_that_the_application_logs_is_kept(log: Any) -> None:
    """``extra={"lane": ...}`` is neither an error nor replaced."""
    stop = add_to_records()
    with lanebaggage.lane("s2"):
        log[0].info("in", extra={"lane": "own"})
    stop()
    assert log[1].stream.getvalue() == "own in\n"


def test_what_was_patched_on_top_stays(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended below somebody else's patch, ours does nothing any more, and theirs goes on."""
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)  # put back at the end
    stop = add_to_records()
    ours = logging.Logger.makeRecord

    def theirs(self: Any, *args: Any, **kwargs: Any) -> logging.LogRecord:
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(logging.Logger, "makeRecord", theirs)
    stop()
    assert logging.Logger.makeRecord is theirs
    assert not hasattr(log[0].makeRecord("a", logging.INFO, "f", 1, "m", (), None), "lane")


def test_the_setting_does_it_without_code(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``LANEBAGGAGE_LOG_RECORDS=1`` gives every record the lane, and ``uninstrument()`` ends it."""
    before = logging.Logger.makeRecord
    monkeypatch.setenv("LANEBAGGAGE_LOG_RECORDS", "1")
    lanebaggage.auto_instrument()
    inside_and_outside(log[0].info)
    assert log[1].stream.getvalue() == "s2 in\n- out\n"
    lanebaggage.uninstrument()
    assert logging.Logger.makeRecord is before


def test_a_queue_handler_keeps_the_lane_of_who_logged(log: Any) -> None:
    """A record written by another thread has the lane in which it was made, and a filter there does not replace it."""
    logger, handler = log
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger.addHandler(logging.handlers.QueueHandler(records))
    logger.propagate = False
    handler.addFilter(LaneFilter())
    stop = add_to_records()
    with lanebaggage.lane("s2"):
        logger.info("queued")
    stop()
    handler.handle(records.get(timeout=5))
    assert handler.stream.getvalue() == "s2 queued\n"


def test_structlog_events_have_the_lane() -> None:
    """The processor adds the lane where there is one, and keeps an event's own."""
    import structlog

    entries = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[structlog_processor, entries])
    inside_and_outside(logger.info)
    with lanebaggage.lane("s2"):
        logger.info("own", lane="mine")
    assert [(entry["event"], entry.get("lane")) for entry in entries.entries] == [("in", "s2"), ("out", None), ("own", "mine")]


def test_loguru_records_have_the_lane() -> None:
    """The patcher puts the lane among the extras, where a format finds it, and keeps a bound one."""
    from loguru import logger

    lines = io.StringIO()
    sink = logger.add(lines, format="{extra[lane]} {message}")
    patched = logger.patch(loguru_patcher)
    inside_and_outside(patched.info)
    with lanebaggage.lane("s2"):
        patched.bind(lane="mine").info("own")
    logger.remove(sink)
    assert lines.getvalue() == "s2 in\n- out\nmine own\n"


def test_none_of_the_libraries_is_imported_for_it() -> None:
    """A service that logs with one of them does not pay for the others."""
    code = "import sys, lanebaggage.logs; print({'structlog', 'loguru', 'opentelemetry'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
