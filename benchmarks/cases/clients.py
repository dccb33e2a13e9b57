"""HTTP clients, whose requests are answered without a network, and gRPC over the loopback, while a request is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import traffic
from ..case import Case, add, timed, timed_async
from .unconnected import AsyncBackend, Backend, Socket, aiohttp_connector, urllib3_pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..configs import Config

URL = "http://mockb:8000/"


def http_client(config: Config, situation: str) -> Callable[[int], float]:
    from http.client import HTTPConnection

    config.serve(traffic.headers(situation))
    connection = HTTPConnection("mockb", 8000)
    connection.sock = Socket()  # type: ignore[assignment]

    def call() -> None:
        connection.request("GET", "/")
        connection.getresponse().read()

    return timed(call)


def urllib3(config: Config, situation: str) -> Callable[[int], float]:
    from urllib3 import PoolManager

    config.serve(traffic.headers(situation))
    pool = PoolManager()
    pool.pool_classes_by_scheme = {"http": urllib3_pool()}
    return timed(lambda: pool.request("GET", URL))


def requests(config: Config, situation: str) -> Callable[[int], float]:
    from requests import Session
    from requests.adapters import HTTPAdapter

    config.serve(traffic.headers(situation))
    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"http": urllib3_pool()}
    session = Session()
    session.trust_env = False
    session.mount("http://", adapter)
    return timed(lambda: session.get(URL))


def httpx(config: Config, situation: str) -> Callable[[int], float]:
    from httpcore import ConnectionPool
    from httpx import Client

    config.serve(traffic.headers(situation))
    client = Client(trust_env=False)
    client._transport._pool = ConnectionPool(network_backend=Backend())  # type: ignore[attr-defined]
    return timed(lambda: client.get(URL))


def httpx_async(config: Config, situation: str) -> Callable[[int], float]:
    from httpcore import AsyncConnectionPool
    from httpx import AsyncClient

    config.serve(traffic.headers(situation))
    client = AsyncClient(trust_env=False)
    client._transport._pool = AsyncConnectionPool(network_backend=AsyncBackend())  # type: ignore[attr-defined]
    return timed_async(config, lambda: client.get(URL))


def httpx_mock(config: Config, situation: str) -> Callable[[int], float]:
    from httpx import Client, MockTransport, Response

    config.serve(traffic.headers(situation))
    client = Client(transport=MockTransport(lambda request: Response(200, content=b"ok")), trust_env=False)
    config.httpx_client(client)
    return timed(lambda: client.get(URL))


def aiohttp(config: Config, situation: str) -> Callable[[int], float]:
    from aiohttp import ClientSession

    config.serve(traffic.headers(situation))
    client: Any = None

    async def call() -> None:
        nonlocal client
        if client is None:  # a session belongs to the loop in which it was made
            client = ClientSession(connector=aiohttp_connector())
        async with client.get(URL) as response:
            await response.read()

    async def close() -> None:
        await client.close()

    return timed_async(config, call, close)


def grpc(config: Config, situation: str) -> Callable[[int], float]:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    def echo(request: bytes, context: Any) -> bytes:
        config.grpc_served(context)
        return request

    handler = grpc.method_handlers_generic_handler("bench.Bench", {"Echo": grpc.unary_unary_rpc_method_handler(echo)})
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    config.endings.append(lambda: server.stop(None).wait())
    config.serve(traffic.headers(situation))
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    config.endings.append(channel.close)
    call = channel.unary_unary("/bench.Bench/Echo")
    return timed(lambda: call(b"ok"))


HTTP = (
    ("http.client", http_client, (), ("httplib",)),
    ("urllib3", urllib3, ("urllib3:URLLib3Instrumentor",), ("urllib3",)),
    ("requests", requests, ("requests:RequestsInstrumentor", "urllib3:URLLib3Instrumentor"), ("requests",)),
    ("httpx", httpx, ("httpx:HTTPXClientInstrumentor",), ("httpx",)),
    ("httpx-async", httpx_async, ("httpx:HTTPXClientInstrumentor",), ("httpx",)),
    ("httpx-mock", httpx_mock, ("httpx:HTTPXClientInstrumentor",), ("httpx",)),
    ("aiohttp", aiohttp, ("aiohttp_client:AioHttpClientInstrumentor",), ("aiohttp",)),
)

WORDS = {"httpx-mock": "httpx, a mock for a transport"}

for name, make, opentelemetry, ddtrace in HTTP:
    what = WORDS.get(name, name)
    libraries = {"opentelemetry": opentelemetry, "ddtrace": ddtrace}
    missing = () if opentelemetry else ("none", "floor", "lanebaggage", "ddtrace", "sentry")
    add(Case(name, what, "client", make, **libraries, only=missing))
    add(Case(f"{name}-nothing", f"{what}, nothing to carry", "client", make, "nothing", **libraries, only=missing))
    for count in (0, 10, 60) if name == "http.client" else (10,):
        words = f"{what}, baggage, {count} foreign members" if count else f"{what}, baggage, ours only"
        add(Case(f"{name}-baggage-{count}", words, "client", make, f"baggage-{count}", **libraries, only=missing))

add(
    Case(
        "grpc",
        "gRPC unary call over the loopback, client and server",
        "client",
        grpc,
        opentelemetry=("grpc:GrpcInstrumentorClient", "grpc:GrpcInstrumentorServer"),
        ddtrace=("grpc",),
        sentry=("grpc:GRPCIntegration",),
    )
)
