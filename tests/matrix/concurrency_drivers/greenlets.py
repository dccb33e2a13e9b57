"""Drivers of gevent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lanebaggage

from .base import SECONDS, Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    Jobs = list[tuple[str | None, Callable[..., Any], tuple[Any, ...]]]


class Spawn(Driver):
    """``gevent.spawn``, ``spawn_later``, and ``Greenlet`` by hand, in turn."""

    distribution = "gevent"
    cancelled = ("s2",)

    def __init__(self) -> None:
        import gevent

        self.spawn = [gevent.spawn, lambda *call: gevent.spawn_later(0, *call), self.by_hand]

    @staticmethod
    def by_hand(job: Callable[..., Any], *args: Any) -> Any:
        import gevent

        class Own(gevent.Greenlet):
            def _run(self) -> Any:
                gevent.sleep(0)
                return job(*args)

        greenlet = Own()
        greenlet.start()
        return greenlet

    def run_each(self, jobs: Jobs) -> list[Any]:
        greenlets = []
        for number, (lane, job, args) in enumerate(jobs):
            with lanebaggage.lane(lane):
                greenlets.append(self.spawn[number % len(self.spawn)](job, *args))
        return [greenlet.get(timeout=SECONDS) for greenlet in greenlets]

    def cancel(self, seen: list[str | None]) -> None:
        import gevent

        def job() -> None:
            try:
                gevent.sleep(SECONDS)
            finally:
                seen.append(lanebaggage.current_lane())

        greenlet = self.spawn[0](job)
        gevent.sleep(0)
        greenlet.kill()

    def work(self, job: Callable[..., Any]) -> Any:
        with lanebaggage.lane(None):
            greenlet = self.spawn[0](job)
        return greenlet.get(timeout=SECONDS)


class Pool(Spawn):
    """``gevent.pool.Pool``."""

    def __init__(self) -> None:
        from gevent.pool import Pool as GeventPool

        self.pool = GeventPool(50)
        self.spawn = [self.pool.spawn, self.pool.apply_async]

    def run_each(self, jobs: Jobs) -> list[Any]:
        greenlets = []
        for lane, job, args in jobs:
            with lanebaggage.lane(lane):
                greenlets.append(self.pool.spawn(job, *args))
        return [greenlet.get(timeout=SECONDS) for greenlet in greenlets]


class ThreadPool(Driver):
    """``gevent.threadpool.ThreadPool``, one native thread."""

    distribution = "gevent"

    def __init__(self) -> None:
        from gevent.threadpool import ThreadPool as GeventThreadPool

        self.pool = GeventThreadPool(1)

    def run_each(self, jobs: Jobs) -> list[Any]:
        results = []
        for lane, job, args in jobs:
            with lanebaggage.lane(lane):
                results.append(self.pool.spawn(job, *args))
        return [result.get(timeout=SECONDS) for result in results]

    def close(self) -> None:
        self.pool.kill()
