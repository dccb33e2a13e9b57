"""A Celery application as its worker imports it: instrumented by one line, like any other service."""

from __future__ import annotations

import os

import celery

import lanebaggage

app = celery.Celery(broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(task_default_queue=os.environ["QUEUE"], broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1)


@app.task
def lane(*_: object) -> str | None:
    return lanebaggage.current_lane()


@app.task(bind=True, max_retries=1)
def flaky(self: celery.Task) -> list[str | None]:
    """Fails the first time; its retry tells the lane."""
    if not self.request.retries:
        raise self.retry(countdown=0)
    return [lanebaggage.current_lane()]


@app.task
def failing() -> None:
    raise LookupError("of the task")


@app.task
def told(identifier: str) -> str | None:
    """Takes one argument: a worker runs an error callback of more without a message."""
    return lanebaggage.current_lane()


@app.task
def publishing() -> str:
    """Publishes a task of its own and returns its identifier."""
    return lane.delay().id


@app.task
def collect(lanes: list[str | None]) -> list[str | None]:
    return [*lanes, lanebaggage.current_lane()]


lanebaggage.auto_instrument()
