"""What the applications under test share: a probe that notes the lane at each place, and bodies that views use."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lanebaggage import current_lane, inject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

FILE = __file__
"""Served by file responses."""


class HandledError(Exception):
    """Raised by views; each application has an error handler for it."""


@dataclass
class Answer:
    """What a client got."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.body.decode()


class Probe:
    """Called with a place, notes the lane there, and what a request made there would carry; gives the lane as text."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self.outgoing: list[dict[str, str]] = []
        self._reached: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def __call__(self, place: str = "view") -> str:
        lane = current_lane()
        self.seen.append((place, lane))
        self.outgoing.append(inject({}))
        self._reached[place].set()
        return str(lane)

    def lanes(self, *places: str) -> list[str | None]:
        """The lanes noted at these places, in order."""
        return [lane for place, lane in self.seen if place in places]

    def wait_for(self, place: str) -> None:
        """Block until a place is reached."""
        assert self._reached[place].wait(10), f"{place} was not reached; {self.seen}"

    async def until(self, place: str) -> None:
        """Let other tasks run until a place is reached."""
        await asyncio.get_running_loop().run_in_executor(None, self.wait_for, place)

    def views(self) -> dict[str, Callable[[], str]]:
        """Paths to synchronous views that give a text."""
        return {
            "/lane": self,
            "/sub/lane": self,
            "/fail": self.fail,
            "/thread": self.threaded,
            "/timeout": self.timed_sync,
        }

    def fail(self) -> str:
        """A view that raises."""
        self("failing")
        raise HandledError

    def chunks(self) -> Iterator[bytes]:
        """A body of three chunks."""
        try:
            for _ in range(3):
                yield f"{self('chunk')} ".encode()
        finally:
            self("cleanup")

    async def achunks(self) -> AsyncIterator[bytes]:
        """The same, asynchronous."""
        try:
            for _ in range(3):
                yield f"{self('chunk')} ".encode()
                await asyncio.sleep(0)
        finally:
            self("cleanup")

    async def hold(self) -> AsyncIterator[bytes]:
        """A body that never ends."""
        try:
            yield b"first"
            self("waiting")
            await asyncio.Event().wait()
        finally:
            self("cleanup")

    async def wait(self) -> None:
        """A view that never answers."""
        try:
            self("waiting")
            await asyncio.Event().wait()
        finally:
            self("cleanup")

    async def timed(self) -> str:
        """A view that gives up on a part of its work."""

        async def inner() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self("cleanup")

        try:
            await asyncio.wait_for(inner(), 0.001)
        except asyncio.TimeoutError:
            pass
        return self("timed")

    def timed_sync(self) -> str:
        """The same in a thread of its own."""
        go_on = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(lambda: (go_on.wait(10), self("cleanup")))
            try:
                job.result(0.001)
            except Exception:
                pass
            go_on.set()
        return self("timed")

    def threaded(self) -> str:
        """A view that has a pool do its work."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self, "thread").result()

    async def threaded_async(self) -> str:
        """The same from a coroutine."""
        return await asyncio.get_running_loop().run_in_executor(None, self, "thread")
