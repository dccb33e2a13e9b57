"""Connections that answer at once without a network, below everything that any configuration patches."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

from httpcore import AsyncNetworkBackend, AsyncNetworkStream, NetworkBackend, NetworkStream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Socket:
    """What ``http.client`` needs of one."""

    def sendall(self, data: Any) -> None:
        pass

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(ANSWER)

    def settimeout(self, seconds: Any) -> None:
        pass

    def close(self) -> None:
        pass


class Transport(asyncio.Transport):
    """What aiohttp needs of one: a request written is answered in the next turn of the loop."""

    def __init__(self, protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = loop

    def write(self, data: Any) -> None:
        self._loop.call_soon(self._protocol.data_received, ANSWER)

    def writelines(self, chunks: Any) -> None:
        self.write(b"")

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close


class Stream(NetworkStream):
    """What httpcore needs of a connection."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return ANSWER

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass

    def close(self) -> None:
        pass


class AsyncStream(AsyncNetworkStream):
    """The same for its asynchronous half."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return ANSWER

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Backend(NetworkBackend):
    """Gives httpcore such connections."""

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> NetworkStream:
        return Stream()


class AsyncBackend(AsyncNetworkBackend):
    """The same for its asynchronous half."""

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> AsyncNetworkStream:
        return AsyncStream()


def urllib3_pool() -> type:
    """A connection pool class of urllib3's with such sockets, for ``pool_classes_by_scheme``."""
    from urllib3 import HTTPConnectionPool
    from urllib3.connection import HTTPConnection

    class Connection(HTTPConnection):
        is_connected = property(lambda self: self.sock is not None)  # type: ignore[assignment]

        def _new_conn(self) -> Any:
            return Socket()

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    return Pool


def aiohttp_connector() -> Any:
    """A connector of aiohttp's with such transports."""
    from aiohttp import BaseConnector

    class Connector(BaseConnector):
        async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:
            protocol = self._factory()
            protocol.connection_made(Transport(protocol, self._loop))
            return protocol

    return Connector()
