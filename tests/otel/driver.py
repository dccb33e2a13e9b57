"""A service on a real socket, in a process of its own, beside OpenTelemetry: what its calls have on the wire, as JSON.

``python driver.py STACK STEPS [OPTIONS]``: the steps, comma-separated, are done in their order before the service is made:
``lanebaggage`` (auto_instrument), ``otel`` (SDK and instrumentations), ``fresh-context`` (handlers run in an OpenTelemetry
context that the application made), ``other-propagator`` (the application replaces the global one). OPTIONS is JSON:
arguments of auto_instrument, and ``enter``, a lane that the handler enters by hand.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from http.client import HTTPConnection
from importlib import import_module
from typing import Any

import lanebaggage
from support.recorder import recording

TRACE = "0af7651916cd43dd8448eb211c80319c"
OPTIONS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
ENTER = OPTIONS.pop("enter", None)
EXPORTED: list[Any] = []
SEEN: list[Any] = []
STEPS = sys.argv[2].split(",")

INSTRUMENTORS = {
    "flask": "flask.FlaskInstrumentor",
    "requests": "requests.RequestsInstrumentor",
    "urllib3": "urllib3.URLLib3Instrumentor",
    "threading": "threading.ThreadingInstrumentor",
    "fastapi": "fastapi.FastAPIInstrumentor",
    "httpx": "httpx.HTTPXClientInstrumentor",
    "aiohttp": "aiohttp_client.AioHttpClientInstrumentor aiohttp_server.AioHttpServerInstrumentor",
    "grpc": "grpc.GrpcInstrumentorClient grpc.GrpcInstrumentorServer",
    "grpc.aio": "grpc.GrpcAioInstrumentorClient grpc.GrpcAioInstrumentorServer",
}


def lanebaggage_step() -> None:
    lanebaggage.auto_instrument(**OPTIONS)


def otel_step() -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from lanebaggage.otel import LaneSpanProcessor

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(LaneSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    EXPORTED.append(exporter)
    for library in STACKS[sys.argv[1]][0].split():
        for name in INSTRUMENTORS[library].split():
            module, _, instrumentor = name.rpartition(".")
            getattr(import_module(f"opentelemetry.instrumentation.{module}"), instrumentor)().instrument()


def other_propagator_step() -> None:
    from opentelemetry.propagate import set_global_textmap
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    set_global_textmap(TraceContextTextMapPropagator())


def by_hand_step() -> None:
    from opentelemetry.propagate import get_global_textmap, set_global_textmap
    from opentelemetry.propagators.composite import CompositePropagator

    from lanebaggage.propagator import LanePropagator

    set_global_textmap(CompositePropagator([get_global_textmap(), LanePropagator(instrument=False)]))


def ddtrace_step() -> None:
    import_module("ddtrace.auto")


def sentry_step() -> None:
    import sentry_sdk

    sentry_sdk.init("http://key@127.0.0.1:9/1", transport=lambda envelope: None, traces_sample_rate=1.0)


def instana_step() -> None:
    import_module("instana")


@contextmanager
def handling() -> Any:
    """What every handler does around its call."""
    with ExitStack() as stack:
        SEEN.append([lanebaggage.current_lane(), _user()])
        if "fresh-context" in STEPS:
            from opentelemetry.context import Context, attach, detach

            stack.callback(detach, attach(Context()))
        stack.enter_context(lanebaggage.lane(ENTER) if ENTER else nullcontext())
        yield


def _user() -> object:
    """OpenTelemetry's own baggage, where it is in use."""
    baggage = sys.modules.get("opentelemetry.baggage")
    return baggage.get_baggage("user") if baggage and "otel" in STEPS else None


# --- services: each is given the URL to call, and yields its port


@contextmanager
def flask_requests(url: str, threads: bool = False) -> Any:
    import flask
    import requests
    from werkzeug.serving import make_server

    app = flask.Flask("service")

    @app.get("/")
    def view() -> str:
        with handling():
            if threads:
                thread = threading.Thread(target=requests.get, args=(url,))
                thread.start()
                thread.join()
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(requests.get, url).result()
            else:
                requests.get(url)
        return "done"

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()


@contextmanager
def flask_threads(url: str) -> Any:
    with flask_requests(url, threads=True) as port:
        yield port


