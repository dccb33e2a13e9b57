"""Work that is handed on: a thread pool's ``submit`` and the publishing of a Celery task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import traffic
from ..case import Case, add, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..configs import Config

JOBS = 50


def executor(config: Config, situation: str) -> Callable[[int], float]:
    from concurrent.futures import ThreadPoolExecutor

    config.serve(traffic.headers(situation))
    pool = ThreadPoolExecutor(1)
    config.endings.append(pool.shutdown)

    def jobs() -> None:
        for future in [pool.submit(int) for _ in range(JOBS)]:
            future.result()

    run = timed(jobs)
    return lambda count: run(max(1, count // JOBS)) * count / (max(1, count // JOBS) * JOBS)


def celery(config: Config, situation: str) -> Callable[[int], float]:
    from celery import Celery
    from kombu.transport.memory import Channel

    app = Celery("bench", broker="memory://", set_as_current=False)

    @app.task(name="bench.task", ignore_result=True)
    def task() -> None:
        """Never run."""

    config.serve(traffic.headers(situation))
    return timed(task.delay, after=Channel.queues.clear)


add(
    Case(
        "executor",
        "ThreadPoolExecutor.submit and result",
        "job",
        executor,
        opentelemetry=("threading:ThreadingInstrumentor",),
        ddtrace=("futures",),
    )
)
add(
    Case(
        "celery",
        "Celery publish, broker in memory",
        "job",
        celery,
        opentelemetry=("celery:CeleryInstrumentor",),
        ddtrace=("celery",),
    )
)
