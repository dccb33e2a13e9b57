"""An HTTP/1.1 server on a real socket that records each request's headers as they were on the wire."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Received:
    """One request."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

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

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def values(self, name: str = "x-asm-prefer-tag") -> list[list[str]]:
        """The values of a header in each request."""
        return [request.values(name) for request in self.requests]

    def clear(self) -> None:
        self.requests.clear()


class _Handler(BaseHTTPRequestHandler):
    """``/redirect?to=URL`` redirects, ``/fail?times=N`` answers 503 N times, ``/chunks`` streams, all else echoes headers."""

    protocol_version = "HTTP/1.1"
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
        self.recorder.requests.append(received)
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if received.path == "/redirect":
            self._answer(int(query.get("status", "302")), b"", Location=query["to"])
        elif received.path == "/fail" and sum(r.path == "/fail" for r in self.recorder.requests) <= int(query["times"]):
            self._answer(503, b"not yet", **{"Retry-After": "0"})
        elif received.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in (b"one", b"two"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self._answer(200, json.dumps(received.headers).encode(), **{"Content-Type": "application/json"})

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

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


@contextmanager
def recording() -> Iterator[Recorder]:
    """Run a recorder; its threads are started before anything is instrumented or outside every lane."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.recorder = recorder = Recorder(server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
