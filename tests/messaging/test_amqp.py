"""pika, aio-pika and kombu beyond the matrix: other adapters, threads, exceptions, the layers below."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from matrix.messaging_drivers.amqp import SECONDS, PikaCallback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.brokers import Address


@pytest.fixture
def driver(rabbitmq: Address) -> Iterator[PikaCallback]:
    lanebaggage.auto_instrument()
    with closing(PikaCallback(rabbitmq)) as driver:
        yield driver


def test_pika_asynchronous_adapter(driver: PikaCallback) -> None:
    """A callback and a ``basic_get`` of an asynchronous connection run in their message's lane."""
    import pika

    queue = driver.queue + "-async"
    driver.channel.queue_declare(queue)
    with lanebaggage.lane("s2"):
        driver.channel.basic_publish("", queue, b"got")
        driver.channel.basic_publish("", queue, b"delivered")
    driver.channel.basic_publish("", queue, b"without")
    seen: list[tuple[bytes, str | None]] = []

    def note(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        seen.append((body, lanebaggage.current_lane()))
        channel.basic_ack(method.delivery_tag)
        if body == b"got":
            channel.basic_consume(queue, note)
        if body == b"without":
            channel.connection.close()

    def opened(connection: Any) -> None:
        connection.channel(on_open_callback=lambda channel: channel.basic_get(queue, note))

    connection = pika.SelectConnection(
        pika.URLParameters(driver.address.amqp),
        on_open_callback=opened,
        on_close_callback=lambda connection, reason: connection.ioloop.stop(),
    )
    connection.ioloop.start()
    assert seen == [(b"got", "s2"), (b"delivered", "s2"), (b"without", None)]
    assert lanebaggage.current_lane() is None


def test_pika_publish_from_another_thread(driver: PikaCallback) -> None:
    """What a thread asks the connection's thread to publish is in the lane of the thread that asked; a timer's too."""
    seen: list[tuple[str, str | None]] = []

    def ask() -> None:
        with lanebaggage.lane("s2"):
            driver.connection.add_callback_threadsafe(lambda: driver.send("threadsafe"))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    with lanebaggage.lane("s3"):
        driver.connection.call_later(0, lambda: driver.send("later"))
    driver.receive(2, lambda message: seen.append((message.body, lanebaggage.current_lane())))
    assert sorted(seen) == [("later", "s3"), ("threadsafe", "s2")]


def test_pika_callback_raises(driver: PikaCallback) -> None:
    """An exception of a callback reaches whoever runs the connection, as without us, and leaves no lane."""

    def fail(*message: Any) -> None:
        raise LookupError(lanebaggage.current_lane())

    driver.channel.queue_declare(driver.queue + "-bad")
    driver.channel.basic_consume(driver.queue + "-bad", fail)
    with lanebaggage.lane("s2"):
        driver.publisher.basic_publish("", driver.queue + "-bad", b"bad")
    with pytest.raises(LookupError, match="s2"):
        driver.connection.process_data_events(SECONDS)
    assert lanebaggage.current_lane() is None


def test_aiormq_alone(rabbitmq: Address) -> None:
    """The library below aio-pika carries by itself: with and without properties of the caller's, by callback and by get."""
    import aiormq

    lanebaggage.auto_instrument()
    properties = aiormq.spec.Basic.Properties(headers={"tenant": "t-1"}, message_id="m-1")

    async def use() -> list[Any]:
        connection = await aiormq.connect(rabbitmq.amqp)
        channel = await connection.channel()
        queue = (await channel.queue_declare(exclusive=True)).queue
        seen: list[Any] = []
        done = asyncio.Event()

        async def note(message: Any) -> None:
            seen.append((dict(message.header.properties.headers or {}), lanebaggage.current_lane()))
            if len(seen) == 3:
                done.set()

        with lanebaggage.lane("s2"):
            await channel.basic_publish(b"got", routing_key=queue)
            await channel.basic_publish(b"delivered", routing_key=queue, properties=properties)
        await channel.basic_publish(b"without", routing_key=queue, properties=properties)
        await note(await channel.basic_get(queue, no_ack=True))
        await channel.basic_consume(queue, note, no_ack=True)
        await asyncio.wait_for(done.wait(), SECONDS)
        await connection.close()
        return seen

    assert asyncio.run(use()) == [
        ({"x-asm-prefer-tag": "s2"}, "s2"),
        ({"tenant": "t-1", "x-asm-prefer-tag": "s2"}, "s2"),
        ({"tenant": "t-1"}, None),
    ]
    assert properties.headers == {"tenant": "t-1"}


def test_kombu_alone(rabbitmq: Address) -> None:
    """kombu's own consumers: callbacks run in the lane, ``SimpleQueue.get`` hands it out, positional headers are legal."""
    from kombu import Connection, Consumer, Producer, Queue

    lanebaggage.auto_instrument()
    seen: list[Any] = []
    with Connection(rabbitmq.amqp) as connection, connection.channel() as channel:
        queue = Queue("kombu-alone", exclusive=True)(channel)
        queue.declare()
        producer = Producer(channel)
        with lanebaggage.lane("s2"):
            producer.publish("named", routing_key="kombu-alone", headers=(own := {"tenant": "t-1"}))
            producer.publish("placed", "kombu-alone", None, False, False, 0, None, None, None, own)
        producer.publish("without", "kombu-alone", headers=own)

        def note(body: str, message: Any) -> None:
            seen.append((body, message.headers, lanebaggage.current_lane()))
            message.ack()

        with Consumer(channel, [queue], callbacks=[note]):
            while len(seen) < 3:
                connection.drain_events(timeout=SECONDS)
        in_lane = {"tenant": "t-1", "x-asm-prefer-tag": "s2"}
        assert seen == [("named", in_lane, "s2"), ("placed", in_lane, "s2"), ("without", own, None)]
        assert own == {"tenant": "t-1"}

        simple = connection.SimpleQueue("kombu-simple")
        with lanebaggage.lane("s2"):
            simple.put("message")
        simple.get(timeout=SECONDS).ack()
        assert lanebaggage.current_lane() == "s2"
        simple.close()
        assert lanebaggage.current_lane() is None
