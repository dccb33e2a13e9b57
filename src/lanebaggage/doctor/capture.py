"""A proxy on this machine that notes what passes through it: the doctor's eyes on a service's outgoing calls.

A request in absolute form, as clients send it to a proxy (RFC 9112, section 3.2.2), is passed on to where it was going; one
that cannot be, and one that was sent here as to an upstream, is answered with an empty JSON object. Tunnels are passed
through unread. For a look at one request of one service; neither fast nor meant to carry traffic.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .._errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

TIMEOUT: Final = 30.0
"""Seconds that an upstream may take."""

_HOP_BY_HOP: Final = frozenset(
    "connection keep-alive proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split()
)
"""RFC 9110, section 7.6.1, and what proxies were sent before it."""


class Call:
    """One request that passed through."""

    def __init__(self, method: str, host: str, path: str, headers: list[tuple[str, str]]) -> None:
        self.method = method
        self.host = host
        self.path = path
        self.headers = headers
        self.began = time.monotonic()
        self.ended: float | None = None

    @property
    def tunnel(self) -> bool:
        """Whether it is a tunnel, which cannot be looked into."""
        return self.method == "CONNECT"

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


class Capture:
    """The proxy, while it runs."""

    def __init__(self, address: str) -> None:
        self.address = address
        """Host and port."""
        self.calls: list[Call] = []
        self.seen = threading.Event()


class _OnIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def capturing(host: str = "127.0.0.1", port: int = 0) -> Iterator[Capture]:
    """Run the proxy.

    :param host: address to listen on.
    :param port: port, or 0 for any.
    :raises MeshError: the address cannot be listened on.
    """
    handler = type("Handler", (_Handler,), {})
    shown = f"[{host}]" if ":" in host else host
    try:
        server = (_OnIPv6 if ":" in host else ThreadingHTTPServer)((host, port), handler)
    except OSError as error:
        raise MeshError(
            f"cannot listen on {shown}:{port} ({error.strerror}); "
            "give another address to --capture, and to the service's HTTP_PROXY"
        ) from error
    server.daemon_threads = True
    capture = handler.capture = Capture(f"{shown}:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield capture
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    capture: Capture

    def _pass(self) -> None:
        url = urlsplit(self.path)
        body = self._body()
        call = self._note(url.netloc or self.headers.get("Host", ""), url.path or "/")
        try:
            answer = self._forward(url, body) if url.scheme == "http" else None
        except (OSError, HTTPException):
            answer = None
        status, headers, content = answer or (200, [("Content-Type", "application/json")], b"{}")
        call.ended = time.monotonic()
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _pass  # noqa: N815 - names of http.server

    def do_CONNECT(self) -> None:
        call = self._note(self.path, "")
        host, _, port = self.path.rpartition(":")
        try:
            upstream = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT)
        except (OSError, ValueError):
            self.send_error(502)
            return
        with upstream:
            self.send_response_only(200)
            self.end_headers()
            _relay(self.connection, upstream)
        call.ended = time.monotonic()
        self.close_connection = True

    def _note(self, host: str, path: str) -> Call:
        call = Call(self.command, host, path, list(self.headers.items()))
        self.capture.calls.append(call)
        self.capture.seen.set()
        return call

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _forward(self, url: Any, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(url.hostname, url.port or 80, timeout=TIMEOUT)
        try:
            connection.putrequest(
                self.command, url._replace(scheme="", netloc="").geturl() or "/", skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP and name.lower() != "content-length":
                    connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            content = answer.read()
            headers = [pair for pair in answer.getheaders() if pair[0].lower() not in _HOP_BY_HOP | {"content-length"}]
            return answer.status, headers, content
        finally:
            connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing: the doctor says what was seen."""


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until either side is done."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while ready := selector.select(TIMEOUT):
            for key, _ in ready:
                data = key.fileobj.recv(65536)  # type: ignore[union-attr] # a socket, registered above
                if not data:
                    return
                key.data.sendall(data)
