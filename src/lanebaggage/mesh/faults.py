"""Faults: what an instance does instead of answering, or before it; the same on every engine.

A stopped instance is missing, so that its requests fall back. One that fails, is slow or hangs is there as far as a mesh can
tell: its requests go to it, as they do in production until a health check or outlier detection finds out.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .hops import Hop
    from .topology import Instance

FOREVER: Final = float("inf")


class Fault:
    """A fault of some instances until :meth:`end`; as a context manager, until the block's end.

    :param what: in words, for the drawing.
    :param instances: that have it.
    :param changed: told once it is over.
    :param seconds: that a request waits.
    :param status: that is answered in the application's place; None to let the application answer.
    """

    def __init__(
        self,
        what: str,
        instances: Sequence[Instance],
        changed: Callable[[Fault], None],
        *,
        seconds: float = 0.0,
        status: int | None = None,
    ) -> None:
        self.what = what
        self.instances = tuple(instances)
        self.seconds = seconds
        self.status = status
        self.over = False
        self._changed = changed
        self._waiting: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def end(self) -> None:
        """Have the instances behave again; requests that wait go on. May be called twice."""
        with self._lock:
            if self.over:
                return
            self.over = True
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
        self._changed(self)

    def when_over(self, call: Callable[[], object]) -> None:
        """Have a function called, from any thread, once the fault is over."""
        with self._lock:
            if not self.over:
                self._waiting.append(call)
                return
        call()

    def __enter__(self) -> Fault:  # noqa: PYI034 - typing has no Self in 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<{self.what} of {', '.join(map(str, self.instances))}{', over' if self.over else ''}>"


class Answer(NamedTuple):
    """What is answered in an application's place."""

    status: int
    reason: str


def hold(hop: Hop, timeout: float) -> Answer | None:
    """Do what the faults of the instance say that serves a hop; waits in this thread.

    :param timeout: seconds that the caller waits at most.
    :return: the answer; None where the application shall answer.
    :raises TimeoutError: the caller has waited too long.
    """
    instance = hop.instance
    assert instance is not None
    until = min(time.monotonic() + timeout, hop.call.deadline)
    for fault in instance.faults:
        _note(hop, fault)
        if fault.seconds:
            over = threading.Event()
            fault.when_over(over.set)
            left = until - time.monotonic()
            if not over.wait(max(0.0, min(fault.seconds, left, threading.TIMEOUT_MAX))) and fault.seconds > left:
                raise TimeoutError(f"{instance} did not answer in time: a fault, {fault.what}")
    return _answer(instance.faults)


async def hold_async(hop: Hop, timeout: float) -> Answer | None:
    """As :func:`hold`, for a coroutine."""
    instance = hop.instance
    assert instance is not None
    loop = asyncio.get_running_loop()
    until = min(time.monotonic() + timeout, hop.call.deadline)
    for fault in instance.faults:
        _note(hop, fault)
        if fault.seconds:
            over = asyncio.Event()
            fault.when_over(lambda over=over: _soon(loop, over))  # type: ignore[misc] # bound now
            left = until - time.monotonic()
            try:
                await asyncio.wait_for(over.wait(), max(0.0, min(fault.seconds, left)))
            except asyncio.TimeoutError:
                if fault.seconds > left:
                    raise TimeoutError(f"{instance} did not answer in time: a fault, {fault.what}") from None
    return _answer(instance.faults)


def _soon(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(over.set)
    except RuntimeError:  # whoever waited is gone
        pass


def _note(hop: Hop, fault: Fault) -> None:
    hop.note = "; ".join(filter(None, (hop.note, f"fault: {fault.what}")))


def _answer(faults: Sequence[Fault]) -> Answer | None:
    failing = [fault for fault in faults if fault.status is not None]
    if not failing or failing[-1].status is None:
        return None
    return Answer(failing[-1].status, f"fault: {failing[-1].what}")
