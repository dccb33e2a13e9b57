"""One thing that is measured: how to make it, what the peers call it, and how its calls are timed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .configs import Config


@dataclass(frozen=True)
class Case:
    """A case; its name is what the command line takes."""

    name: str
    what: str
    """In words, for the table."""
    side: str
    """``server``, ``client``, ``job`` or ``own``."""
    make: Callable[[Config, str], Callable[[int], float]]
    """Called once per process, after the configuration was switched on, with that and with the situation; gives a function
    that makes so many calls and tells the seconds that they took."""
    situation: str = "lane"
    opentelemetry: tuple[str, ...] = ()
    """Instrumentors, as ``package:Class`` of ``opentelemetry.instrumentation``."""
    ddtrace: tuple[str, ...] = ()
    """Names that ``ddtrace.patch`` takes."""
    sentry: tuple[str, ...] = ()
    """Integrations beyond Sentry's default ones, as ``module:Class`` of ``sentry_sdk.integrations``."""
    only: tuple[str, ...] = ()
    """The only configurations that have it; empty for all."""

    @property
    def library(self) -> str:
        """The name without the situation."""
        return self.name.removesuffix(f"-{self.situation}")


CASES: dict[str, Case] = {}


def add(case: Case) -> None:
    """Enter a case."""
    CASES[case.name] = case


def timed(call: Callable[[], Any], after: Callable[[], Any] = lambda: None) -> Callable[[int], float]:
    """Time a function.

    :param after: tidies up, outside of the time.
    """

    def run(count: int) -> float:
        loops = repeat(None, count)
        start = perf_counter()
        for _ in loops:
            call()
        seconds = perf_counter() - start
        after()
        return seconds

    return run


async def _nothing() -> None:
    pass


def timed_async(
    config: Config, call: Callable[[], Awaitable[Any]], close: Callable[[], Coroutine[Any, Any, None]] = _nothing
) -> Callable[[int], float]:
    """Time a coroutine function, awaited in one task of a loop that the configuration's end closes.

    :param close: awaited there before.
    """

    async def many(count: int) -> float:
        loops = repeat(None, count)
        start = perf_counter()
        for _ in loops:
            await call()
        return perf_counter() - start

    loop = asyncio.new_event_loop()
    config.endings += [loop.close, lambda: loop.run_until_complete(close())]
    return lambda count: loop.run_until_complete(many(count))