@contextmanager
def in_loop(start: Any) -> Any:
    """Run an asynchronous service in a thread of its own; ``start`` yields its port."""
    ready: Any = []
    begun = threading.Event()

    def run() -> None:
        async def main() -> None:
            stop = asyncio.Event()
            services = start()
            port = await anext(services)
            ready.extend([port, asyncio.get_running_loop(), stop])
            begun.set()
            await stop.wait()
            await anext(services, None)

        asyncio.run(main())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert begun.wait(30)
    port, loop, stop = ready
    yield port
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@contextmanager
def fastapi_httpx(url: str) -> Any:
    import fastapi
    import httpx
    import uvicorn

    app = fastapi.FastAPI()

    @app.get("/")
    async def view() -> str:
        with handling():
            async with httpx.AsyncClient() as client:
                await client.get(url)
        return "done"

    @app.get("/sync")
    def sync_view() -> str:
        with handling():
            httpx.get(url)
        return "done"

    async def start() -> Any:
        listener = socket.create_server(("127.0.0.1", 0))  # takes connections before the server is ready for them
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        task = asyncio.ensure_future(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await task

    with in_loop(start) as port:
        yield port


@contextmanager
def aiohttp(url: str) -> Any:
    from aiohttp import ClientSession, web

    async def view(request: Any) -> Any:
        with handling():
            async with ClientSession() as session, session.get(url) as answer:
                await answer.read()
        return web.Response(text="done")

    async def start() -> Any:
        app = web.Application()
        app.router.add_get("/", view)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
        await runner.cleanup()

    with in_loop(start) as port:
        yield port


METHOD = "/test.Service/Call"
GRPC_CALLS: list[list[tuple[str, str]]] = []


def grpc_handlers(behaviour: Any) -> Any:
    import grpc

    handler = grpc.unary_unary_rpc_method_handler(behaviour)
    return grpc.method_handlers_generic_handler("test.Service", {"Call": handler})


def grpc_record(context: Any) -> None:
    GRPC_CALLS.append([(str(key), str(value)) for key, value in context.invocation_metadata()])


@contextmanager
def grpc(url: str) -> Any:
    import grpc

    def upstream(request: bytes, context: Any) -> bytes:
        grpc_record(context)
        return b"done"

    def behaviour(request: bytes, context: Any) -> bytes:
        with handling(), grpc.insecure_channel(f"127.0.0.1:{upstream_port}") as channel:
            return channel.unary_unary(METHOD)(b"")

    servers = []
    ports = []
    for served in (upstream, behaviour):
        server = grpc.server(ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((grpc_handlers(served),))
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        server.start()
        servers.append(server)
    upstream_port, port = ports
    yield port
    for server in servers:
        server.stop(None).wait()


@contextmanager
def grpc_aio(url: str) -> Any:
    import grpc

    async def upstream(request: bytes, context: Any) -> bytes:
        grpc_record(context)
        return b"done"

    ports: list[int] = []

    async def behaviour(request: bytes, context: Any) -> bytes:
        with handling():
            async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
                return await channel.unary_unary(METHOD)(b"")

    async def start() -> Any:
        servers = []
        for served in (upstream, behaviour):
            server = grpc.aio.server()
            server.add_generic_rpc_handlers((grpc_handlers(served),))
            ports.append(server.add_insecure_port("127.0.0.1:0"))
            await server.start()
            servers.append(server)
        yield ports[1]
        for server in servers:
            await server.stop(None)

    with in_loop(start) as port:
        yield port


STACKS = {
    "flask-requests": ("flask requests urllib3", flask_requests),
    "flask-threads": ("flask requests threading", flask_threads),
    "fastapi-httpx": ("fastapi httpx", fastapi_httpx),
    "aiohttp": ("aiohttp", aiohttp),
    "grpc": ("grpc", grpc),
    "grpc-aio": ("grpc.aio", grpc_aio),
}


def main() -> None:
    for step in STEPS:
        if f"{step.replace('-', '_')}_step" in globals():
            globals()[f"{step.replace('-', '_')}_step"]()
    stack = sys.argv[1]
    with recording() as recorder, STACKS[stack][1](recorder.url()) as port:
        for number, lane in enumerate(("s2", "s3", None), 1):
            headers = {"traceparent": f"00-{TRACE}-000000000000000{number}-01"}
            route, trace = OPTIONS.get("route_header", "x-asm-prefer-tag"), OPTIONS.get("trace_header")
            headers["baggage"] = "user=1;p=q"
            if lane and trace == "baggage":
                headers["baggage"] += f",{route}={lane}"
            elif lane:
                headers[route] = lane
            request(stack, port, headers)
        received = GRPC_CALLS or [r.headers for r in recorder.requests]
    spans = EXPORTED[0].get_finished_spans() if EXPORTED else []
    print(
        json.dumps(
            {
                "received": [[(name.lower(), value) for name, value in headers] for headers in received],
                "seen": SEEN,
                "spans": [
                    [span.kind.name, f"{span.context.trace_id:032x}", (span.attributes or {}).get("lane")] for span in spans
                ],
                "stats": lanebaggage.stats(),
            }
        )
    )


def request(stack: str, port: int, headers: dict[str, str]) -> None:
    """A request of a client that nobody instruments, or for gRPC of one that carries nothing."""
    if stack.startswith("grpc"):
        import grpc

        untraced: Any = nullcontext
        if "otel" in STEPS:
            from opentelemetry.instrumentation.utils import suppress_instrumentation as untraced
        with untraced(), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            channel.unary_unary(METHOD)(b"", metadata=tuple(headers.items()))
        return
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/", headers=headers)
    assert connection.getresponse().read()
    connection.close()


if __name__ == "__main__":
    main()
