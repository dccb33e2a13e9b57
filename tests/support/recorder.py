"""An HTTP/1.1 server on a real socket that records each request's headers as they were on the wire.

It is a proxy too: a request with an absolute target is answered as if the target had been reached, ``CONNECT`` is tunnelled.
"""

from __future__ import annotations

import json
import select
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Received:
    """One request."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass
class Recorder:
    """What reached the server; ``values`` is the question that most tests ask."""

    port: int
    requests: list[Received] = field(default_factory=list)
    scheme: str = "http"
    released: threading.Event = field(default_factory=threading.Event)
    """Lets requests of ``/slow`` go on."""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def redirect(self, to: str, status: int = 302) -> str:
        """A URL that redirects to another."""
        return self.url(f"/redirect?status={status}&to={quote(to, safe='')}")

    def values(self, name: str = "x-asm-prefer-tag") -> list[list[str]]:
        """The values of a header in each request."""
        return [request.values(name) for request in self.requests]

    def add(self, request: Received) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    def wait_for(self, number: int) -> None:
        """Wait until so many requests have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= number, timeout=10), f"no {number} requests arrived"

    def clear(self) -> None:
        self.requests.clear()


class _Handler(BaseHTTPRequestHandler):
    """``/redirect?to=URL`` redirects, ``/fail?times=N`` answers 503 N times, ``/chunks`` streams, ``/slow`` waits, ``/drop``
    closes without an answer, all else echoes the headers.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    recorder: Recorder

    def _serve(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        received = Received(self.command, self.path, list(self.headers.items()), body)
        self.recorder.add(received)
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if received.path == "/redirect":
            self._answer(int(query.get("status", "302")), b"", Location=query["to"])
        elif received.path == "/fail" and sum(r.path == "/fail" for r in self.recorder.requests) <= int(query["times"]):
            self._answer(503, b"not yet", **{"Retry-After": "0"})
        elif received.path == "/challenge" and not received.values("authorization"):
            self._answer(401, b"", **{"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
        elif received.path == "/drop":
            self.close_connection = True
        elif received.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in (b"one", b"two"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        else:
            if received.path == "/slow":
                self.recorder.released.wait(10)
            self._answer(200, json.dumps(received.headers).encode(), **{"Content-Type": "application/json"})

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

    def do_CONNECT(self) -> None:
        self.recorder.add(Received(self.command, self.path, list(self.headers.items())))
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as target:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            ends = {self.connection: target, target: self.connection}
            while True:
                for readable in select.select(list(ends), [], [])[0]:
                    data = readable.recv(65536)
                    if not data:
                        return
                    ends[readable].sendall(data)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away, as in a test of time-outs, is no error."""


@contextmanager
def recording(*, tls: bool = False) -> Iterator[Recorder]:
    """Run a recorder; its threads are started before anything is instrumented or outside every lane."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if tls:
        from .certificates import server_context

        server.socket = server_context().wrap_socket(server.socket, server_side=True)
    recorder = Recorder(server.server_port, scheme="https" if tls else "http")
    handler.recorder = recorder  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
