"""Drivers of the task queues; what the worker runs is the driver's ``handle``, found by the queue's name."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from typing import TYPE_CHECKING, Any

from .base import AsyncDriver, Driver, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import Handle

SECONDS = 20
DRIVERS: dict[str, TaskDriver | AsyncTaskDriver] = {}


class Again(Exception):
    """Raised by a task the first time, to be given it again."""


class Counting:
    """A worker that waits until somebody is interested, and an event when it has handled enough."""

    handle: Handle
    again = False

    def expect(self, count: int, handle: Handle) -> None:
        self.missing, self.handle = count, handle

    def work(self, seen: Seen) -> None:
        """What a task does; raises at the first delivery of two."""
        self.missing -= 1
        if self.again and self.missing:
            self.handle(seen)
            raise Again
        self.handled(seen, self.handle)  # type: ignore[attr-defined]


class TaskDriver(Counting, Driver):
    """A worker in threads of its own, or in the test's."""

    def open(self) -> None:
        DRIVERS[self.queue] = self
        self.ready, self.done = threading.Event(), threading.Event()
        self.start()

    def start(self) -> None:
        raise NotImplementedError

    def receive(self, count: int, handle: Handle) -> str | None:
        self.expect(count, handle)
        self.done.clear()
        self.ready.set()
        assert self.done.wait(SECONDS)
        self.ready.clear()
        return None

    def receive_again(self, handle: Handle) -> None:
        self.again = True
        self.receive(2, handle)

    def run(self, seen: Seen) -> None:
        assert self.ready.wait(SECONDS)
        try:
            self.work(seen)
        finally:
            if not self.missing:
                self.done.set()


class Celery(TaskDriver):
    """Celery, its worker in a thread with the solo pool."""

    distribution = "celery"

    def start(self) -> None:
        import celery
        from celery.contrib.testing.worker import start_worker

        self.app = celery.Celery(broker=self.address.amqp, set_as_current=False)
        self.app.conf.update(task_default_queue=self.queue, worker_hijack_root_logger=False)

        def job(task: Any, body: str) -> None:
            try:
                self.run(Seen(body, vars(task.request)))  # Celery 5.2 has no ``request.headers``
            except Again as again:
                raise task.retry(exc=again, countdown=0) from None

        self.task = self.app.task(job, bind=True, name=self.queue, shared=False)
        self.worker = start_worker(self.app, pool="solo", perform_ping_check=False, shutdown_timeout=SECONDS)
        self.worker.__enter__()

    def send(self, body: str, container: Any = None) -> None:
        self.task.apply_async((body,), headers=container)

    def close(self) -> None:
        self.app.control.shutdown()  # wakes the worker, which would look only at its next timer
        self.worker.__exit__(None, None, None)
        self.app.close()


class Rq(TaskDriver):
    """RQ, its worker in the test's thread."""

    distribution = "rq"
    broker = "redis"

    def start(self) -> None:
        import redis
        import rq

        self.connection = redis.Redis.from_url(self.address.redis)
        self.jobs = rq.Queue(self.queue, connection=self.connection)
        self.retry = rq.Retry(max=1)

    def send(self, body: str, container: Any = None) -> None:
        self.jobs.enqueue("matrix.messaging_drivers.tasks.rq_job", self.queue, body, retry=self.retry)

    def receive(self, count: int, handle: Handle) -> str | None:
        import rq

        self.expect(count, handle)
        self.ready.set()
        rq.SimpleWorker([self.jobs], connection=self.connection).work(burst=True, logging_level="CRITICAL")
        assert not self.missing
        return None

    def close(self) -> None:
        self.connection.close()


def rq_job(queue: str, body: str) -> None:
    import rq

    job = rq.get_current_job()
    stored = job.connection.hget(job.key, "lanebaggage")
    DRIVERS[queue].run(Seen(body, json.loads(stored or "{}")))


