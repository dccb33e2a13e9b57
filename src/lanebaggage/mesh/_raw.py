"""aiohttp, client and server, with message heads as bytes: names, values and targets pass through as they came, in order.

aiohttp writes headers as UTF-8 and drops what is none; a proxy must not. Each head is built here and put in the place of
aiohttp's own; parsing, framing, connections and flow control stay aiohttp's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientRequest, web
from aiohttp.http_writer import StreamWriter

if TYPE_CHECKING:
    import asyncio

    from aiohttp import ClientResponse

    from .traffic import Headers

_HEAD: Final = "head"

_HOP_BY_HOP: Final = frozenset(
    (
        "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade"
    ).split()
)
"""RFC 9110, section 7.6.1, and those that belong to a proxy itself (section 11.7). aiohttp passes no trailers on."""


def end_to_end(raw: Any) -> Headers:
    """The headers that a proxy passes on: all but the hop-by-hop ones and those that ``Connection`` names."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    drop = _HOP_BY_HOP | tokens(headers, "connection")
    return [pair for pair in headers if pair[0].lower() not in drop]


def as_bytes(text: str) -> str:
    """A text of aiohttp's parser, which is UTF-8 with surrogates for what is none, with a character for each byte."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def tokens(headers: Headers, name: str) -> frozenset[str]:
    """The comma-separated tokens of a header, in lower case."""
    values = [value for key, value in headers if key.lower() == name]
    return frozenset(token.strip(" \t").lower() for token in ",".join(values).split(",")) - {""} if values else frozenset()


def head(first: str, headers: Headers, *more: tuple[str, str]) -> bytes:
    """The head of a message.

    :param first: request line or status line.
    """
    lines = [first, *(f"{name}: {value}" for name, value in headers), *(f"{name}: {value}" for name, value in more), "", ""]
    return "\r\n".join(lines).encode("latin-1")


# --- client


def with_head(data: bytes) -> dict[str, str]:
    """The ``headers`` argument that makes a :class:`RawRequest` send this head."""
    return {_HEAD: data.decode("latin-1")}


class RawRequest(ClientRequest):
    """A request whose head was made by :func:`head`."""

    async def send(self, conn: Any) -> ClientResponse:
        """Send it; aiohttp's first write begins with a head of its own, which is replaced."""
        protocol = conn.protocol
        protocol.transport = _FirstWrite(protocol, self.headers.pop(_HEAD).encode("latin-1"))
        return await super().send(conn)


class _FirstWrite:
    """Stands for a connection's transport until its first write."""

    def __init__(self, protocol: Any, data: bytes) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: Any) -> None:
        if self._protocol.transport is self:
            self._protocol.transport = self._transport
        self._transport.write(self._data + bytes(data).partition(b"\r\n\r\n")[2])

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))


# --- server


class RawWriter(StreamWriter):
    """Writes a response's head as it was made, where one was."""

    head: bytes | None = None

    async def write_headers(self, status_line: str, headers: Any) -> None:
        """Buffer the head until the body's first bytes, or ``send_headers``."""
        await super().write_headers(status_line, headers)
        if self.head is not None:
            self._headers_buf = self.head


class RawResponse(web.StreamResponse):
    """A response whose head is given.

    :param status: its status.
    :param reason: its reason phrase.
    :param headers: end to end.
    :param length: the body's length in bytes; None for one that is streamed.
    """

    _send_headers_immediately = False

    def __init__(self, status: int, reason: str, headers: Headers, length: int | None) -> None:
        super().__init__(status=status)
        self._line = f"{status} {reason}"
        self._raw = headers
        if length is not None:
            self.content_length = length

    async def _write_headers(self) -> None:
        request, writer = self._req, self._payload_writer
        assert request is not None
        assert isinstance(writer, RawWriter)
        more = []
        if writer.chunked:
            more.append(("Transfer-Encoding", "chunked"))
        if not self.keep_alive:
            more.append(("Connection", "close"))
        elif request.version == (1, 0):
            more.append(("Connection", "keep-alive"))
        writer.head = head(f"HTTP/1.1 {self._line}", self._raw, *more)
        await super()._write_headers()

    def flush_head(self) -> None:
        """Send the head now, since the body is not there yet."""
        if self._payload_writer is not None:
            self._payload_writer.send_headers()


def raw_request(message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]) -> web.BaseRequest:
    """The ``request_factory`` of a server whose responses have raw heads."""
    return web.BaseRequest(message, payload, protocol, RawWriter(protocol, writer.loop), task, writer.loop)
