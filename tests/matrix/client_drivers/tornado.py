"""Tornado's client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .base import AsyncDriver, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Tornado(AsyncDriver):
    """tornado.httpclient.AsyncHTTPClient in its default kind."""

    distribution = module = "tornado"
    patched = ("tornado",)
    kind = "tornado.simple_httpclient.SimpleAsyncHTTPClient"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        from tornado import httpclient

        self.httpclient = httpclient
        self.client = self.run(self._client())

    async def _client(self) -> Any:
        # one at a time, so that requests begin while another one is current
        self.httpclient.AsyncHTTPClient.configure(self.kind, max_clients=1)
        try:
            return self.httpclient.AsyncHTTPClient(force_instance=True)
        finally:
            self.httpclient.AsyncHTTPClient.configure(None)

    def request(self, url: str, **options: Any) -> Any:
        return self.httpclient.HTTPRequest(url, allow_nonstandard_methods=True, **options)

    async def asend(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        if callable(body):
            request = self.request(url, method=method, headers=headers, body_producer=body)
        else:
            request = self.request(url, method=method, headers=headers, body=body, request_timeout=timeout)
        answer = await self.client.fetch(request, raise_error=timeout < 10)
        if answer.code == 599:
            answer.rethrow()
        return Reply(answer.code, answer.body)

    def containers(self) -> Iterator[Any]:
        from tornado.httputil import HTTPHeaders

        yield from super().containers()
        yield HTTPHeaders({"X-Mine": "1"})

    def positional(self, url: str, headers: Any) -> None:
        async def fetch() -> None:
            await self.client.fetch(self.httpclient.HTTPRequest(url, "GET", headers))

        self.run(fetch())

    def function(self) -> Callable[[str], object]:
        from tornado.httpclient import AsyncHTTPClient

        async def call(url: str) -> None:
            await AsyncHTTPClient(force_instance=True).fetch(request=url)

        return lambda url: self.run(call(url))

    def request_object(self, url: str) -> Callable[[], object]:
        request = self.request(url)

        async def fetch() -> None:
            await self.client.fetch(request)

        return lambda: self.run(fetch())

    def stream(self, url: str) -> Iterator[bytes]:
        chunks: list[bytes] = []

        async def fetch() -> None:
            await self.client.fetch(self.request(url, streaming_callback=chunks.append))

        self.run(fetch())
        yield from chunks

    def uploads(self, path: Any) -> Iterator[Any]:
        async def produce(write: Any) -> None:
            await write(b"one")
            await write(b"two")

        yield produce

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        waiting = []

        def on_header(line: str) -> None:
            if line.startswith("HTTP/"):
                waiting.append(asyncio.ensure_future(asyncio.to_thread(hook)))

        async def fetch() -> None:
            await self.client.fetch(self.request(url, header_callback=on_header))
            await waiting[0]

        self.run(fetch())

    def websocket(self, url: str) -> None:
        from tornado.websocket import websocket_connect

        async def call() -> None:
            connection = await websocket_connect(url)
            await connection.write_message("hello")
            assert await connection.read_message() == "hello"
            connection.close()
            assert await connection.read_message() is None

        self.run(call())

    async def aclose(self) -> None:
        self.client.close()


class TornadoCurl(Tornado):
    """tornado.httpclient.AsyncHTTPClient on libcurl."""

    patched = ("tornado.curl",)
    kind = "tornado.curl_httpclient.CurlAsyncHTTPClient"
    resolves = False

    def request(self, url: str, **options: Any) -> Any:
        proxy = urlsplit(self.proxy)
        ca = {"ca_certs": self.ca} if self.ca else {}
        return super().request(url, proxy_host=proxy.hostname, proxy_port=proxy.port, **ca, **options)
