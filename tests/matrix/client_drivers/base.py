"""What a driver of a client offers to the situations, and how synchronous and asynchronous ones do the common part."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lanebaggage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextlib import AbstractContextManager

    from support.recorder import Recorder

Job = tuple[str, str]
"""A lane and a URL."""


@dataclass
class Reply:
    """What a driver gives back of an answer."""

    status: int
    body: bytes


def path_of(url: str) -> str:
    """What stands in the request line for a URL."""
    return "/" + url.split("/", 3)[3]


class Driver:
    """A client; made with ``proxy`` (a URL), ``ca`` (a file) or ``http2`` where a situation wants that.

    A subclass has the methods of the situations that apply to it; the others are named, with a reason, in the table.
    """

    distribution = ""
    module = ""
    """Not imported before the driver is made."""
    patched: tuple[str, ...] = ()
    """Rows of the report whose patches serve it."""
    resolves = True
    """Whether it asks this process for the address of a name; where not, a proxy does."""
    asynchronous = False

    def __init__(self, *, proxy: str = "", ca: str = "", http2: bool = False) -> None:
        self.proxy = proxy
        self.ca = ca
        self.http2 = http2

    @staticmethod
    def server() -> AbstractContextManager[Recorder]:
        """A recorder that the client can talk to."""
        from support.recorder import recording

        return recording()

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        """Make a request, which follows redirects, and read the answer."""
        raise NotImplementedError

    def containers(self) -> Iterator[Any]:
        """Headers, in every type that is legal here, that say ``X-Mine: 1``."""
        yield {"X-Mine": "1"}
        yield None

    def function(self) -> Callable[[str], object]:
        """What ``from library import function`` gives, taken now."""
        raise NotImplementedError

    def stream(self, url: str) -> Iterator[bytes]:
        """The chunks of an answer, as they come."""
        raise NotImplementedError

    def uploads(self, path: Any) -> Iterator[Any]:
        """Bodies, of every kind that is streamed, that say ``onetwo``; the path is that of a file that does."""

        def generator() -> Iterator[bytes]:
            yield b"one"
            yield b"two"

        yield generator()
        with path.open("rb") as file:
            yield file

    def concurrently(self, jobs: list[Job]) -> None:
        """Make many requests at the same time, each in its lane."""

        def one(job: Job) -> None:
            with lanebaggage.lane(job[0]):
                self.send(job[1])

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(one, jobs))

    def close(self) -> None:
        """Leave nothing open."""


class AsyncDriver(Driver):
    """A client of asyncio, on a loop of the driver's own; ``asend`` is its ``send``."""

    asynchronous = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def asend(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        raise NotImplementedError

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        return self.run(self.asend(url, method, headers, body, timeout))

    def concurrently(self, jobs: list[Job]) -> None:
        async def one(job: Job) -> None:
            with lanebaggage.lane(job[0]):
                await self.asend(job[1])

        async def every() -> None:
            await asyncio.gather(*map(one, jobs))

        self.run(every())

    async def aclose(self) -> None:
        """Leave nothing open."""

    def close(self) -> None:
        self.run(self.aclose())
        self.loop.close()


async def generated() -> Any:
    """A body that is generated asynchronously."""
    yield b"one"
    yield b"two"
