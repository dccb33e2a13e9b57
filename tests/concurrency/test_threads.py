"""Threads: who counts as a worker, and what a thread of its own context keeps."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context
from typing import Any

import pytest

import lanebaggage


def lane_of(thread: threading.Thread, seen: list[str | None]) -> str | None:
    thread.start()
    thread.join()
    return seen.pop()


@pytest.fixture
def seen() -> list[str | None]:
    lanebaggage.auto_instrument()
    return []


def test_who_is_a_worker(seen: list[str | None]) -> None:
    """A thread that its creator made a daemon, by argument or attribute, is one; ``daemon=False`` is a job."""

    def note() -> None:
        seen.append(lanebaggage.current_lane())

    by_attribute = threading.Thread(target=note)
    by_attribute.daemon = True
    changed = threading.Thread(target=note, daemon=True)
    changed.daemon = False
    with lanebaggage.lane("s2"):
        assert lane_of(threading.Thread(target=note, daemon=True), seen) is None
        assert lane_of(by_attribute, seen) is None
        assert lane_of(changed, seen) == "s2"
        assert lane_of(threading.Thread(target=note, daemon=False), seen) == "s2"


def test_daemon_by_inheritance_is_a_job(seen: list[str | None]) -> None:
    """A thread that is a daemon only because its creator runs in one is a job."""

    def job() -> None:
        with lanebaggage.lane("s2"):
            inner = threading.Thread(target=lambda: seen.append(lanebaggage.current_lane()))
            assert inner.daemon
            inner.start()
            inner.join()

    worker = threading.Thread(target=job, daemon=True)
    worker.start()
    worker.join()
    assert seen == ["s2"]


def test_daemon_timer_is_a_job(seen: list[str | None]) -> None:
    """A timer runs one job, daemon or not."""
    timer = threading.Timer(0, lambda: seen.append(lanebaggage.current_lane()))
    timer.daemon = True
    with lanebaggage.lane("s2"):
        assert lane_of(timer, seen) == "s2"


class Inheriting(threading.Thread):
    """A thread in a copy of its starter's context, as Python 3.14 has it where ``sys.flags.thread_inherit_context`` is set."""

    def start(self) -> None:
        self.inherited = copy_context()
        super().start()

    def _bootstrap(self) -> None:
        self.inherited.run(super()._bootstrap)  # type: ignore[misc]


def test_inherited_context(seen: list[str | None]) -> None:
    """Where threads inherit the whole context a job has its lane and a worker none, as elsewhere."""

    def note() -> None:
        seen.append(lanebaggage.current_lane())

    with lanebaggage.lane("s2"):
        assert lane_of(Inheriting(target=note), seen) == "s2"
        assert lane_of(Inheriting(target=note, daemon=True), seen) is None
    assert lane_of(Inheriting(target=note), seen) is None


def test_own_context_is_kept(seen: list[str | None]) -> None:
    """A thread that was given a context (Python 3.14's ``context=``) is left to it."""
    own = Context()

    class Given(threading.Thread):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._context = own  # where Python 3.14 keeps the argument

        def _bootstrap(self) -> None:
            own.run(super()._bootstrap)  # type: ignore[misc]

    with lanebaggage.lane("s2"):
        assert lane_of(Given(target=lambda: seen.append(lanebaggage.current_lane())), seen) is None


def test_thread_object_is_left_as_it_was(seen: list[str | None]) -> None:
    """After ``start`` the thread object has the attributes that it had; a ``run`` of its own included."""
    thread = threading.Thread(target=lambda: None)
    own = threading.Thread()
    own.run = run = lambda: seen.append(lanebaggage.current_lane())  # type: ignore[method-assign]
    with lanebaggage.lane("s2"):
        thread.start()
        assert lane_of(own, seen) == "s2"
    thread.join()
    assert "run" not in vars(thread)
    assert vars(own)["run"] is run


def test_thread_that_cannot_start(seen: list[str | None]) -> None:
    """An error of ``start`` is the application's, and leaves the thread object as it was."""
    thread = threading.Thread(target=lambda: None)
    with lanebaggage.lane("s2"):
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError):
            thread.start()
    assert "run" not in vars(thread)
