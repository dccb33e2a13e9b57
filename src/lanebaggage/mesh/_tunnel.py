"""A request that upgrades its connection, such as a websocket: its head is routed, then bytes pass both ways unread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from .hops import Hop

CONNECT_SECONDS: Final = 5.0
_AHEAD: Final = 64 * 1024


class Tunnelled(web.StreamResponse):
    """Stands for a response that was passed on as bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to send."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


class _Up:
    """Takes the client's bytes as aiohttp hands them to the parser of an upgraded connection."""

    def __init__(self, request: web.BaseRequest, writer: asyncio.StreamWriter) -> None:
        self._client = request.transport
        self._writer = writer
        self._waiting: asyncio.Task[None] | None = None

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._writer.write(data)
        if self._waiting is None and self._writer.transport.get_write_buffer_size() > _AHEAD:
            self._waiting = asyncio.get_running_loop().create_task(self._wait())
        return False, b""

    def feed_eof(self) -> None:
        self._writer.close()

    async def _wait(self) -> None:
        """Hold the client while the application is behind."""
        client: Any = self._client
        client.pause_reading()
        try:
            await self._writer.drain()
        finally:
            self._waiting = None
            if not client.is_closing():
                client.resume_reading()


async def tunnel(request: web.BaseRequest, head: bytes, to: tuple[str, int], hop: Hop) -> web.StreamResponse:
    """Pass a connection through until either side ends it.

    :param head: of the request to the application.
    :param to: the application's address.
    :raises ConnectionRefusedError: it cannot be reached; nothing was sent.
    """
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*to), CONNECT_SECONDS)
    except (OSError, asyncio.TimeoutError) as error:
        raise ConnectionRefusedError(str(error) or "it did not answer in time") from error
    protocol: Any = request.protocol
    transport = request.transport
    assert transport is not None
    try:
        writer.write(head)
        protocol.set_parser(_Up(request, writer))
        first = True
        while data := await reader.read(_AHEAD):
            if first:
                first = False
                status = data.partition(b"\r\n")[0].split(b" ", 2)[1:2]
                hop.status = int(status[0]) if status and status[0].isdigit() else None
            transport.write(data)
            await request.writer.drain()
    finally:
        writer.close()
        transport.close()
    return Tunnelled()
