"""aiohttp's client."""

from __future__ import annotations

import asyncio
import ssl
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from .base import AsyncDriver, Reply, generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Aiohttp(AsyncDriver):
    """aiohttp with a ClientSession."""

    distribution = module = "aiohttp"
    patched = ("aiohttp",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import aiohttp

        self.aiohttp = aiohttp
        self.tls: dict[str, Any] = {"ssl": ssl.create_default_context(cafile=self.ca)} if self.ca else {}
        self.session = self.run(self._session())

    async def _session(self, **options: Any) -> Any:
        # what resolves names must be the function that the fixture names replaces
        connector = self.aiohttp.TCPConnector(resolver=self.aiohttp.ThreadedResolver(), **self.tls)
        return self.aiohttp.ClientSession(connector=connector, **options)

    async def asend(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        options: dict[str, Any] = {"proxy": self.proxy} if self.proxy else {}
        limit = self.aiohttp.ClientTimeout(total=timeout)
        async with self.session.request(method, url, headers=headers, data=body, timeout=limit, **options) as answer:
            return Reply(answer.status, await answer.read())

    def containers(self) -> Iterator[Any]:
        from multidict import CIMultiDict, CIMultiDictProxy

        yield from super().containers()
        yield [("X-Mine", "1")]
        yield (("X-Mine", "1"),)
        yield MappingProxyType({"X-Mine": "1"})
        yield CIMultiDict({"X-Mine": "1"})
        yield CIMultiDictProxy(CIMultiDict({"X-Mine": "1"}))

    def function(self) -> Callable[[str], object]:
        from aiohttp import request

        async def call(url: str) -> None:
            async with request("GET", url) as answer:
                await answer.read()

        return lambda url: self.run(call(url))

    def retry(self, url: str) -> None:
        async def again(request: Any, handler: Any) -> Any:
            while (answer := await handler(request)).status == 503:
                pass
            return answer

        async def call() -> None:
            async with await self._session(middlewares=(again,)) as session, session.get(url) as answer:
                await answer.read()

        self.run(call())

    def stream(self, url: str) -> Iterator[bytes]:
        async def chunks() -> list[bytes]:
            async with self.session.get(url) as answer:
                return [chunk async for chunk in answer.content.iter_chunked(3)]

        yield from self.run(chunks())

    def uploads(self, path: Any) -> Iterator[Any]:
        yield generated()
        with path.open("rb") as file:
            yield file

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        async def on_request_end(*_: Any) -> None:
            await asyncio.to_thread(hook)

        async def call() -> None:
            config = self.aiohttp.TraceConfig()
            config.on_request_end.append(on_request_end)
            async with await self._session(trace_configs=[config]) as session, session.get(url) as answer:
                await answer.read()

        self.run(call())

    def authenticated(self, url: str, token: Callable[[], object]) -> None:
        async def auth(request: Any, handler: Any) -> Any:
            await asyncio.to_thread(token)
            request.headers["Authorization"] = "Bearer t"
            return await handler(request)

        async def call() -> None:
            async with await self._session(middlewares=(auth,)) as session, session.get(url) as answer:
                await answer.read()

        self.run(call())

    def mocks(self, url: str) -> Iterator[Callable[[], list[str]]]:
        from aioresponses import aioresponses

        class Response(self.aiohttp.ClientResponse):  # type: ignore[name-defined,misc]
            """aioresponses 0.7.9 lacks an argument that aiohttp wants since 3.14."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                wanted = {"stream_writer": Mock()} if "stream_writer" in signature(super().__init__).parameters else {}
                super().__init__(*args, **{**wanted, **kwargs})

        def with_aioresponses() -> list[str]:
            with aioresponses() as mock:
                mock.get(url, response_class=Response)
                self.send(url)
                (calls,) = mock.requests.values()
                headers = calls[0].kwargs["headers"] or {}
                return [value for name, value in headers.items() if name.lower() == "x-asm-prefer-tag"]

        yield with_aioresponses

    def layers(self) -> Iterator[Callable[[str], object]]:
        from .layers import transport

        async def sdk(url: str) -> None:
            made = transport("aiohttp", url)
            await made.perform_request("GET", "/")
            await made.close()

        yield lambda url: self.run(sdk(url))

    def websocket(self, url: str) -> None:
        async def call() -> None:
            async with self.session.ws_connect(url) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"

        self.run(call())

    async def aclose(self) -> None:
        await self.session.close()