class Dramatiq(TaskDriver):
    """Dramatiq over RabbitMQ, two worker threads."""

    distribution = "dramatiq"

    def start(self) -> None:
        import dramatiq
        from dramatiq.brokers.rabbitmq import RabbitmqBroker
        from dramatiq.middleware import CurrentMessage

        self.current = CurrentMessage.get_current_message
        self.exchange = RabbitmqBroker(url=self.address.amqp)
        self.exchange.add_middleware(CurrentMessage())
        self.actor = dramatiq.actor(
            self.job, broker=self.exchange, queue_name=self.queue, actor_name=self.queue, max_retries=1, min_backoff=1
        )
        self.exchange.declare_queue(self.queue, ensure=True)
        self.worker = dramatiq.Worker(self.exchange, worker_threads=2, worker_timeout=50)
        self.worker.start()

    def job(self, body: str) -> None:
        self.run(Seen(body, self.current().options))

    def container(self, headers: dict[str, str]) -> Any:
        return self.actor.message_with_options(args=("",), **headers)

    def send(self, body: str, container: Any = None) -> None:
        self.exchange.enqueue((container or self.container({}))._replace(args=(body,)))  # shares the options

    def contents(self, container: Any) -> Any:
        return container and repr(container.options)

    def close(self) -> None:
        self.worker.stop()
        self.exchange.close()


class AsyncTaskDriver(Counting, AsyncDriver):
    """A worker in the test's event loop."""

    async def aopen(self) -> None:
        DRIVERS[self.queue] = self
        self.ready, self.done = asyncio.Event(), asyncio.Event()
        await self.start()

    async def start(self) -> None:
        raise NotImplementedError

    async def areceive(self, count: int, handle: Handle) -> str | None:
        self.expect(count, handle)
        self.done.clear()
        self.ready.set()
        await self.work_until_done()
        self.ready.clear()
        return None

    async def work_until_done(self) -> None:
        await asyncio.wait_for(self.done.wait(), SECONDS)

    async def areceive_again(self, handle: Handle) -> None:
        self.again = True
        await self.areceive(2, handle)

    async def arun(self, seen: Seen) -> None:
        await asyncio.wait_for(self.ready.wait(), SECONDS)
        try:
            self.work(seen)
        finally:
            if not self.missing:
                self.done.set()


class Arq(AsyncTaskDriver):
    """arq, a burst of its worker in the test's event loop."""

    distribution = "arq"
    broker = "redis"

    async def start(self) -> None:
        from arq import create_pool
        from arq.connections import RedisSettings

        self.settings = RedisSettings(self.address.host, self.address.port)
        self.pool = await create_pool(self.settings, default_queue_name=self.queue)

    async def asend(self, body: str, container: Any) -> None:
        await self.pool.enqueue_job("job", body, self.queue)

    async def work_until_done(self) -> None:
        from arq.worker import Retry, Worker, func

        async def job(context: Any, body: str, queue: str) -> None:
            stored = pickle.loads(await context["redis"].get(f"arq:job:{context['job_id']}"))
            try:
                await self.arun(Seen(body, stored.get("lanebaggage")))
            except Again:
                raise Retry from None

        worker = Worker(
            functions=[func(job, name="job")],
            queue_name=self.queue,
            redis_settings=self.settings,
            burst=True,
            poll_delay=0.01,
            handle_signals=False,
        )
        await worker.async_run()
        await worker.close()

    async def aclose(self) -> None:
        await self.pool.aclose()


