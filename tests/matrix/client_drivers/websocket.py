"""websockets: the handshake of its asyncio, its threading and its legacy client."""

from __future__ import annotations

import warnings
from inspect import signature
from typing import TYPE_CHECKING, Any

from .base import AsyncDriver, Driver, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from support.recorder import Recorder


def _proxy(driver: Driver) -> dict[str, Any]:
    return {"proxy": driver.proxy} if driver.proxy else {}


class WebsocketsSync(Driver):
    """websockets.sync.client."""

    distribution = module = "websockets"
    patched = ("websockets",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        from websockets.sync.client import connect

        self.connect = connect

    @staticmethod
    def server() -> AbstractContextManager[Recorder]:
        from support.recorder_websocket import recording_websocket

        return recording_websocket()

    def send(self, url: str, method: str = "", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        with self.connect(url, additional_headers=headers, open_timeout=timeout, **_proxy(self)) as socket:
            socket.send("hello")
            return Reply(101, str(socket.recv()).encode())

    def containers(self) -> Iterator[Any]:
        from websockets.datastructures import Headers

        yield {"X-Mine": "1"}
        yield None
        yield [("X-Mine", "1")]
        yield Headers({"X-Mine": "1"})

    def function(self) -> Callable[[str], object]:
        return self.send

    def websocket(self, url: str) -> None:
        self.send(url)


class Websockets(AsyncDriver):
    """websockets.asyncio.client."""

    distribution = module = "websockets"
    patched = ("websockets",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        from websockets.asyncio.client import connect

        self.connect = connect

    server = staticmethod(WebsocketsSync.server)

    async def asend(self, url: str, method: str = "", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        async with self.connect(url, additional_headers=headers, open_timeout=timeout, **_proxy(self)) as socket:
            await socket.send("hello")
            return Reply(101, str(await socket.recv()).encode())

    containers = WebsocketsSync.containers

    def function(self) -> Callable[[str], object]:
        return self.send

    def retry(self, url: str) -> None:
        async def call() -> None:
            options: dict[str, Any] = {"process_exception": lambda error: None}
            if "reconnect_delays" in signature(self.connect).parameters:  # since 17; before, the first is of 5 s at most
                options["reconnect_delays"] = lambda: iter([0] * 5)
            async for socket in self.connect(url, **options):
                await socket.close()
                break

        self.run(call())

    def websocket(self, url: str) -> None:
        self.send(url)


class WebsocketsLegacy(AsyncDriver):
    """websockets.legacy.client, the default until websockets 14."""

    distribution = module = "websockets"
    patched = ("websockets",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from websockets.legacy.client import connect

        self.connect = connect

    server = staticmethod(WebsocketsSync.server)

    async def asend(self, url: str, method: str = "", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        async with self.connect(url, extra_headers=headers, open_timeout=timeout) as socket:
            await socket.send("hello")
            return Reply(101, str(await socket.recv()).encode())

    containers = WebsocketsSync.containers

    def function(self) -> Callable[[str], object]:
        return self.send

    def websocket(self, url: str) -> None:
        self.send(url)
