"""Drivers of the Kafka clients, on partition 0 of a topic of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import lanebaggage

from .base import AsyncDriver, Driver, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import Handle

SECONDS = 20
"""Until a message that must come is given up."""
NOTHING = 50
"""Milliseconds that a consumer asks in vain."""


def encoded(headers: dict[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]


class KafkaPython(Driver):
    """kafka-python, iterated; the API version is given because the mock cluster speaks too old an ApiVersions request."""

    distribution = "kafka-python"
    broker = "kafka"

    def open(self) -> None:
        import kafka

        config = {"bootstrap_servers": str(self.address), "api_version": (2, 3)}
        self.producer = kafka.KafkaProducer(**config)
        self.consumer = kafka.KafkaConsumer(**config, group_id=self.queue, auto_offset_reset="earliest")
        self.partition = kafka.TopicPartition(self.queue, 0)

    def close(self) -> None:
        self.consumer.close(autocommit=False)
        self.producer.close()

    def container(self, headers: dict[str, str]) -> Any:
        return encoded(headers)

    def send(self, body: str, container: Any = None) -> None:
        self.producer.send(self.queue, body.encode(), partition=0, headers=container).get(SECONDS)

    def send_positional(self, body: str, container: Any) -> None:
        self.producer.send(self.queue, body.encode(), b"key", container, 0, 1234).get(SECONDS)

    def assign(self) -> None:
        if not self.consumer.assignment():
            self.consumer.assign([self.partition])
            self.consumer.seek_to_beginning()

    def receive(self, count: int, handle: Handle) -> str | None:
        self.assign()
        self.consumer.config["consumer_timeout_ms"] = SECONDS * 1000
        for message in self.consumer:
            self.handled(self.seen(message), handle)
            count -= 1
            if not count:
                break
        self.consumer.config["consumer_timeout_ms"] = NOTHING
        assert list(self.consumer) == []
        return lanebaggage.current_lane()

    def receive_and_close(self, handle: Handle) -> str | None:
        self.assign()
        handle(self.seen(next(iter(self.consumer))))
        self.consumer.close(autocommit=False)
        return lanebaggage.current_lane()

    def receive_batch(self, count: int, handle: Callable[[list[Seen]], None]) -> None:
        self.assign()
        messages: list[Seen] = []
        while len(messages) < count:
            messages += [self.seen(message) for message in self.consumer.poll(NOTHING).get(self.partition, ())]
        handle(messages)

    def receive_again(self, handle: Handle) -> None:
        self.receive(1, handle)
        self.consumer.commit()
        self.consumer.seek(self.partition, 0)
        self.receive(1, handle)
        assert self.consumer.committed(self.partition) == 1

    def seen(self, message: Any) -> Seen:
        return Seen(message.value.decode(), message.headers)


class Confluent(Driver):
    """confluent-kafka, polled."""

    distribution = "confluent-kafka"
    broker = "kafka"

    def open(self) -> None:
        import confluent_kafka

        config = {
            "bootstrap.servers": str(self.address),
            "log_level": 0,
            "topic.metadata.refresh.fast.interval.ms": 10,
            "retry.backoff.ms": 10,
        }
        self.producer = confluent_kafka.Producer(config)
        self.consumer = confluent_kafka.Consumer(
            {
                **config,
                "group.id": self.queue,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
            }
        )
        self.partition = confluent_kafka.TopicPartition(self.queue, 0, 0)
        self.assigned = False

    def close(self) -> None:
        self.consumer.close()

    def container(self, headers: dict[str, str]) -> Any:
        return encoded(headers)

    def containers(self, headers: dict[str, str]) -> list[Any]:
        return [encoded(headers), list(headers.items()), dict(headers), {**headers, "bytes": b"b"}, {}, [], None]

    def send(self, body: str, container: Any = None) -> None:
        extra = {} if container is None else {"headers": container}
        assert self.producer.produce(self.queue, body, partition=0, **extra) is None
        assert self.producer.flush(SECONDS) == 0

    def send_positional(self, body: str, container: Any) -> None:
        self.producer.produce(self.queue, body, "key", 0, None, None, 1234, container)
        assert self.producer.flush(SECONDS) == 0

    def assign(self) -> None:
        if not self.assigned:
            self.consumer.assign([self.partition])
            self.assigned = True

    def receive(self, count: int, handle: Handle) -> str | None:
        self.assign()
        while count and (message := self.consumer.poll(SECONDS)):
            self.handled(self.seen(message), handle)
            count -= 1
        assert self.consumer.poll(NOTHING / 1000) is None
        return lanebaggage.current_lane()

    def receive_and_close(self, handle: Handle) -> str | None:
        self.assign()
        handle(self.seen(self.consumer.poll(SECONDS)))
        self.consumer.close()
        return lanebaggage.current_lane()

    def receive_batch(self, count: int, handle: Callable[[list[Seen]], None]) -> None:
        self.assign()
        handle([self.seen(message) for message in self.consumer.consume(count, SECONDS)])

    def receive_again(self, handle: Handle) -> None:
        self.receive(1, handle)
        self.consumer.commit(asynchronous=False)
        self.consumer.seek(self.partition)
        self.receive(1, handle)
        assert self.consumer.committed([self.partition])[0].offset == 1

    def seen(self, message: Any) -> Seen:
        assert message.error() is None
        return Seen(message.value().decode(), message.headers())


class AioKafka(AsyncDriver):
    """aiokafka, iterated."""

    distribution = "aiokafka"
    broker = "kafka"

    async def aopen(self) -> None:
        import aiokafka

        config = {"bootstrap_servers": str(self.address)}
        self.producer = aiokafka.AIOKafkaProducer(**config)
        self.consumer = aiokafka.AIOKafkaConsumer(
            **config, group_id=self.queue, auto_offset_reset="earliest", enable_auto_commit=False
        )
        self.partition = aiokafka.TopicPartition(self.queue, 0)
        await self.producer.start()
        await self.consumer.start()

    async def aclose(self) -> None:
        await self.consumer.stop()
        await self.producer.stop()

    def container(self, headers: dict[str, str]) -> Any:
        return encoded(headers)

    def containers(self, headers: dict[str, str]) -> list[Any]:
        return [encoded(headers), [], None]

    async def asend(self, body: str, container: Any) -> None:
        await self.producer.send_and_wait(self.queue, body.encode(), partition=0, headers=container)

    async def asend_positional(self, body: str, container: Any) -> None:
        await (await self.producer.send(self.queue, body.encode(), b"key", 0, 1234, container))

    def assign(self) -> None:
        if not self.consumer.assignment():
            self.consumer.assign([self.partition])

    async def areceive(self, count: int, handle: Handle) -> str | None:
        self.assign()
        async for message in self.consumer:
            self.handled(self.seen(message), handle)
            count -= 1
            if not count:
                break
        await self.ask_in_vain()
        return lanebaggage.current_lane()

    async def ask_in_vain(self) -> None:
        try:
            await asyncio.wait_for(self.consumer.getone(), NOTHING / 1000)
        except asyncio.TimeoutError:
            return
        raise AssertionError("a message that nobody sent")

    async def areceive_and_close(self, handle: Handle) -> str | None:
        self.assign()
        handle(self.seen(await self.consumer.getone()))
        await self.consumer.stop()
        return lanebaggage.current_lane()

    async def areceive_batch(self, count: int, handle: Callable[[list[Seen]], None]) -> None:
        self.assign()
        messages: list[Seen] = []
        while len(messages) < count:
            batches = await self.consumer.getmany(timeout_ms=NOTHING)
            messages += [self.seen(message) for message in batches.get(self.partition, ())]
        handle(messages)

    async def areceive_again(self, handle: Handle) -> None:
        await self.areceive(1, handle)
        await self.consumer.commit()
        self.consumer.seek(self.partition, 0)
        await self.areceive(1, handle)
        assert await self.consumer.committed(self.partition) == 1

    def seen(self, message: Any) -> Seen:
        return Seen(message.value.decode(), message.headers)


class AioKafkaWaitFor(AioKafka):
    """aiokafka, asked for one message at a time with a time-out."""

    async def areceive(self, count: int, handle: Handle) -> str | None:
        self.assign()
        for _ in range(count):
            self.handled(self.seen(await asyncio.wait_for(self.consumer.getone(), SECONDS)), handle)
        await self.ask_in_vain()
        return lanebaggage.current_lane()
