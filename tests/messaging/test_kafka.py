"""The Kafka clients beyond the matrix: pulls of one message, batches of one's own, classes over classes."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from matrix.messaging_drivers.kafka import SECONDS, AioKafka, Confluent, KafkaPython

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.brokers import Address

HEADER = ("x-asm-prefer-tag", b"s2")


@pytest.fixture
def confluent(kafka: Address) -> Iterator[Confluent]:
    lanebaggage.auto_instrument()
    with closing(Confluent(kafka)) as driver:
        driver.assign()
        yield driver


def test_kafka_python_polls_one(kafka: Address) -> None:
    """``poll(max_records=1)`` can hand out one message only, and does."""
    lanebaggage.auto_instrument()
    with closing(KafkaPython(kafka)) as driver:
        with lanebaggage.lane("s2"):
            driver.send("message")
        driver.assign()
        while not driver.consumer.poll(50, max_records=1):
            assert lanebaggage.current_lane() is None
        assert lanebaggage.current_lane() == "s2"
        driver.consumer.poll(10)
        assert lanebaggage.current_lane() is None


def test_kafka_python_refuses_as_before(kafka: Address) -> None:
    """Headers that the library refuses are refused by it, in a lane as outside."""
    lanebaggage.auto_instrument()
    with closing(KafkaPython(kafka)) as driver, lanebaggage.lane("s2"):
        for headers in (("tenant", b"t"), {"tenant": b"t"}, [("tenant", "text")]):
            with pytest.raises((TypeError, AssertionError)):
                driver.producer.send(driver.queue, b"body", headers=headers)


def test_aiokafka_batches(kafka: Address) -> None:
    """A batch of the producer's own carries the lane of each ``append``; ``getmany(max_records=1)`` hands it out."""
    lanebaggage.auto_instrument()

    async def use(driver: AioKafka) -> None:
        batch = driver.producer.create_batch()
        with lanebaggage.lane("s2"):
            batch.append(key=None, value=b"one", timestamp=None)
        batch.append(key=None, value=b"two", timestamp=None)
        await (await driver.producer.send_batch(batch, driver.queue, partition=0))
        driver.assign()
        lanes = []
        while len(lanes) < 2:
            if await driver.consumer.getmany(timeout_ms=50, max_records=1):
                lanes.append(lanebaggage.current_lane())
        assert lanes == ["s2", None]

    driver = AioKafka(kafka)
    try:
        driver.run(use(driver))
    finally:
        driver.close()


def test_confluent_consumes_one(confluent: Confluent) -> None:
    """``consume()`` asks for one message unless told otherwise, and hands it out."""
    with lanebaggage.lane("s2"):
        confluent.send("message")
    assert len(confluent.consumer.consume(timeout=SECONDS)) == 1
    assert lanebaggage.current_lane() == "s2"
    assert confluent.consumer.consume(5, 0.01) == []
    assert lanebaggage.current_lane() is None


def test_confluent_share_consumer(confluent: Confluent) -> None:
    """A share consumer's batch is not in the lane of the message that another consumer handed out before."""
    from confluent_kafka import ShareConsumer

    sharing = ShareConsumer({"bootstrap.servers": str(confluent.address), "group.id": confluent.queue, "log_level": 0})
    with closing(sharing), lanebaggage.lane("s2"):
        confluent.send("message")
        sharing.subscribe([confluent.queue])
        while not len(batch := sharing.poll(0.5)):
            confluent.send("message")  # a share group begins with what is sent after it was joined
        with lanebaggage.lane(None):
            assert next(iter(batch)).headers() == [HEADER]
            assert confluent.consumer.poll(SECONDS).headers() == [HEADER]
            assert lanebaggage.current_lane() == "s2"
            sharing.poll(0)
            assert lanebaggage.current_lane() is None


def test_confluent_context_manager(kafka: Address) -> None:
    """Leaving ``with Consumer(...)`` closes the consumer, and its last message's lane."""
    lanebaggage.auto_instrument()
    driver = Confluent(kafka)
    with lanebaggage.lane("s2"):
        driver.send("message")
    with driver.consumer as consumer:
        driver.assign()
        consumer.poll(SECONDS)
        assert lanebaggage.current_lane() == "s2"
    assert lanebaggage.current_lane() is None


def test_confluent_subclasses(confluent: Confluent) -> None:
    """The serializing producer and deserializing consumer, and a subclass of one's own, go through the same methods."""
    import confluent_kafka

    class Own(confluent_kafka.Producer):
        def produce(self, *args: Any, **kwargs: Any) -> None:
            super().produce(*args, **kwargs)

    config = {"bootstrap.servers": str(confluent.address), "log_level": 0}
    for producer in (confluent_kafka.SerializingProducer(config), Own(config)):
        with lanebaggage.lane("s2"):
            producer.produce(confluent.queue, value=b"v", partition=0)
        producer.flush(SECONDS)
    consumer = confluent_kafka.DeserializingConsumer({**config, "group.id": confluent.queue})
    consumer.assign([confluent.partition])
    for _ in range(2):
        message = consumer.poll(SECONDS)
        assert message.headers() == [HEADER]
        assert lanebaggage.current_lane() == "s2"
    consumer.close()
    assert lanebaggage.current_lane() is None


def test_confluent_asyncio(confluent: Confluent) -> None:
    """``AIOConsumer`` polls in a thread; the lane is current in the task that awaits it."""
    from confluent_kafka.aio import AIOConsumer

    with lanebaggage.lane("s2"):
        confluent.send("first")
    confluent.send("second")

    async def consume() -> list[str | None]:
        consumer = AIOConsumer({"bootstrap.servers": str(confluent.address), "group.id": confluent.queue, "log_level": 0})
        await consumer.assign([confluent.partition])
        lanes = []
        for _ in range(2):
            await asyncio.wait_for(consumer.poll(SECONDS), SECONDS)
            lanes.append(lanebaggage.current_lane())
        await consumer.close()
        return [*lanes, lanebaggage.current_lane()]

    assert asyncio.run(consume()) == ["s2", None, None]


def test_confluent_refuses_as_before(confluent: Confluent) -> None:
    """Headers that the library refuses are refused by it."""
    with lanebaggage.lane("s2"), pytest.raises(TypeError):
        confluent.producer.produce(confluent.queue, b"v", headers=(("tenant", b"t"),))
