"""What a messaging driver does: send a message from the caller's lane, and consume as an application would."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import lanebaggage

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.brokers import Address

    Handle = Callable[["Seen"], None]

_numbers = count()


class Seen:
    """A message as the consumer's code had it."""

    def __init__(self, body: str, headers: Any) -> None:
        self.body = body
        self.headers = headers
        self.pairs = pairs(headers)

    def values(self, name: str = "x-asm-prefer-tag") -> list[str]:
        return [value for key, value in self.pairs if key.lower() == name]


def pairs(headers: Any) -> list[tuple[str, str]]:
    """A message's headers as texts."""
    items = headers.items() if hasattr(headers, "items") else headers or ()
    return [(name, value.decode() if isinstance(value, bytes) else str(value)) for name, value in items]


class Driver:
    """A producer and a consumer of one queue; both are made, and the consumer is registered, when the driver is."""

    distribution = ""
    broker = "rabbitmq"

    def __init__(self, address: Address) -> None:
        self.address = address
        self.queue = f"queue-{next(_numbers)}-{uuid4().hex[:8]}"
        self.handle: Handle = lambda seen: None
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # --- producing

    def container(self, headers: dict[str, str]) -> Any:
        """The headers in the library's usual container, or the object that holds them."""
        return dict(headers)

    def containers(self, headers: dict[str, str]) -> list[Any]:
        """The same in every container that the library takes, and nothing at all."""
        return [self.container(headers), self.container({}), None]

    def contents(self, container: Any) -> Any:
        """What a container holds, to tell whether it was touched."""
        return repr(container)

    def send(self, body: str, container: Any = None) -> None:
        raise NotImplementedError

    def send_positional(self, body: str, container: Any) -> None:
        """Send with every argument given by position."""
        raise NotImplementedError

    def send_each(self, messages: list[tuple[str, str]]) -> None:
        """Send (lane, body) pairs, concurrently where the library can."""
        for lane, body in messages:
            with lanebaggage.lane(lane):
                self.send(body)

    # --- consuming

    def receive(self, count: int, handle: Handle) -> str | None:
        """Handle some messages, going on after an exception.

        :return: the lane in the consumer's own context once it has handled the last one and asked in vain for another.
        """
        raise NotImplementedError

    def receive_and_close(self, handle: Handle) -> str | None:
        """Handle one message and close the consumer; returns the lane in the consumer's context then."""
        raise NotImplementedError

    def receive_batch(self, count: int, handle: Callable[[list[Seen]], None]) -> None:
        """Handle some messages that the library hands out all at once."""
        raise NotImplementedError

    def receive_again(self, handle: Handle) -> None:
        """Handle a message, give it back, and handle it once more."""
        raise NotImplementedError

    def handled(self, seen: Seen, handle: Handle) -> None:
        """Call the application's code; its exception is the end of this message only."""
        try:
            handle(seen)
        except RuntimeError as error:
            if str(error) != "of the handler":
                raise


class AsyncDriver(Driver):
    """A driver whose verbs are coroutine methods of the same names with an ``a`` before."""

    def __init__(self, address: Address) -> None:
        self.runner = asyncio.new_event_loop()
        super().__init__(address)

    def run(self, coroutine: Any) -> Any:
        """Run in a task of its own, which has the caller's context."""
        return self.runner.run_until_complete(coroutine)

    def open(self) -> None:
        self.run(self.aopen())

    def close(self) -> None:
        self.run(self.aclose())
        self.runner.run_until_complete(self.runner.shutdown_default_executor())
        self.runner.close()

    def send(self, body: str, container: Any = None) -> None:
        self.run(self.asend(body, container))

    def send_positional(self, body: str, container: Any) -> None:
        self.run(self.asend_positional(body, container))

    def send_each(self, messages: list[tuple[str, str]]) -> None:
        async def one(lane: str, body: str) -> None:
            with lanebaggage.lane(lane):
                await asyncio.sleep(0)
                await self.asend(body, None)

        async def every() -> None:
            await asyncio.gather(*(one(lane, body) for lane, body in messages))

        self.run(every())

    def receive(self, count: int, handle: Handle) -> str | None:
        return self.run(self.areceive(count, handle))

    def receive_and_close(self, handle: Handle) -> str | None:
        return self.run(self.areceive_and_close(handle))

    def receive_batch(self, count: int, handle: Callable[[list[Seen]], None]) -> None:
        self.run(self.areceive_batch(count, handle))

    def receive_again(self, handle: Handle) -> None:
        self.run(self.areceive_again(handle))
