"""RQ, Dramatiq, arq, Taskiq and FastStream beyond the matrix: what is queued by what was queued."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from matrix.messaging_drivers.tasks import SECONDS, Arq, Dramatiq, FastStreamRabbit, FastStreamRedis, Rq, Taskiq

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix.messaging_drivers.base import Seen
    from support.brokers import Address


@pytest.fixture(autouse=True)
def instrumented() -> None:
    lanebaggage.auto_instrument()


def note_lane(key: str, url: str) -> None:
    """An RQ job and callback that another process can run."""
    import redis

    with redis.Redis.from_url(url) as connection:
        connection.rpush(key, json.dumps(lanebaggage.current_lane()))


def on_success(job: Any, connection: Any, result: Any) -> None:
    connection.rpush(job.args[0], json.dumps(["callback", lanebaggage.current_lane()]))


def test_rq_forking_worker(redis: Address) -> None:
    """RQ's default worker forks: jobs, their callbacks, dependents and scheduled jobs are in the lane they were made in."""
    import rq
    from rq.job import Callback

    with closing(Rq(redis)) as driver:
        job = "messaging.test_tasks.note_lane"
        arguments = (f"{driver.queue}-lanes", redis.redis)
        with lanebaggage.lane("s2"):
            first = driver.jobs.enqueue(job, args=arguments, on_success=Callback(on_success))
            driver.jobs.enqueue(job, args=arguments, depends_on=first)
        driver.jobs.enqueue(job, args=arguments)
        with lanebaggage.lane("s3"):
            driver.jobs.enqueue_many([rq.Queue.prepare_data(job, args=arguments)])
            driver.jobs.enqueue_at(datetime.now(timezone.utc) - timedelta(seconds=1), job, *arguments)
        worker = rq.Worker([driver.jobs], connection=driver.connection)
        worker.work(burst=True, with_scheduler=True, logging_level="CRITICAL")
        lanes = [json.loads(value) for value in driver.connection.lrange(arguments[0], 0, -1)]
    assert sorted(lanes, key=str) == sorted(["s2", ["callback", "s2"], None, "s3", "s3", "s2"], key=str)


def test_rq_leaves_meta_alone(redis: Address) -> None:
    """The job's own ``meta``, and the dictionary that it was given, are as without us."""
    meta = {"tenant": "t-1"}
    with closing(Rq(redis)) as driver, lanebaggage.lane("s2"):
        job = driver.jobs.enqueue(note_lane, meta=meta)
        assert job.get_meta() == meta == {"tenant": "t-1"}


def test_dramatiq_pipeline(rabbitmq: Address) -> None:
    """The next message of a pipeline is in the lane of the one before it."""
    import dramatiq

    with closing(Dramatiq(rabbitmq)) as driver:
        seen: list[tuple[str, str | None]] = []
        with lanebaggage.lane("s2"):
            steps = [driver.actor.message_with_options(args=(body,), pipe_ignore=True) for body in ("first", "second")]
            dramatiq.pipeline(steps, broker=driver.exchange).run()
        driver.receive(2, lambda message: seen.append((message.body, lanebaggage.current_lane())))
    assert seen == [("first", "s2"), ("second", "s2")]


def test_dramatiq_delayed_messages(rabbitmq: Address) -> None:
    """The thread that queues delayed messages again lends them no lane of another message."""
    with closing(Dramatiq(rabbitmq)) as driver:
        seen: dict[str, str | None] = {}
        for number in range(5):
            with lanebaggage.lane("s2"):
                driver.exchange.enqueue(driver.actor.message(f"in {number}"), delay=10)
            driver.exchange.enqueue(driver.actor.message(f"out {number}"), delay=10)

        def handle(message: Seen) -> None:
            seen[message.body] = lanebaggage.current_lane()

        driver.receive(10, handle)
    assert seen == {f"{name} {number}": lane for number in range(5) for name, lane in (("in", "s2"), ("out", None))}


