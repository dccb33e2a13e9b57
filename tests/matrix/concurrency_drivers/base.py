"""What a driver of jobs does, and the jobs themselves, which another process can import."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import lanebaggage

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 30


class JobError(Exception):
    """Raised by a job."""


def lane() -> str | None:
    return lanebaggage.current_lane()


def fail() -> None:
    raise JobError(lanebaggage.current_lane())


def nested(driver: type[Driver]) -> str | None:
    """A job that has another job done, by a driver of its own."""
    lanebaggage.auto_instrument()  # as the main module of a spawned process does
    inner = driver()
    try:
        return inner.run(lane)
    finally:
        inner.close()


class Driver:
    """Runs jobs somewhere else."""

    distribution = ""
    cancelled: tuple[str | None, ...] = ()
    """The lane that a job of lane ``s2`` sees while it is cancelled; nothing where only a job that waits can be."""

    many = 200
    """Jobs at the same time; less where each is a process."""

    def run(self, job: Callable[..., Any], *args: Any) -> Any:
        """Have one job done, and wait for what it returns or raises."""
        return self.run_each([(lanebaggage.current_lane(), job, args)])[0]

    def run_each(self, jobs: list[tuple[str | None, Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
        """Have jobs done at the same time, each handed over in a lane; waits for all."""
        raise NotImplementedError

    def nested(self) -> str | None:
        """Have a job done that hands over a job of its own, and return the lane of that."""
        return self.run(nested, type(self))

    def cancel(self, seen: list[str | None]) -> None:
        """Have a job cancelled; one that was running notes its lane."""
        raise NotImplementedError

    def work(self, job: Callable[..., Any]) -> Any:
        """Start a long-lived worker, as the page on threads says, and have it do a job that nobody handed over."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything that was started."""


class Outcome:
    """What one job returned or raised, for those who cannot ask their thread."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self, job: Callable[..., Any], *args: Any) -> None:
        try:
            self.value = job(*args)
        except BaseException as error:
            self.error = error
        finally:
            self.done.set()

    def get(self) -> Any:
        assert self.done.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return self.value
