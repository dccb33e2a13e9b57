"""A response of an application without a socket: its head, and its body as it is made, to a thread or a coroutine."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .hops import Hop
    from .traffic import Headers

logger: Final = logging.getLogger("lanebaggage.mesh")

_AHEAD: Final = 16
"""Chunks that an application may be ahead of whoever reads its response."""


class Head(NamedTuple):
    """Status line and headers."""

    status: int
    reason: str
    headers: Headers


Event: TypeAlias = "Head | bytes | Exception | None"
"""A head, then chunks, then None; an exception where the rest will never come."""


class Reply:
    """A response that a thread reads.

    :param head: its status line and headers.
    :param chunks: its body.
    :param finish: called once, when the body has been read or is given up.
    """

    def __init__(self, head: Head, chunks: Iterator[bytes], finish: Callable[[], None]) -> None:
        self.head = head
        self._chunks = chunks
        self._finish: Callable[[], None] | None = finish

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        finally:
            self.close()

    def close(self) -> None:
        """Give up the rest of the body."""
        if (finish := self._finish) is not None:
            self._finish = None
            finish()


class AsyncReply:
    """A response that a coroutine reads; otherwise as :class:`Reply`."""

    def __init__(self, head: Head, chunks: AsyncIterator[bytes], finish: Callable[[], None]) -> None:
        self.head = head
        self._chunks = chunks
        self._finish: Callable[[], None] | None = finish

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Give up the rest of the body."""
        if (finish := self._finish) is not None:
            self._finish = None
            finish()


class Sink:
    """Where an application in another thread puts its response; it waits while the reader is behind."""

    def __init__(self) -> None:
        self.closed = False
        """Whether nobody reads any more."""
        self.on_close: Callable[[], None] | None = None
        self._pending = 0
        self._resume: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def put(self, event: Event) -> None:
        """Hand on the next part."""
        with self._lock:
            self._pending += 1
        self._deliver(event)

    def full(self, resume: Callable[[], None]) -> bool:
        """Whether the reader is behind; then ``resume`` is called once it is not."""
        with self._lock:
            if self.closed or self._pending < _AHEAD:
                return False
            self._resume = resume
            return True

    @staticmethod
    def head(event: Event) -> Head:
        """The first part, which is a head unless the application was stopped."""
        if isinstance(event, Exception):
            raise event
        assert isinstance(event, Head)
        return event

    def close(self) -> None:
        """Say that nobody reads any more."""
        with self._lock:
            self.closed = True
            calls = [self._resume, self.on_close]
            self._resume = self.on_close = None
        for call in calls:
            if call is not None:
                call()

    def _deliver(self, event: Event) -> None:
        raise NotImplementedError

    def _took(self) -> None:
        with self._lock:
            self._pending -= 1
            resume = self._resume if self._pending < _AHEAD else None
            if resume is not None:
                self._resume = None
        if resume is not None:
            resume()


class ThreadSink(Sink):
    """Read by a thread.

    :param timeout: seconds that a read may wait.
    :param who: is waited for, for the message.
    """

    def __init__(self, timeout: float, who: str) -> None:
        super().__init__()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._timeout = timeout
        self._who = who

    def _deliver(self, event: Event) -> None:
        self._events.put(event)

    def take(self) -> Event:
        """The next part.

        :raises TimeoutError: it did not come in time.
        """
        try:
            event = self._events.get(timeout=self._timeout)
        except queue.Empty:
            self.close()
            raise TimeoutError(f"{self._who} did not answer within {self._timeout:g} s") from None
        self._took()
        return event

    def chunks(self) -> Iterator[bytes]:
        """The body."""
        while (event := self.take()) is not None:
            if isinstance(event, Exception):
                raise event
            if isinstance(event, bytes):
                yield event


class TaskSink(Sink):
    """Read by a coroutine of the running loop; otherwise as :class:`ThreadSink`."""

    def __init__(self, timeout: float, who: str) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._timeout = timeout
        self._who = who

    def _deliver(self, event: Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the reader's loop has been closed
            self.close()

    async def take(self) -> Event:
        """The next part.

        :raises TimeoutError: it did not come in time.
        """
        try:
            event = await asyncio.wait_for(self._events.get(), self._timeout)
        except asyncio.TimeoutError:
            self.close()
            raise TimeoutError(f"{self._who} did not answer within {self._timeout:g} s") from None
        self._took()
        return event

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body."""
        while (event := await self.take()) is not None:
            if isinstance(event, Exception):
                raise event
            if isinstance(event, bytes):
                yield event


def failed(hop: Hop, error: BaseException) -> Head:
    """Note that an application raised, and answer as a server does."""
    hop.error = hop.error or f"{type(error).__name__}: {error}"
    logger.error("%s %s raised while it served %s %s", hop.service, hop.version, hop.method, hop.path, exc_info=error)
    return Head(500, "Internal Server Error", [("content-type", "text/plain; charset=utf-8"), ("content-length", "21")])


FAILED: Final = b"Internal Server Error"


def broken(hop: Hop, error: BaseException) -> ConnectionResetError:
    """Note that an application raised while its body was read: the connection ends there."""
    failed(hop, error)
    return ConnectionResetError(f"{hop.service} {hop.version} failed while its response was read: {hop.error}")