def test_arq_own_serializer(redis: Address) -> None:
    """A serializer of the user's own writes and reads the lane with the job; a plain worker would not mind it."""
    from arq import Worker, create_pool, func
    from arq.connections import RedisSettings

    lanes: list[str | None] = []

    async def job(context: Any) -> None:
        lanes.append(lanebaggage.current_lane())

    async def use() -> Any:
        json_bytes: Callable[[Any], bytes] = lambda data: json.dumps(data).encode()  # noqa: E731
        settings = RedisSettings(redis.host, redis.port)
        options = {"job_serializer": json_bytes, "job_deserializer": json.loads}
        pool = await create_pool(settings, default_queue_name="arq-json", **options)
        with lanebaggage.lane("s2"):
            queued = await pool.enqueue_job("job")
            await pool.enqueue_job("job", _defer_by=0.01)
        await pool.enqueue_job("job")
        info = await queued.info()
        worker = Worker(
            functions=[func(job, name="job", keep_result=0)],
            queue_name="arq-json",
            redis_settings=settings,
            burst=True,
            poll_delay=0.01,
            handle_signals=False,
            **options,
        )
        await worker.async_run()
        assert lanebaggage.current_lane() is None
        await worker.close()
        await pool.aclose()
        return info

    info = asyncio.run(use())
    assert (info.function, info.args, info.kwargs) == ("job", [], {})
    assert sorted(lanes, key=str) == [None, "s2", "s2"]


def test_arq_hooks_and_unknown_jobs(redis: Address) -> None:
    """A job that the worker does not know leaves no lane behind."""
    lanes: list[str | None] = []
    with closing(Arq(redis)) as driver:
        with lanebaggage.lane("s2"):
            driver.run(driver.pool.enqueue_job("unknown", "body", driver.queue))
        driver.send("known")
        driver.receive(1, lambda message: lanes.append(lanebaggage.current_lane()))
    assert lanes == [None]


def test_taskiq_schedules(rabbitmq: Address) -> None:
    """A task scheduled for one time has the lane of whoever scheduled it; one by cron or interval has none."""
    from taskiq.schedule_sources import LabelScheduleSource

    added: list[Any] = []

    class Source(LabelScheduleSource):
        async def add_schedule(self, schedule: Any) -> None:
            added.append("x-asm-prefer-tag" in schedule.labels)

    async def schedule(driver: Taskiq) -> None:
        source = Source(driver.exchange)
        with lanebaggage.lane("s2"):
            await driver.task.schedule_by_time(source, datetime.now(timezone.utc), "body")
            await driver.task.schedule_by_cron(source, "* * * * *", "body")
            await driver.task.schedule_by_interval(source, 60, "body")

    driver = Taskiq(rabbitmq)
    try:
        driver.run(schedule(driver))
        assert "x-asm-prefer-tag" not in driver.task.labels
    finally:
        driver.close()
    assert added == [True, False, False]


def test_taskiq_sync_task(rabbitmq: Address) -> None:
    """A synchronous task, which runs in the receiver's thread pool, has the lane."""
    lanes: list[str | None] = []

    async def use(driver: Taskiq) -> None:
        done = threading.Event()

        def job() -> None:
            lanes.append(lanebaggage.current_lane())
            done.set()

        task = driver.exchange.register_task(job, task_name="sync")
        with lanebaggage.lane("s2"):
            await task.kiq()
        driver.expect(0, lambda seen: None)
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, done.wait, SECONDS).add_done_callback(lambda future: driver.done.set())
        await driver.work_until_done()

    driver = Taskiq(rabbitmq)
    try:
        driver.run(use(driver))
    finally:
        driver.close()
    assert lanes == ["s2"]


@pytest.mark.parametrize("kind", [FastStreamRedis, FastStreamRabbit])
def test_faststream_publishes_what_a_handler_returns(
    kind: type[FastStreamRedis | FastStreamRabbit], request: pytest.FixtureRequest
) -> None:
    """What a handler returns, and what it publishes, is in the lane of the message; a middleware sees the lane, too."""
    from faststream import BaseMiddleware

    lanes: list[tuple[str, str | None]] = []

    class Middleware(BaseMiddleware):
        async def consume_scope(self, call_next: Any, message: Any) -> Any:
            lanes.append(("middleware", lanebaggage.current_lane()))
            return await call_next(message)

    async def use(driver: Any) -> None:
        (name,) = driver.where()
        exchange = driver.make()
        exchange.add_middleware(Middleware)
        done = asyncio.Event()

        @exchange.subscriber(**{name: driver.queue + "-in"})
        @exchange.publisher(**{name: driver.queue + "-out"})
        async def first(body: str) -> str:
            return body

        @exchange.subscriber(**{name: driver.queue + "-out"})
        async def second(body: str) -> None:
            lanes.append((body, lanebaggage.current_lane()))
            if body == "without":
                done.set()

        await exchange.start()
        with lanebaggage.lane("s2"):
            await exchange.publish("with", **{name: driver.queue + "-in"})
        await exchange.publish("without", **{name: driver.queue + "-in"})
        await asyncio.wait_for(done.wait(), SECONDS)
        await exchange.stop()

    with closing(kind(request.getfixturevalue(kind.broker))) as driver:
        driver.run(use(driver))
    assert sorted(lanes, key=str) == sorted(
        [*[("middleware", lane) for lane in ("s2", "s2", None, None)], ("with", "s2"), ("without", None)], key=str
    )