class Taskiq(AsyncTaskDriver):
    """Taskiq over RabbitMQ, its receiver in the test's event loop."""

    distribution = "taskiq"

    async def start(self) -> None:
        from taskiq import Context, SimpleRetryMiddleware, TaskiqDepends
        from taskiq_aio_pika import AioPikaBroker

        try:
            from taskiq_aio_pika.queue import Queue
        except ImportError:  # before 0.5
            self.exchange = AioPikaBroker(self.address.amqp, queue_name=self.queue)
        else:
            self.exchange = AioPikaBroker(self.address.amqp, task_queues=[Queue(name=self.queue)])
        self.exchange = self.exchange.with_middlewares(SimpleRetryMiddleware(default_retry_count=2))

        async def job(body: str, context: Context = TaskiqDepends()) -> None:  # noqa: B008 - how Taskiq injects
            await self.arun(Seen(body, context.message.labels))

        job.__annotations__["context"] = Context
        self.task = self.exchange.register_task(job, task_name="job", retry_on_error=True)
        self.exchange.is_worker_process = True
        await self.exchange.startup()

    def container(self, headers: dict[str, str]) -> Any:
        return self.task.kicker().with_labels(**headers)

    def contents(self, container: Any) -> Any:
        return container and repr(container.labels)

    async def asend(self, body: str, container: Any) -> None:
        await (container or self.task).kiq(body)

    async def work_until_done(self) -> None:
        from taskiq.receiver import Receiver

        finish = asyncio.Event()
        worker = asyncio.ensure_future(Receiver(self.exchange, max_async_tasks=10, run_startup=False).listen(finish))
        await super().work_until_done()
        finish.set()
        await worker

    async def aclose(self) -> None:
        await self.exchange.shutdown()


class FastStream(AsyncTaskDriver):
    """FastStream over one of its brokers."""

    distribution = "faststream"

    def make(self) -> Any:
        """A broker object that is not started."""
        raise NotImplementedError

    def where(self, batch: bool = False) -> dict[str, Any]:
        """What names the queue to ``publish`` and ``subscriber``."""
        raise NotImplementedError

    def policy(self) -> dict[str, Any]:
        """Have the broker deliver again what failed, where it can."""
        return {}

    async def start(self) -> None:
        from faststream import Context

        self.exchange = self.make()
        self.started = False

        async def job(body: str, message: Any = Context("message")) -> None:  # noqa: B008 - how FastStream injects
            await self.arun(Seen(body, message.headers))

        self.exchange.subscriber(**self.where(), **self.policy())(job)
        await self.exchange.connect()
        await self.declare()

    async def declare(self) -> None:
        """Make the queue exist before its subscriber starts."""

    async def asend(self, body: str, container: Any) -> None:
        await self.exchange.publish(body, **self.where(), headers=container)

    async def work_until_done(self) -> None:
        if not self.started:
            self.started = True
            await self.exchange.start()
        await super().work_until_done()

    async def areceive_batch(self, count: int, handle: Callable[[list[Seen]], None]) -> None:
        from faststream import Context

        exchange = self.make()
        done = asyncio.Event()
        lanes: list[Any] = []

        async def jobs(bodies: list[str], message: Any = Context("message")) -> None:  # noqa: B008
            try:
                assert len(bodies) == count
                handle([Seen(body, headers) for body, headers in zip(bodies, message.batch_headers, strict=True)])
            except AssertionError as error:
                lanes.append(error)
            done.set()

        exchange.subscriber(**self.where(batch=True))(jobs)
        await exchange.start()
        await asyncio.wait_for(done.wait(), SECONDS)
        await exchange.stop()
        assert lanes == []

    async def aclose(self) -> None:
        await self.exchange.stop()


class FastStreamRedis(FastStream):
    """FastStream over Redis lists."""

    broker = "redis"

    def make(self) -> Any:
        from faststream.redis import RedisBroker

        return RedisBroker(self.address.redis, logger=None)

    def where(self, batch: bool = False) -> dict[str, Any]:
        from faststream.redis import ListSub

        return {"list": ListSub(self.queue, batch=True, polling_interval=0.01) if batch else self.queue}


class FastStreamRabbit(FastStream):
    """FastStream over RabbitMQ."""

    def make(self) -> Any:
        from faststream.rabbit import RabbitBroker

        return RabbitBroker(self.address.amqp, logger=None)

    async def declare(self) -> None:
        from faststream.rabbit import RabbitQueue

        await self.exchange.declare_queue(RabbitQueue(self.queue))

    def where(self, batch: bool = False) -> dict[str, Any]:
        return {"queue": self.queue}

    def policy(self) -> dict[str, Any]:
        from faststream import AckPolicy

        return {"ack_policy": AckPolicy.NACK_ON_ERROR}
