"""httpx and httpx2, with their synchronous and their asynchronous client: one module in two versions."""

from __future__ import annotations

import asyncio
import ssl
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from .base import AsyncDriver, Driver, Reply, generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _options(driver: Any) -> dict[str, Any]:
    verify: Any = ssl.create_default_context(cafile=driver.ca) if driver.ca else True
    http2 = {"http1": False, "http2": True} if driver.http2 else {}
    one = "proxy" in signature(driver.httpx.Client).parameters  # since 0.26
    proxy = {"proxy" if one else "proxies": driver.proxy} if driver.proxy else {}
    return {"verify": verify, "follow_redirects": True, "timeout": 10, **proxy, **http2}


def _containers(driver: Any) -> Iterator[Any]:
    yield {"X-Mine": "1"}
    yield None
    yield [("X-Mine", "1")]
    yield (("X-Mine", "1"),)
    yield {b"X-Mine": b"1"}
    yield driver.httpx.Headers({"X-Mine": "1"})


def _seen(request: Any) -> list[str]:
    return request.headers.get_list("x-asm-prefer-tag")


class Httpx(Driver):
    """httpx.Client."""

    distribution = module = "httpx"
    patched = ("httpx", "httpcore")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.httpx = import_module(self.module)
        self.client = self.httpx.Client(**_options(self))

    containers = _containers

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        answer = self.client.request(method, url, headers=headers, content=body, timeout=timeout)
        return Reply(answer.status_code, answer.content)

    def function(self) -> Callable[[str], object]:
        return self.httpx.get

    def request_object(self, url: str) -> Callable[[], object]:
        request = self.client.build_request("GET", url)
        return lambda: self.client.send(request)

    def stream(self, url: str) -> Iterator[bytes]:
        with self.client.stream("GET", url) as answer:
            yield from answer.iter_bytes(3)

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        with self.httpx.Client(event_hooks={"response": [lambda response: hook()]}) as client:
            client.get(url)

    def authenticated(self, url: str, token: Callable[[], object]) -> None:
        class Auth(self.httpx.Auth):  # type: ignore[name-defined,misc]
            def sync_auth_flow(self, request: Any) -> Any:
                token()
                request.headers["Authorization"] = "Bearer t"
                yield request

        self.client.get(url, auth=Auth())

    def mocks(self, url: str) -> Iterator[Callable[[], list[str]]]:
        seen: list[Any] = []

        def transport() -> list[str]:
            def handle(request: Any) -> Any:
                seen.append(request)
                return self.httpx.Response(200)

            with self.httpx.Client(transport=self.httpx.MockTransport(handle)) as client:
                client.get(url)
            return _seen(seen.pop())

        yield transport

    def layers(self) -> Iterator[Callable[[str], object]]:
        yield self.send

    def close(self) -> None:
        self.client.close()


class HttpxOne(Httpx):
    """httpx has mocks and SDKs that httpx2 does not have yet."""

    def mocks(self, url: str) -> Iterator[Callable[[], list[str]]]:
        import respx

        def with_respx() -> list[str]:
            with respx.mock() as mock:
                route = mock.get(url)
                self.client.get(url)
                return _seen(route.calls.last.request)

        yield from super().mocks(url)
        yield with_respx

    def layers(self) -> Iterator[Callable[[str], object]]:
        from .layers import transport

        yield lambda url: transport("httpx", url).perform_request("GET", "/")


class Httpx2(Httpx):
    """httpx2.Client."""

    distribution = module = "httpx2"
    patched = ("httpx2", "httpcore2")


class AsyncHttpx(AsyncDriver):
    """httpx.AsyncClient."""

    distribution = module = "httpx"
    patched = ("httpx", "httpcore")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.httpx = import_module(self.module)
        self.client = self.httpx.AsyncClient(**_options(self))

    containers = _containers

    async def asend(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        answer = await self.client.request(method, url, headers=headers, content=body, timeout=timeout)
        return Reply(answer.status_code, answer.content)

    def function(self) -> Callable[[str], object]:
        client_class = self.httpx.AsyncClient

        async def call(url: str) -> None:
            async with client_class() as client:
                await client.get(url)

        return lambda url: self.run(call(url))

    def request_object(self, url: str) -> Callable[[], object]:
        request = self.client.build_request("GET", url)
        return lambda: self.run(self.client.send(request))

    def stream(self, url: str) -> Iterator[bytes]:
        async def chunks() -> list[bytes]:
            async with self.client.stream("GET", url) as answer:
                return [chunk async for chunk in answer.aiter_bytes(3)]

        yield from self.run(chunks())

    def uploads(self, path: Any) -> Iterator[Any]:
        yield generated()

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        async def on_response(response: Any) -> None:
            await asyncio.to_thread(hook)

        async def call() -> None:
            async with self.httpx.AsyncClient(event_hooks={"response": [on_response]}) as client:
                await client.get(url)

        self.run(call())

    def authenticated(self, url: str, token: Callable[[], object]) -> None:
        class Auth(self.httpx.Auth):  # type: ignore[name-defined,misc]
            async def async_auth_flow(self, request: Any) -> Any:
                await asyncio.to_thread(token)
                request.headers["Authorization"] = "Bearer t"
                yield request

        self.run(self.client.get(url, auth=Auth()))

    def mocks(self, url: str) -> Iterator[Callable[[], list[str]]]:
        seen: list[Any] = []

        async def call() -> None:
            async def handle(request: Any) -> Any:
                seen.append(request)
                return self.httpx.Response(200)

            async with self.httpx.AsyncClient(transport=self.httpx.MockTransport(handle)) as client:
                await client.get(url)

        def transport() -> list[str]:
            self.run(call())
            return _seen(seen.pop())

        yield transport

    def layers(self) -> Iterator[Callable[[str], object]]:
        yield self.send

    async def aclose(self) -> None:
        await self.client.aclose()


class AsyncHttpxOne(AsyncHttpx):
    """httpx has mocks, transports and SDKs that httpx2 does not have yet."""

    def mocks(self, url: str) -> Iterator[Callable[[], list[str]]]:
        import respx

        def with_respx() -> list[str]:
            with respx.mock() as mock:
                route = mock.get(url)
                self.send(url)
                return _seen(route.calls.last.request)

        yield from super().mocks(url)
        yield with_respx

    def layers(self) -> Iterator[Callable[[str], object]]:
        from httpx_aiohttp import HttpxAiohttpClient

        from .layers import transport

        async def over_aiohttp(url: str) -> None:
            async with HttpxAiohttpClient() as client:
                await client.get(url)

        async def sdk(url: str) -> None:
            made = transport("httpxasync", url)
            await made.perform_request("GET", "/")
            await made.close()

        yield lambda url: self.run(over_aiohttp(url))
        yield lambda url: self.run(sdk(url))


class AsyncHttpx2(AsyncHttpx):
    """httpx2.AsyncClient."""

    distribution = module = "httpx2"
    patched = ("httpx2", "httpcore2")
