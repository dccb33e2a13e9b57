"""niquests, over urllib3-future: its synchronous, its asynchronous and its multiplexed session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .base import AsyncDriver, Reply, generated
from .blocking import Requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Niquests(Requests):
    """niquests.Session, which is one of requests in most."""

    distribution = module = "niquests"
    patched = ("urllib3-future",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.session.quic_cache_layer = None

    def containers(self) -> Iterator[Any]:
        yield {"X-Mine": "1"}
        yield None
        yield [("X-Mine", "1")]
        yield self.requests.structures.CaseInsensitiveDict({"X-Mine": "1"})
        yield {b"X-Mine": b"1"}

    def function(self) -> Callable[[str], object]:
        from niquests import get

        return get

    def websocket(self, url: str) -> None:
        socket = self.requests.get(url).extension
        socket.send_payload("hello")
        socket.next_payload()
        socket.close()

    def retry(self, url: str) -> None:
        from urllib3 import Retry

        with self.requests.Session(retries=Retry(5, status_forcelist=[503])) as session:
            session.get(url)


class NiquestsMultiplexed(Niquests):
    """niquests.Session(multiplexed=True): answers are gathered later."""

    def make(self) -> Any:
        return self.requests.Session(multiplexed=True)

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        answer = self.session.request(method, url, headers=headers, data=body, timeout=timeout, verify=self.ca or None)
        self.session.gather()
        return Reply(answer.status_code, answer.content)


class NiquestsAsync(AsyncDriver):
    """niquests.AsyncSession."""

    distribution = module = "niquests"
    patched = ("urllib3-future",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import niquests

        self.niquests = niquests
        self.session = self.run(self._session())

    async def _session(self, **options: Any) -> Any:
        session = self.niquests.AsyncSession(**options)
        if self.proxy:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        return session

    async def asend(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        answer = await self.session.request(method, url, headers=headers, data=body, timeout=timeout, verify=self.ca or None)
        return Reply(answer.status_code, answer.content)

    containers = Niquests.containers

    @property
    def requests(self) -> Any:
        return self.niquests

    def positional(self, url: str, headers: Any) -> None:
        self.run(self.session.request("GET", url, None, None, headers))

    def function(self) -> Callable[[str], object]:
        from niquests import aget

        return lambda url: self.run(aget(url))

    def request_object(self, url: str) -> Callable[[], object]:
        prepared = self.session.prepare_request(self.niquests.Request("GET", url))
        return lambda: self.run(self.session.send(prepared))

    def retry(self, url: str) -> None:
        from urllib3 import Retry

        async def call() -> None:
            async with await self._session(retries=Retry(5, status_forcelist=[503])) as session:
                await session.get(url)

        self.run(call())

    def stream(self, url: str) -> Iterator[bytes]:
        async def chunks() -> list[bytes]:
            answer = await self.session.get(url, stream=True)
            return [chunk async for chunk in await answer.iter_content(3)]

        yield from self.run(chunks())

    def uploads(self, path: Any) -> Iterator[Any]:
        yield generated()

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        async def on_response(response: Any, **_: Any) -> None:
            await asyncio.to_thread(hook)

        self.run(self.session.get(url, hooks={"response": on_response}))

    def authenticated(self, url: str, token: Callable[[], object]) -> None:
        async def auth(request: Any) -> Any:
            await asyncio.to_thread(token)
            request.headers["Authorization"] = "Bearer t"
            return request

        self.run(self.session.get(url, auth=auth))

    def websocket(self, url: str) -> None:
        async def talk() -> None:
            socket = (await self.session.get(url)).extension
            await socket.send_payload("hello")
            await socket.next_payload()
            await socket.close()

        self.run(talk())

    async def aclose(self) -> None:
        await self.session.close()
