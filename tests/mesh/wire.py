"""Bytes on the wire for the tests of the proxy: an upstream that answers with given bytes and keeps what it got, a client."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECONDS = 10
"""What no wait of a test should ever take."""


class Connection:
    """One connection of either end, read as a stream."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(SECONDS)
        self.file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self) -> bytes:
        """The next message's head, empty at the end of the connection."""
        lines = []
        while (line := self.file.readline()) not in (b"\r\n", b""):
            lines.append(line)
        return b"".join(lines)

    def body(self, head: bytes) -> bytes:
        """The body that belongs to a head; chunks without their framing."""
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            parts = []
            while (chunk := self.chunk()) != b"":
                parts.append(chunk)
            return b"".join(parts)
        if b"content-length:" in lower:
            return self.file.read(int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        return b""

    def chunk(self) -> bytes:
        """One chunk; empty at the end. A connection that ends before raises."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the connection ended between chunks")
        data = self.file.read(int(line, 16))
        self.file.readline()
        return data

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Upstream:
    """Accepts connections; each message's head and body are kept, and answered by a function."""

    def __init__(self, answer: Callable[[Connection, bytes], bytes | None] | bytes = OK, port: int = 0) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.ended: SimpleQueue[bytes] = SimpleQueue()
        """Told of each connection that the other side ended."""
        self.connections = 0
        self._live: list[Connection] = []
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            connection = Connection(accepted)
            self._live.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            while head := connection.head():
                self.heads.append(head)
                if callable(self.answer):
                    answer = self.answer(connection, head)
                else:
                    self.bodies.append(connection.body(head))
                    answer = self.answer
                if answer is None:
                    break
                connection.send(answer)
        except (OSError, ValueError, EOFError):
            pass
        self.ended.put(b"end")
        connection.close()

    def close(self) -> None:
        if self._listening.fileno() >= 0:
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._live:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@contextmanager
def upstream(answer: Callable[[Connection, bytes], bytes | None] | bytes = OK, port: int = 0) -> Iterator[Upstream]:
    found = Upstream(answer, port)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def client(url: str) -> Iterator[Connection]:
    """A connection to a listener of the proxy."""
    parts = urlsplit(url)
    connection = Connection(socket.create_connection((parts.hostname, parts.port), SECONDS))
    try:
        yield connection
    finally:
        connection.close()


def exchange(url: str, data: bytes) -> tuple[bytes, bytes]:
    """Send bytes on a connection of their own; head and body of the response."""
    with client(url) as connection:
        connection.send(data)
        head = connection.head()
        return head, connection.body(head)


def values(head: bytes, name: bytes) -> list[bytes]:
    """The values of a header in a head, as they stand after the colon and one space."""
    lines = [line.rstrip(b"\r\n").partition(b": ") for line in head.splitlines(keepends=True)[1:]]
    return [value for key, _, value in lines if key.lower() == name]
