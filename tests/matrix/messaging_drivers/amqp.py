"""Drivers of pika and aio-pika, in each style of consuming."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import lanebaggage

from .base import AsyncDriver, Driver, Seen

if TYPE_CHECKING:
    from .base import Handle

SECONDS = 20
NOTHING = 0.05


class PikaCallback(Driver):
    """pika, ``basic_consume`` with a callback."""

    distribution = "pika"

    def open(self) -> None:
        import pika

        self.properties = pika.BasicProperties
        self.connection = pika.BlockingConnection(pika.URLParameters(self.address.amqp))
        self.publisher = self.connection.channel()
        self.channel = self.connection.channel()
        self.channel.queue_declare(self.queue)
        self.subscribe()

    def close(self) -> None:
        self.connection.close()

    def container(self, headers: dict[str, str]) -> Any:
        return self.properties(headers=dict(headers), content_type="text/plain")

    def containers(self, headers: dict[str, str]) -> list[Any]:
        return [self.container(headers), self.container({}), self.properties(headers=None), None]

    def contents(self, container: Any) -> Any:
        return repr(container), container and repr(container.headers)

    def send(self, body: str, container: Any = None) -> None:
        self.publisher.basic_publish("", self.queue, body.encode(), properties=container)

    def send_positional(self, body: str, container: Any) -> None:
        self.publisher.basic_publish("", self.queue, body.encode(), container, False)

    def subscribe(self) -> None:
        self.channel.basic_consume(self.queue, self.on_message)
        self.give_back = False

    def on_message(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.missing -= 1
        answer = channel.basic_nack if self.give_back and not method.redelivered else channel.basic_ack
        answer(method.delivery_tag)
        self.handled(Seen(body.decode(), properties.headers), self.handle)

    def receive(self, count: int, handle: Handle) -> str | None:
        self.missing, self.handle = count, handle
        while self.missing:
            self.connection.process_data_events(SECONDS)
        return lanebaggage.current_lane()

    def receive_again(self, handle: Handle) -> None:
        self.give_back = True
        self.receive(2, handle)


class PikaConsume(PikaCallback):
    """pika, ``for message in channel.consume()``."""

    def subscribe(self) -> None:
        pass

    def messages(self) -> Any:
        return self.channel.consume(self.queue, inactivity_timeout=SECONDS)

    def receive(self, count: int, handle: Handle) -> str | None:
        messages = self.messages()
        for method, properties, body in messages:
            self.channel.basic_ack(method.delivery_tag)
            self.handled(Seen(body.decode(), properties.headers), handle)
            count -= 1
            if not count:
                break
        self.channel.cancel()
        assert next(messages, None) is None
        return lanebaggage.current_lane()

    def receive_and_close(self, handle: Handle) -> str | None:
        _, properties, body = next(self.messages())
        handle(Seen(body.decode(), properties.headers))
        self.channel.cancel()
        return lanebaggage.current_lane()

    def receive_again(self, handle: Handle) -> None:
        for method, properties, body in self.messages():
            handle(Seen(body.decode(), properties.headers))
            if method.redelivered:
                break
            self.channel.basic_nack(method.delivery_tag)


class PikaGet(PikaConsume):
    """pika, ``channel.basic_get()``."""

    def get(self) -> tuple[Any, Seen]:
        while True:
            method, properties, body = self.channel.basic_get(self.queue)
            if method is not None:
                return method, Seen(body.decode(), properties.headers)

    def receive(self, count: int, handle: Handle) -> str | None:
        for _ in range(count):
            method, seen = self.get()
            self.channel.basic_ack(method.delivery_tag)
            self.handled(seen, handle)
        assert self.channel.basic_get(self.queue) == (None, None, None)
        return lanebaggage.current_lane()

    def receive_and_close(self, handle: Handle) -> str | None:
        _, seen = self.get()
        handle(seen)
        self.channel.close()
        return lanebaggage.current_lane()

    def receive_again(self, handle: Handle) -> None:
        for answer in (self.channel.basic_nack, self.channel.basic_ack):
            method, seen = self.get()
            handle(seen)
            answer(method.delivery_tag)


class AioPikaCallback(AsyncDriver):
    """aio-pika, ``queue.consume`` with a callback."""

    distribution = "aio-pika"

    async def aopen(self) -> None:
        import aio_pika

        self.message = aio_pika.Message
        self.connection = await aio_pika.connect_robust(self.address.amqp)
        self.channel = await self.connection.channel()
        self.exchange = self.channel.default_exchange
        self.inbox = await self.channel.declare_queue(self.queue, auto_delete=False)
        self.ready, self.done = asyncio.Event(), asyncio.Event()
        self.give_back = False
        await self.subscribe()

    async def subscribe(self) -> None:
        await self.inbox.consume(self.on_message)

    async def aclose(self) -> None:
        await self.connection.close()

    def container(self, headers: dict[str, str]) -> Any:
        return self.message(b"", headers=dict(headers))

    def contents(self, container: Any) -> Any:
        return container and repr(dict(container.headers or {}))

    async def asend(self, body: str, container: Any) -> None:
        await self.exchange.publish(self.filled(body, container), self.queue)

    async def asend_positional(self, body: str, container: Any) -> None:
        await self.channel.default_exchange.publish(self.filled(body, container), self.queue, mandatory=True)

    def filled(self, body: str, container: Any) -> Any:
        message = container or self.message(b"")
        message.body = body.encode()
        return message

    async def on_message(self, message: Any) -> None:
        await self.ready.wait()
        try:
            await (message.nack() if self.give_back and not message.redelivered else message.ack())
            self.handled(Seen(message.body.decode(), message.headers), self.handle)
        finally:
            self.missing -= 1
            if not self.missing:
                self.done.set()

    async def areceive(self, count: int, handle: Handle) -> str | None:
        self.missing, self.handle = count, handle
        self.ready.set()
        await asyncio.wait_for(self.done.wait(), SECONDS)
        self.ready.clear()
        self.done.clear()
        return lanebaggage.current_lane()

    async def areceive_again(self, handle: Handle) -> None:
        self.give_back = True
        await self.areceive(2, handle)


class AioPikaIterator(AioPikaCallback):
    """aio-pika, ``async with queue.iterator()``."""

    async def subscribe(self) -> None:
        pass

    async def areceive(self, count: int, handle: Handle) -> str | None:
        async with self.inbox.iterator() as messages:
            async for message in messages:
                await message.ack()
                self.handled(Seen(message.body.decode(), message.headers), handle)
                count -= 1
                if not count:
                    break
            try:
                await asyncio.wait_for(messages.__anext__(), NOTHING)
            except asyncio.TimeoutError:
                return lanebaggage.current_lane()
        raise AssertionError("a message that nobody sent")

    async def areceive_and_close(self, handle: Handle) -> str | None:
        async with self.inbox.iterator() as messages:
            message = await messages.__anext__()
            await message.ack()
            handle(Seen(message.body.decode(), message.headers))
        return lanebaggage.current_lane()

    async def areceive_again(self, handle: Handle) -> None:
        async with self.inbox.iterator() as messages:
            async for message in messages:
                handle(Seen(message.body.decode(), message.headers))
                await (message.ack() if message.redelivered else message.nack())
                if message.redelivered:
                    break


class AioPikaGet(AioPikaCallback):
    """aio-pika, ``queue.get()``."""

    async def subscribe(self) -> None:
        pass

    async def get(self) -> Any:
        while (message := await self.inbox.get(fail=False, timeout=SECONDS)) is None:
            pass
        return message

    async def areceive(self, count: int, handle: Handle) -> str | None:
        for _ in range(count):
            message = await self.get()
            await message.ack()
            self.handled(Seen(message.body.decode(), message.headers), handle)
        assert await self.inbox.get(fail=False) is None
        return lanebaggage.current_lane()

    async def areceive_again(self, handle: Handle) -> None:
        for answer in ("nack", "ack"):
            message = await self.get()
            handle(Seen(message.body.decode(), message.headers))
            await getattr(message, answer)()
