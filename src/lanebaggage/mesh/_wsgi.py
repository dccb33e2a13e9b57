"""Call a WSGI application without a server (PEP 3333), in the context of its hop, its body included."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from ._replies import FAILED, Head, Reply, Sink, broken, failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from .hops import Hop
    from .traffic import Headers


def environ_of(method: str, path: str, headers: Headers, body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request."""
    plain, _, query = path.partition("?")
    host = next((value for name, value in headers if name.lower() == "host"), "localhost")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(plain).decode("latin-1"),
        "RAW_URI": path,
        "QUERY_STRING": query,
        "SERVER_NAME": host.partition(":")[0],
        "SERVER_PORT": host.partition(":")[2] or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        before = environ.get(key)
        joint = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = value if before is None else f"{before}{joint}{value}"
    if body and "CONTENT_LENGTH" not in environ:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


class _Running:
    """One request in a WSGI application."""

    def __init__(self, app: Any, environ: dict[str, Any], hop: Hop, context: Context) -> None:
        self._hop = hop
        self._context = context
        self._head: Head | None = None
        self._written: list[bytes] = []
        self._body: Any = None
        self._first = b""
        try:
            self._body = context.run(app, environ, self._start_response)
            self._next: Callable[[], bytes] = context.run(iter, self._body).__next__
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Run the application up to its first bytes: only then are its headers final (PEP 3333)."""
        try:
            while self._head is None or not (self._written or self._first):
                self._first = self._context.run(self._next)
        except StopIteration:
            self._next = iter(()).__next__
            if self._head is None:
                raise RuntimeError("the application returned without calling start_response") from None

    def _start_response(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        if self._head is not None and exc_info is None:
            raise RuntimeError("start_response was called twice")
        code, _, reason = status.partition(" ")
        self._head = Head(int(code), reason, list(headers))
        return self._written.append

    @property
    def head(self) -> Head:
        assert self._head is not None
        return self._head

    def chunks(self) -> Iterator[bytes]:
        while True:
            yield from self._written
            self._written.clear()
            if self._first:
                yield self._first
            try:
                self._first = self._context.run(self._next)
            except StopIteration:
                yield from self._written
                return
            except Exception as error:
                raise broken(self._hop, error) from error

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            try:
                self._context.run(close)
            except Exception as error:
                broken(self._hop, error)


def call(app: Any, environ: dict[str, Any], hop: Hop, context: Context, finish: Callable[[], None]) -> Reply:
    """Serve one request in this thread.

    :param context: where the application runs, and its body's every step.
    :param finish: called once the response has been read or given up.
    """
    try:
        running = _Running(app, environ, hop, context)
    except Exception as error:
        return Reply(failed(hop, error), iter((FAILED,)), finish)

    def done() -> None:
        running.close()
        finish()

    return Reply(running.head, running.chunks(), done)


def pour(reply: Callable[[], Reply], sink: Sink) -> None:
    """Serve one request in a worker's thread, for a reader elsewhere."""
    from threading import Event

    answer = reply()
    sink.put(answer.head)
    try:
        for chunk in answer:
            room = Event()
            if sink.full(room.set):
                room.wait()
            if sink.closed:
                break
            sink.put(chunk)
        sink.put(None)
    except Exception as error:
        sink.put(error)
    finally:
        answer.close()
