"""grpc and grpc.aio; the situations use unary calls, tests/clients/test_grpc.py all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import AsyncDriver, Driver, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from support.recorder import Recorder

UNARY = "/lane.Test/UnaryUnary"
RETRIES = (
    "grpc.service_config",
    (
        '{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.01s", "maxBackoff": "0.01s",'
        ' "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}'
    ),
)


def _metadata(headers: Any) -> Any:
    return tuple((name.lower(), value) for name, value in headers.items()) if headers else None


class Grpc(Driver):
    """grpc with one channel per target."""

    distribution = "grpcio"
    module = "grpc"
    patched = ("grpc",)
    resolves = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import grpc

        self.grpc = grpc
        self.calls: dict[str, Any] = {}
        self.channels: list[Any] = []

    @staticmethod
    def server() -> AbstractContextManager[Recorder]:
        from support.recorder_grpc import recording_grpc

        return recording_grpc()

    def method(self, url: str, *options: Any) -> Any:
        if url not in self.calls:
            self.channels.append(self.grpc.insecure_channel(url, [*options, ("grpc.http_proxy", self.proxy)]))
            self.calls[url] = self.channels[-1].unary_unary(UNARY)
        return self.calls[url]

    def send(self, url: str, method: str = "", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        return Reply(200, self.method(url)(body or b"", timeout=timeout, metadata=_metadata(headers)))

    def containers(self) -> Iterator[Any]:
        yield None
        yield (("x-mine", "1"),)
        yield [("x-mine", "1")]

    def contained(self, url: str, headers: Any) -> None:
        self.method(url)(b"", metadata=headers)

    def positional(self, url: str, headers: Any) -> None:
        self.method(url)(b"", 10, _metadata(headers))

    def function(self) -> Callable[[str], object]:
        from grpc import insecure_channel

        def call(url: str) -> None:
            with insecure_channel(url) as channel:
                channel.unary_unary(UNARY)(b"")

        return call

    def retry(self, url: str) -> None:
        self.method(url, RETRIES)(b"fail 2")

    def stream(self, url: str) -> Iterator[bytes]:
        self.method(url)
        yield from self.channels[-1].stream_stream("/lane.Test/StreamStream")(iter([b"one", b"two"]))

    def slow(self, url: str, timeout: float) -> None:
        self.method(url)(b"slow", timeout=timeout)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()


class GrpcAio(AsyncDriver):
    """grpc.aio with one channel per target."""

    distribution = "grpcio"
    module = "grpc"
    patched = ("grpc.aio",)
    resolves = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import grpc

        self.grpc = grpc
        self.calls: dict[str, Any] = {}
        self.channels: list[Any] = []

    server = staticmethod(Grpc.server)

    def method(self, url: str, *options: Any) -> Any:
        if url not in self.calls:
            self.channels.append(self.grpc.aio.insecure_channel(url, [*options, ("grpc.http_proxy", self.proxy)]))
            self.calls[url] = self.channels[-1].unary_unary(UNARY)
        return self.calls[url]

    async def asend(self, url: str, method: str = "", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        return Reply(200, await self.method(url)(body or b"", timeout=timeout, metadata=_metadata(headers)))

    def containers(self) -> Iterator[Any]:
        yield from Grpc.containers(self)  # type: ignore[arg-type]
        yield self.grpc.aio.Metadata(("x-mine", "1"))

    def contained(self, url: str, headers: Any) -> None:
        async def call() -> None:
            await self.method(url)(b"", metadata=headers)

        self.run(call())

    def function(self) -> Callable[[str], object]:
        from grpc.aio import insecure_channel

        async def call(url: str) -> None:
            async with insecure_channel(url) as channel:
                await channel.unary_unary(UNARY)(b"")

        return lambda url: self.run(call(url))

    def retry(self, url: str) -> None:
        async def call() -> None:
            await self.method(url, RETRIES)(b"fail 2")

        self.run(call())

    def stream(self, url: str) -> Iterator[bytes]:
        async def chunks() -> list[bytes]:
            self.method(url)
            call = self.channels[-1].stream_stream("/lane.Test/StreamStream")(iter([b"one", b"two"]))
            return [chunk async for chunk in call]

        yield from self.run(chunks())

    async def aslow(self, url: str, timeout: float) -> None:
        await self.method(url)(b"slow", timeout=timeout)

    def slow(self, url: str, timeout: float) -> None:
        self.run(self.aslow(url, timeout))

    async def aclose(self) -> None:
        for channel in self.channels:
            await channel.close()
