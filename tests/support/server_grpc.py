"""gRPC servers under test, grpc and grpc.aio: each path of the other servers is a method, each kind of method is there."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import TYPE_CHECKING, Any, ClassVar

from .server_drive import Driver, Sockets
from .server_probe import Answer, HandledError, Probe

if TYPE_CHECKING:
    from .server_drive import Headers

STREAMS = ("/stream", "/stream-async", "/hold")


def asked(port: int, path: str, headers: Headers = (), channel: Any = None) -> Answer:
    """One call, unary or with a stream of answers."""
    import grpc

    opened = channel or grpc.insecure_channel(f"127.0.0.1:{port}")
    metadata = [(name.lower(), value) for name, value in headers]
    method = f"/svc{path}"
    try:
        if path in STREAMS:
            body = b"".join(opened.unary_stream(method)(b"", metadata=metadata, timeout=10))
        else:
            body = opened.unary_unary(method)(b"", metadata=metadata, timeout=10)
        return Answer(200, body)
    except grpc.RpcError as error:
        return Answer(500, (error.details() or "").encode())
    finally:
        if channel is None:
            opened.close()


def left(port: int, path: str, headers: Headers, probe: Probe) -> None:
    """A call that its client cancels."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_stream(f"/svc{path}")(b"", metadata=[(name.lower(), value) for name, value in headers])
        probe.wait_for("waiting")
        call.cancel()
    probe.wait_for("cleanup")


class Grpc(Driver):
    """grpc, with interceptors given by position."""

    distribution = "grpcio"
    paths: ClassVar[dict[str, str]] = {"view-sync": "/lane", "body": "/stream"}

    def make(self) -> Any:
        import grpc

        probe = self.probe

        class Noting(grpc.ServerInterceptor):  # type: ignore[misc] # grpc has no types here
            def __init__(self, place: str) -> None:
                self.place = place

            def intercept_service(self, continuation: Any, details: Any) -> Any:
                probe(self.place)
                return continuation(details)

        def unary(view: Any) -> Any:
            def call(request: Any, context: Any) -> bytes:
                try:
                    return view().encode()  # type: ignore[no-any-return]
                except HandledError:
                    context.abort(grpc.StatusCode.INTERNAL, probe("error"))
                    raise

            return grpc.unary_unary_rpc_method_handler(call)

        def background() -> str:
            self.pool.submit(probe, "background")
            return ""

        def hold(request: Any, context: Any) -> Any:
            context.add_callback(lambda: probe("cleanup"))
            probe("waiting")
            yield b"first"
            probe.wait_for("cleanup")

        def count(requests: Any, context: Any) -> bytes:
            return b"".join(probe("chunk").encode() + b" " for _ in requests)

        def talk(requests: Any, context: Any) -> Any:
            for _ in requests:
                yield probe("chunk").encode()

        views = {**probe.views(), "/background": background}
        handlers = {path[1:]: unary(view) for path, view in views.items()}
        handlers["stream"] = grpc.unary_stream_rpc_method_handler(lambda request, context: probe.chunks())
        handlers["hold"] = grpc.unary_stream_rpc_method_handler(hold)
        handlers["count"] = grpc.stream_unary_rpc_method_handler(count)
        handlers["ws"] = grpc.stream_stream_rpc_method_handler(talk)
        self.pool = ThreadPoolExecutor(4)
        server = grpc.server(self.pool, None, [Noting("outer"), Noting("inner")])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("svc", handlers),))
        self.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return server

    def get(self, path: str, headers: Headers = ()) -> Answer:
        return Context().run(asked, self.port, path, headers)

    def kept(self, requests: list[tuple[str, Headers]]) -> list[Answer]:
        import grpc

        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            return [Context().run(asked, self.port, path, headers, channel) for path, headers in requests]

    def disconnect(self, path: str, headers: Headers = ()) -> None:
        Context().run(left, self.port, path, headers, self.probe)

    def websocket(self, path: str, headers: Headers = (), messages: int = 2) -> list[str]:
        import grpc

        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            metadata = [(name.lower(), value) for name, value in headers]
            answers = channel.stream_stream(f"/svc{path}")(iter([b""] * messages), metadata=metadata, timeout=10)
            return [answer.decode() for answer in answers]

    def close(self) -> None:
        self.app.stop(0).wait()
        self.pool.shutdown()


class GrpcAio(Sockets):
    """grpc.aio, with interceptors given by keyword."""

    distribution = "grpcio"
    get = Grpc.get
    kept = Grpc.kept
    disconnect = Grpc.disconnect
    websocket = Grpc.websocket

    def make(self) -> Any:
        import grpc

        probe = self.probe

        class Noting(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc has no types here
            def __init__(self, place: str) -> None:
                self.place = place

            async def intercept_service(self, continuation: Any, details: Any) -> Any:
                probe(self.place)
                return await continuation(details)

        def unary(view: Any) -> Any:
            async def call(request: Any, context: Any) -> bytes:
                try:
                    made = view()
                    return (made if isinstance(made, str) else await made).encode()  # type: ignore[no-any-return]
                except HandledError:
                    await context.abort(grpc.StatusCode.INTERNAL, probe("error"))
                    raise

            return grpc.unary_unary_rpc_method_handler(call)

        async def background() -> str:
            async def job() -> None:
                probe("background")

            self.job = asyncio.ensure_future(job())
            return ""

        async def hold(request: Any, context: Any) -> Any:
            async for chunk in probe.hold():
                yield chunk

        async def stream(request: Any, context: Any) -> Any:
            async for chunk in probe.achunks():
                yield chunk

        def stream_sync(request: Any, context: Any) -> Any:
            yield from probe.chunks()

        async def count(requests: Any, context: Any) -> bytes:
            return b"".join([probe("chunk").encode() + b" " async for _ in requests])

        async def talk(requests: Any, context: Any) -> Any:
            async for _ in requests:
                yield probe("chunk").encode()

        views = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed, "/background": background}
        handlers = {path[1:]: unary(view) for path, view in views.items()}
        handlers["sync"] = grpc.unary_unary_rpc_method_handler(lambda request, context: probe().encode())
        handlers["stream"] = grpc.unary_stream_rpc_method_handler(stream_sync)
        handlers["stream-async"] = grpc.unary_stream_rpc_method_handler(stream)
        handlers["hold"] = grpc.unary_stream_rpc_method_handler(hold)
        handlers["count"] = grpc.stream_unary_rpc_method_handler(count)
        handlers["ws"] = grpc.stream_stream_rpc_method_handler(talk)
        self.handler = grpc.method_handlers_generic_handler("svc", handlers)
        return [Noting("outer"), Noting("inner")]

    async def start(self) -> int:
        import grpc

        self.pool = ThreadPoolExecutor(2)
        self.running = grpc.aio.server(self.pool, interceptors=self.app)
        self.running.add_generic_rpc_handlers((self.handler,))
        port = self.running.add_insecure_port("127.0.0.1:0")
        await self.running.start()
        return int(port)

    async def stop(self) -> None:
        await self.running.stop(0)
        self.pool.shutdown()
