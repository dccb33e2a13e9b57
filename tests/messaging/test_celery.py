"""Celery with real workers of each pool: tasks, retries, chains, chords, and one task after another."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

import lanebaggage
from support.brokers import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.brokers import Address

TESTS = Path(__file__).parents[1]
SECONDS = 60


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, rabbitmq: Address, redis: Address) -> Iterator[Any]:
    """The application module, with a queue of its own."""
    for name, value in (("BROKER", rabbitmq.amqp), ("BACKEND", redis.redis), ("QUEUE", f"celery-{uuid4().hex}")):
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "messaging.celery_app", raising=False)
    import messaging.celery_app as module

    yield module
    module.app.close()


POOLS = {
    "prefork": ["--concurrency=1"],
    "prefork, one task a process": ["--concurrency=4", "--max-tasks-per-child=1"],
    "threads": ["--concurrency=2"],
    "solo": [],
    "gevent": ["--concurrency=10"],
}


@pytest.mark.parametrize("pool", POOLS)
def test_pool(app: Any, pool: str) -> None:
    """A worker runs each task, retry, link of a chain and chord in the lane of its message, and the next in none."""
    command = [sys.executable, "-m", "celery", "-A", "messaging.celery_app", "worker", "--loglevel=INFO"]
    command += [f"--pool={pool.partition(',')[0]}", "--without-gossip", "--without-mingle", *POOLS[pool]]
    with running(command, {**os.environ, "PYTHONPATH": str(TESTS)}, " ready."):
        with lanebaggage.lane("s2"):
            results = {
                "task": app.lane.delay(),
                "by name": app.app.send_task("messaging.celery_app.lane"),
                "later": app.lane.apply_async(countdown=0.01),
                "retry": app.flaky.delay(),
                "chain": (app.lane.s() | app.lane.s()).delay(),
                "linked": app.lane.apply_async(link=app.lane.s().set(task_id=(linked := uuid4().hex))),
                "failed": app.failing.apply_async(link_error=app.told.s().set(task_id=(on_error := uuid4().hex))),
                "publishing": app.publishing.delay(),
            }
        with lanebaggage.lane("s3"):
            results["chord"] = app.celery.chord([app.lane.s(), app.lane.s()])(app.collect.s())
        results["outside"] = app.lane.delay()
        lanes = {name: result.get(SECONDS, propagate=False) for name, result in results.items()}
        assert isinstance(lanes.pop("failed"), LookupError)
        for name, identifier in (("linked", linked), ("failed", on_error), ("publishing", lanes["publishing"])):
            lanes[name] = app.app.AsyncResult(identifier).get(SECONDS)
    expected: dict[str, Any] = dict.fromkeys(lanes, "s2")
    assert lanes == {**expected, "retry": ["s2"], "chord": ["s3", "s3", "s3"], "outside": None}


def test_eager(app: Any) -> None:
    """An eager task, and one that is called directly, is in the lane of its caller."""
    with lanebaggage.lane("s2"):
        assert app.lane.apply().get() == "s2"
        assert app.lane() == "s2"
        app.app.conf.task_always_eager = True
        assert app.lane.delay().get() == "s2"
        assert app.flaky.delay().get() == ["s2"]
    assert app.lane.delay().get() is None


def test_a_tracer_is_deleted_once(app: Any) -> None:
    """Deleting a task's tracer, as tests of Celery's do, fails where it has none as it fails without lanebaggage."""
    app.lane.__trace__ = lambda *_: None
    del app.lane.__trace__
    assert app.lane.__trace__ is None
    with pytest.raises(AttributeError, match="__trace__"):
        del app.lane.__trace__
