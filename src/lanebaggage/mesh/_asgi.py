"""Run an ASGI application without a server (ASGI 3): its own event loop in its own thread, lifespan included.

A loop of its own is what lets an ``async def`` view block, in a call to another service too, without stopping the mesh.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from .._errors import MeshError
from ._replies import FAILED, Head, Sink, broken, failed
from ._threads import LoopThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from .hops import Hop
    from .traffic import Headers

_VERSION: Final = {"version": "3.0", "spec_version": "2.3"}
_LIFESPAN_SECONDS: Final = 30.0
_SHUTDOWN_SECONDS: Final = 5.0


def scope_of(method: str, path: str, headers: Headers) -> dict[str, Any]:
    """The ASGI connection scope of a request."""
    plain, _, query = path.partition("?")
    host = next((value for name, value in headers if name.lower() == "host"), "localhost")
    port = host.partition(":")[2]
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(plain).decode("utf-8", "replace"),
        "raw_path": plain.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 0),
        "server": (host.partition(":")[0], int(port) if port.isdigit() else 80),
    }


class Application:
    """One instance's application with its loop.

    :param app: the ASGI application.
    :param name: of the instance.
    """

    def __init__(self, app: Any, name: str) -> None:
        self._app = app
        self._name = name
        self._state: dict[str, Any] = {}
        self._thread = LoopThread(f"lanebaggage-mesh {name}")
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Run the lifespan's start-up.

        :raises MeshError: the application says that it failed.
        """
        try:
            failure = self._thread.call(self._start(), _LIFESPAN_SECONDS)
        except FutureTimeoutError:
            failure = f"its lifespan start-up took more than {_LIFESPAN_SECONDS:g} s"
        if failure:
            self._thread.close()
            raise MeshError(f"{self._name} did not start: {failure}")

    def stop(self) -> None:
        """Run the lifespan's shutdown, cancel what is left and end the thread; one that blocks its loop is abandoned."""
        if self._thread.answers():
            try:
                self._thread.call(self._stop(), _SHUTDOWN_SECONDS)
            except Exception:  # noqa: S110 - an application that will not shut down is cancelled next
                pass
        self._thread.close()

    def serve(self, scope: dict[str, Any], body: bytes, hop: Hop, context: Context, sink: Sink) -> None:
        """Serve one request in the application's loop.

        :param scope: as :func:`scope_of` makes it.
        :param context: where the application runs.
        :param sink: gets the response.
        """
        scope["state"] = self._state.copy()
        self._thread.submit(_Request(self._app, scope, body, hop, sink).run(), context)

    async def _start(self) -> str:
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def settle(text: str = "") -> None:
            if not started.done():
                started.set_result(text)

        async def receive() -> dict[str, str]:
            if messages:
                return {"type": messages.pop()}
            await self._stopping.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.failed":
                settle(message.get("message") or "its lifespan start-up failed")
            settle()
            if message["type"].startswith("lifespan.shutdown"):
                self._stopped.set()

        async def run() -> None:
            try:
                await self._app({"type": "lifespan", "asgi": _VERSION, "state": self._state}, receive, send)
            except Exception:  # noqa: S110 - an application without lifespan support raises (ASGI Lifespan, "Scope")
                pass
            settle()
            self._stopped.set()

        messages = ["lifespan.startup"]
        self._lifespan = asyncio.create_task(run())
        return await started

    async def _stop(self) -> None:
        self._stopping.set()
        await self._stopped.wait()


class _Request:
    """One request in an ASGI application."""

    def __init__(self, app: Any, scope: dict[str, Any], body: bytes, hop: Hop, sink: Sink) -> None:
        self._app = app
        self._scope = scope
        self._body: bytes | None = body
        self._hop = hop
        self._sink = sink
        self._head: Head | None = None
        self._sent = False
        self._complete = False
        self._over = asyncio.Event()
        """The response is complete, or nobody reads it."""

    async def run(self) -> None:
        """Serve it; never raises but for a cancellation."""
        loop = asyncio.get_running_loop()
        self._sink.on_close = lambda: _soon(loop, self._over.set)
        error: BaseException | None = None
        try:
            await self._app(self._scope, self._receive, self._send)
            if not self._complete and not self._sink.closed:
                error = RuntimeError("the application returned without completing its response")
        except Exception as raised:
            error = raised
        except asyncio.CancelledError:
            self._sink.put(ConnectionResetError(f"{self._hop.service} {self._hop.version} was stopped"))
            raise
        if error is None:
            return
        if self._complete or self._sent:
            cut = broken(self._hop, error)
            if not self._complete:
                self._sink.put(cut)
        else:
            for event in (failed(self._hop, error), FAILED, None):
                self._sink.put(event)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        sink = self._sink
        if message["type"] == "http.response.start":
            headers = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in message["headers"]]
            self._head = Head(message["status"], "", headers)
            return
        if message["type"] != "http.response.body" or sink.closed or self._complete:
            return
        if self._head is None:
            raise RuntimeError("the application sent a body before the start of its response")
        if not self._sent:
            self._sent = True
            sink.put(self._head)
        if chunk := bytes(message.get("body", b"")):
            await self._room()
            sink.put(chunk)
        if not message.get("more_body", False):
            self._complete = True
            self._over.set()
            sink.put(None)

    async def _room(self) -> None:
        loop = asyncio.get_running_loop()
        room = asyncio.Event()
        if self._sink.full(lambda: _soon(loop, room.set)):
            await room.wait()


def _soon(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the application's loop has been closed
        pass
