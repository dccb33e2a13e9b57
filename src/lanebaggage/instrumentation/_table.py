"""The supported libraries: what to wait for, which integration patches it, and since which version it is known to work."""

from __future__ import annotations


class Library:
    """One row: a library in one role."""

    __slots__ = ("distribution", "floor", "integration", "library", "modules", "role", "through")

    def __init__(
        self,
        library: str,
        role: str,
        modules: str,
        integration: str,
        *,
        distribution: str = "",
        floor: str = "",
        through: str = "",
    ) -> None:
        self.library = library
        """The name that the report and ``disabled`` use."""
        self.role = role
        """``server``, ``client``, ``messaging`` or ``concurrency``."""
        self.modules = tuple(modules.split())
        """Each is patched when it is imported."""
        self.integration = integration
        """Module of this package with an ``install(module, patcher)``."""
        self.distribution = distribution
        """Name on the package index; empty for the standard library."""
        self.floor = floor
        """Oldest version that the tests were run with."""
        self.through = through
        """The library, or what else, whose patch serves this one too, wholly or for the most part."""


TABLE: tuple[Library, ...] = (
    Library("flask", "server", "flask.app", "servers.flask", distribution="flask", floor="2.0.3"),
    Library(
        "django",
        "server",
        "django.core.handlers.wsgi django.core.handlers.asgi django.test.client",
        "servers.django",
        distribution="django",
        floor="4.2.0",
    ),
    Library("starlette", "server", "starlette.applications", "servers.starlette", distribution="starlette", floor="0.20.4"),
    Library(
        "fastapi",
        "server",
        "fastapi.applications",
        "servers.fastapi",
        distribution="fastapi",
        floor="0.83.0",
        through="starlette",
    ),
    Library(
        "aiohttp",
        "server",
        "aiohttp.web_protocol aiohttp.web_response",
        "servers.aiohttp",
        distribution="aiohttp",
        floor="3.8.6",
    ),
    Library(
        "tornado",
        "server",
        "tornado.web tornado.httpserver tornado.wsgi",
        "servers.tornado",
        distribution="tornado",
        floor="6.1",
    ),
    Library("grpc", "server", "grpc._server grpc.aio._server", "servers.grpc", distribution="grpcio", floor="1.63.2"),
    Library("falcon", "server", "falcon.app falcon.asgi.app", "servers.falcon", distribution="falcon", floor="3.0.1"),
    Library("pyramid", "server", "pyramid.router", "servers.pyramid", distribution="pyramid", floor="1.10.8"),
    Library("bottle", "server", "bottle", "servers.bottle", distribution="bottle", floor="0.12.25"),
    Library("quart", "server", "quart.app", "servers.quart", distribution="quart", floor="0.18.4"),
    Library("litestar", "server", "litestar.app", "servers.litestar", distribution="litestar", floor="2.0.1"),
    Library(
        "sanic",
        "server",
        "sanic.app sanic.http.http1 sanic.server.protocols.http_protocol",
        "servers.sanic",
        distribution="sanic",
        floor="23.12.0",
    ),
    Library(
        "channels",
        "server",
        "channels.routing channels.middleware channels.sessions channels.security.websocket channels.consumer",
        "servers.channels",
        distribution="channels",
        floor="3.0.5",
    ),
    Library("wsgiref", "server", "wsgiref.handlers", "servers.wsgiref"),
    Library("werkzeug", "server", "werkzeug.serving", "servers.werkzeug", distribution="werkzeug", floor="2.0.3"),
    Library(
        "gunicorn",
        "server",
        "gunicorn.http.wsgi gunicorn.workers.sync gunicorn.workers.gthread gunicorn.workers.base_async gunicorn.asgi.protocol",
        "servers.gunicorn",
        distribution="gunicorn",
        floor="20.1.0",
    ),
    Library(
        "uvicorn",
        "server",
        "uvicorn.protocols.http.h11_impl uvicorn.protocols.http.httptools_impl"
        " uvicorn.protocols.http.zttp_impl uvicorn.protocols.http.zttp_h2_impl"
        " uvicorn.protocols.websockets.websockets_impl uvicorn.protocols.websockets.websockets_sansio_impl"
        " uvicorn.protocols.websockets.wsproto_impl uvicorn.middleware.wsgi",
        "servers.uvicorn",
        distribution="uvicorn",
        floor="0.17.6",
    ),
    Library("hypercorn", "server", "hypercorn.app_wrappers", "servers.hypercorn", distribution="hypercorn", floor="0.14.4"),
    Library(
        "granian",
        "server",
        "granian.server.mp granian.server.mt granian.server.embed",
        "servers.granian",
        distribution="granian",
        floor="2.5.0",
    ),
    Library(
        "uwsgi", "server", "uwsgi", "servers.uwsgi", distribution="pyuwsgi", floor="2.0.23", through="the application's module"
    ),
    Library("waitress", "server", "waitress.task", "servers.waitress", distribution="waitress", floor="2.1.2"),
    Library(
        "websockets",
        "server",
        "websockets.asyncio.server websockets.sync.server websockets.trio.server websockets.legacy.server",
        "servers.websockets",
        distribution="websockets",
        floor="11.0.3",
    ),
    Library("gevent", "server", "gevent.pywsgi", "servers.gevent", distribution="gevent", floor="21.12.0"),
    Library("http.client", "client", "http.client", "clients.http_client"),
    Library("urllib.request", "client", "urllib.request", "clients.urllib", through="http.client"),
    Library(
        "urllib3",
        "client",
        "urllib3.connection urllib3.http2.connection",
        "clients.urllib3",
        distribution="urllib3",
        floor="1.26.5",
        through="http.client",
    ),
    Library(
        "requests",
        "client",
        "requests.sessions requests_mock.mocker",
        "clients.requests",
        distribution="requests",
        floor="2.25.1",
        through="http.client",
    ),
    Library("httpx", "client", "httpx._client", "clients.httpx", distribution="httpx", floor="0.23.3", through="httpcore"),
    Library("httpx2", "client", "httpx2._client", "clients.httpx", distribution="httpx2", floor="2.0.0", through="httpcore2"),
    Library("aiohttp", "client", "aiohttp.client_reqrep", "clients.aiohttp", distribution="aiohttp", floor="3.8.6"),
    Library("aioresponses", "client", "aioresponses.core", "clients.aioresponses", distribution="aioresponses", floor="0.7.6"),
    Library("tornado", "client", "tornado.simple_httpclient", "clients.tornado", distribution="tornado", floor="6.1"),
    Library("tornado.curl", "client", "tornado.curl_httpclient", "clients.tornado_curl", distribution="tornado", floor="6.1"),
    Library("grpc", "client", "grpc._channel", "clients.grpc", distribution="grpcio", floor="1.63.2"),
    Library(
        "grpc.aio", "client", "grpc.aio._call grpc.aio._channel", "clients.grpc_aio", distribution="grpcio", floor="1.63.2"
    ),
    Library(
        "websockets",
        "client",
        "websockets.client websockets.legacy.client",
        "clients.websockets",
        distribution="websockets",
        floor="11.0.3",
    ),
    Library(
        "urllib3-future",
        "client",
        "urllib3_future.backend.hface urllib3_future.backend._async.hface urllib3.backend.hface urllib3.backend._async.hface",
        "clients.urllib3_future",
        distribution="urllib3-future",
        floor="2.12.900",
    ),
    Library(
        "niquests",
        "client",
        "niquests.sessions",
        "clients.niquests",
        distribution="niquests",
        floor="3.12.0",
        through="urllib3-future",
    ),
    Library(
        "httpcore",
        "client",
        "httpcore._sync.http11 httpcore._sync.http2 httpcore._sync.connection_pool"
        " httpcore._async.http11 httpcore._async.http2 httpcore._async.connection_pool",
        "clients.httpcore",
        distribution="httpcore",
        floor="0.16.3",
    ),
    Library(
        "httpcore2",
        "client",
        "httpcore2._sync.http11 httpcore2._sync.http2 httpcore2._sync.connection_pool"
        " httpcore2._async.http11 httpcore2._async.http2 httpcore2._async.connection_pool",
        "clients.httpcore",
        distribution="httpcore2",
        floor="2.0.0",
    ),
    Library(
        "kafka-python",
        "messaging",
        "kafka.producer.kafka kafka.consumer.group",
        "messaging.kafka_python",
        distribution="kafka-python",
        floor="2.0.2",
    ),
    Library(
        "confluent-kafka",
        "messaging",
        "confluent_kafka.cimpl confluent_kafka.aio._AIOConsumer",
        "messaging.confluent_kafka",
        distribution="confluent-kafka",
        floor="1.9.2",
    ),
    Library(
        "aiokafka",
        "messaging",
        "aiokafka.producer.message_accumulator aiokafka.consumer.consumer",
        "messaging.aiokafka",
        distribution="aiokafka",
        floor="0.8.1",
    ),
    Library(
        "pika",
        "messaging",
        "pika.channel pika.adapters.blocking_connection",
        "messaging.pika",
        distribution="pika",
        floor="1.2.1",
    ),
    Library(
        "aio-pika",
        "messaging",
        "aiormq.channel aio_pika.queue aio_pika.robust_queue",
        "messaging.aio_pika",
        distribution="aio-pika",
        floor="8.3.0",
    ),
    Library("kombu", "messaging", "kombu.messaging kombu.simple", "messaging.kombu", distribution="kombu", floor="5.2.4"),
    Library(
        "celery", "messaging", "celery.app.task", "messaging.celery", distribution="celery", floor="5.2.7", through="kombu"
    ),
    Library("rq", "messaging", "rq.job rq.worker", "messaging.rq", distribution="rq", floor="1.11.1"),
    Library(
        "dramatiq",
        "messaging",
        "dramatiq.message dramatiq.worker dramatiq.brokers.rabbitmq",
        "messaging.dramatiq",
        distribution="dramatiq",
        floor="1.13.0",
    ),
    Library("arq", "messaging", "arq.connections arq.worker", "messaging.arq", distribution="arq", floor="0.25.0"),
    Library(
        "taskiq",
        "messaging",
        "taskiq.kicker taskiq.receiver.receiver",
        "messaging.taskiq",
        distribution="taskiq",
        floor="0.11.10",
    ),
    Library(
        "faststream",
        "messaging",
        "faststream._internal.broker.pub_base faststream._internal.endpoint.publisher.usecase"
        " faststream._internal.endpoint.publisher.fake"
        " faststream._internal.endpoint.subscriber.usecase faststream._internal.endpoint.subscriber.call_item"
        " faststream.redis.subscriber.usecases.channel_subscriber faststream.redis.subscriber.usecases.list_subscriber"
        " faststream.redis.subscriber.usecases.stream_subscriber faststream.confluent.subscriber.usecase"
        " faststream.nats.subscriber.usecases.core_subscriber faststream.nats.subscriber.usecases.stream_basic"
        " faststream.nats.subscriber.usecases.stream_pull_subscriber faststream.mqtt.subscriber.usecase",
        "messaging.faststream",
        distribution="faststream",
        floor="0.6.0",
    ),
    Library("threading", "concurrency", "threading", "concurrency.threads"),
    Library(
        "concurrent.futures",
        "concurrency",
        "concurrent.futures.thread concurrent.futures.process",
        "concurrency.executors",
    ),
    Library("multiprocessing", "concurrency", "multiprocessing.process", "concurrency.processes"),
    Library("multiprocessing.pool", "concurrency", "multiprocessing.pool", "concurrency.pools"),
    Library("asyncio", "concurrency", "asyncio.base_events", "concurrency.asyncio"),
    Library("uvloop", "concurrency", "uvloop", "concurrency.asyncio", distribution="uvloop", floor="0.17.0"),
    Library(
        "gevent",
        "concurrency",
        "gevent.greenlet gevent.threadpool",
        "concurrency.gevent",
        distribution="gevent",
        floor="21.12.0",
    ),
    Library(
        "anyio",
        "concurrency",
        "anyio.to_process anyio.to_interpreter",
        "concurrency.anyio",
        distribution="anyio",
        floor="3.7.1",
    ),
    Library(
        "apscheduler",
        "concurrency",
        "apscheduler.schedulers.base apscheduler._schedulers.async_",
        "concurrency.apscheduler",
        distribution="apscheduler",
        floor="3.9.1",
    ),
)
