"""Both ends of the wire: servers that say what they got, and a client that sends exactly what it is told."""

from __future__ import annotations

import asyncio
import json
import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from lanebaggage.mesh._threads import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, self.data = self.data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""] for line in lines]
            body = json.dumps([self.port, headers, first.split(" ")[1]]).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


class Servers:
    """As many ports as are asked for, each of which answers with its number, the headers that arrived and the path."""

    def __init__(self) -> None:
        self._thread = LoopThread("differential servers")
        self._servers: list[asyncio.Server] = []

    def open(self, number: int) -> list[int]:
        """So many more ports."""
        return self._thread.call(self._open(number))

    async def _open(self, number: int) -> list[int]:
        made = [await self._thread.loop.create_server(_Echo, "127.0.0.1", 0) for _ in range(number)]
        self._servers += made
        return [one.sockets[0].getsockname()[1] for one in made]

    def close(self) -> None:
        """Close every port."""
        self._thread.call(self._close())
        self._thread.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()


class Client:
    """One connection, which is made again where the other side closed it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self._socket: socket.socket | None = None

    def get(self, path: str, headers: Iterable[tuple[str, str]]) -> tuple[int, bytes]:
        """Status and body."""
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        if self._socket is None:
            self._socket = socket.create_connection(self._address, 10)
        self._socket.sendall("\r\n".join(lines).encode("latin-1"))
        response = HTTPResponse(self._socket)
        response.begin()
        body = response.read()
        if response.will_close:
            self.close()
        return response.status, body

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