@pytest.mark.parametrize("kind", [FastStreamRedis, FastStreamRabbit])
def test_faststream_replies(kind: type[FastStreamRedis | FastStreamRabbit], request: pytest.FixtureRequest) -> None:
    """The answer to a message is in its lane, wherever it asked for it."""
    lanes: list[tuple[str, str | None]] = []

    async def use(driver: Any) -> None:
        exchange = driver.make()
        done = asyncio.Event()

        @exchange.subscriber(driver.queue + "-in")
        async def first(body: str) -> str:
            return body

        @exchange.subscriber(driver.queue + "-out")
        async def second(body: str) -> None:
            lanes.append((body, lanebaggage.current_lane()))
            if len(lanes) == 2:
                done.set()

        await exchange.start()
        for lane in ("s2", None):
            with lanebaggage.lane(lane):
                await exchange.publish(str(lane), driver.queue + "-in", reply_to=driver.queue + "-out")
        await asyncio.wait_for(done.wait(), SECONDS)
        await exchange.stop()

    with closing(kind(request.getfixturevalue(kind.broker))) as driver:
        driver.run(use(driver))
    assert sorted(lanes) == [("None", None), ("s2", "s2")]


@pytest.mark.parametrize("kind", [FastStreamRedis, FastStreamRabbit])
def test_faststream_pulled(kind: type[FastStreamRedis | FastStreamRabbit], request: pytest.FixtureRequest) -> None:
    """A subscriber without handlers hands a message's lane out until the next one is asked for, or it is stopped."""
    lanes: list[tuple[str, str | None]] = []

    async def use(driver: Any) -> None:
        exchange = driver.make()
        pulled = exchange.subscriber(**driver.where())
        await exchange.start()

        async def send(*sent: str | None) -> None:
            for lane in sent:
                with lanebaggage.lane(lane):
                    await driver.exchange.publish(str(lane), **driver.where())

        await send("s1", None)
        for _ in range(2):
            message = await pulled.get_one(timeout=SECONDS)
            lanes.append((message.body.decode(), lanebaggage.current_lane()))
        assert await pulled.get_one(timeout=0.05) is None
        lanes.append(("in vain", lanebaggage.current_lane()))
        await send("s2", None, "s3")
        messages = pulled.__aiter__()
        async for message in messages:
            lanes.append((message.body.decode(), lanebaggage.current_lane()))
            if message.body == b"s3":
                break
        await messages.aclose()
        await pulled.stop()
        lanes.append(("stopped", lanebaggage.current_lane()))
        await exchange.stop()

    with closing(kind(request.getfixturevalue(kind.broker))) as driver:
        driver.run(use(driver))
    assert lanes == [
        *(("s1", "s1"), ("None", None), ("in vain", None)),
        *(("s2", "s2"), ("None", None), ("s3", "s3"), ("stopped", None)),
    ]


async def test_faststream_test_broker() -> None:
    """FastStream's in-memory test broker shows the lane as a real one would."""
    from faststream.redis import RedisBroker, TestRedisBroker

    broker = RedisBroker()
    lanes: list[str | None] = []

    @broker.subscriber("channel")
    async def handler(body: str) -> None:
        lanes.append(lanebaggage.current_lane())

    async with TestRedisBroker(broker):
        with lanebaggage.lane("s2"):
            await broker.publish("message", channel="channel")
            assert lanebaggage.current_lane() == "s2"
        await broker.publish("message", channel="channel")
    assert lanes == ["s2", None]
