"""Applications of this process on real sockets: WSGI by Werkzeug's threaded server, ASGI by uvicorn in a thread.

Werkzeug because a service that is called by itself needs a thread more, however many it has: a pool of a fixed size would
deadlock. It speaks HTTP/1.1 with keep-alive and chunked request bodies, as the standard library's server does not.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from .._errors import MeshError
from ._serving import SERVING
from ._threads import PATIENCE
from .apps import ASGI, WSGI
from .hops import HOP_HEADER, Hop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .hops import Call
    from .topology import Instance

START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_ENVIRON_KEY = "HTTP_" + HOP_HEADER.upper().replace("-", "_")


class Hops(Protocol):
    """Knows the hops; a :class:`~lanebaggage.mesh.recorder.Recorder` does."""

    def find(self, id: str | None, /) -> Hop | Call | None:  # noqa: A002
        """What an id names, or None."""


def bound(address: tuple[str, int] | None) -> socket.socket:
    """A listening socket: where an instance was before, or on a free port."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle's delay on
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(address or ("127.0.0.1", 0))
    found.listen(256)
    return found


class WSGIServer:
    """One instance's WSGI application."""

    def __init__(self, instance: Instance, hops: Hops) -> None:
        assert isinstance(instance.app, WSGI)
        listening = bound(instance.address)
        instance.address = listening.getsockname()
        self._server = _Threaded(*instance.address, _wsgi(instance.app.app, hops), _Handler, fd=listening.fileno())
        listening.close()
        self._thread = threading.Thread(
            target=Context().run,
            args=(self._server.serve_forever, _POLL_SECONDS),
            name=f"lanebaggage-mesh {instance}",
            daemon=True,
        )
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._server.shutdown()
        self._thread.join(5)
        self._server.cut()


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The mesh draws its calls itself."""


class _Threaded(ThreadedWSGIServer):
    """Knows its connections, so that none outlives it, an idle one in its pool neither."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._connections: set[Any] = set()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        Context().run(super().process_request_thread, request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for connection in tuple(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has gone by itself
                pass


class ASGIServer:
    """One instance's ASGI application."""

    def __init__(self, instance: Instance, hops: Hops) -> None:
        assert isinstance(instance.app, ASGI)
        listening = bound(instance.address)
        instance.address = listening.getsockname()
        config = uvicorn.Config(
            _asgi(instance.app.app, hops), log_config=None, log_level="warning", access_log=False, loop="asyncio"
        )
        self._server = _Uvicorn(config)
        self._thread = threading.Thread(
            target=Context().run, args=(self._run, listening), name=f"lanebaggage-mesh {instance}", daemon=True
        )
        self._thread.start()
        if not self._server.settled.wait(START_SECONDS) or not self._server.started:
            listening.close()
            raise MeshError(f"{instance} did not start: its lifespan start-up failed; the log of uvicorn.error says why")

    def _run(self, listening: socket.socket) -> None:
        try:
            self._server.run(sockets=[listening])
        except SystemExit:  # uvicorn's way to say that the application did not start
            pass
        finally:
            self._server.settled.set()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Close the port and every connection, and run the lifespan's shutdown."""
        if self._server.end():
            self._thread.join(_STOP_SECONDS)


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it is ready, and ends at once instead of at its next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def end(self) -> bool:
        """Have it end; whether it will, since no code blocks its loop."""
        noticed = threading.Event()
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._ending.set)
                self._loop.call_soon_threadsafe(noticed.set)
            except RuntimeError:  # it ended by itself
                return True
        return noticed.wait(PATIENCE)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            try:
                await asyncio.wait_for(self._ending.wait(), 1)
            except asyncio.TimeoutError:  # once a second for the Date header
                continue
            break

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = list(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=1)
            for task in late:
                task.cancel()
        await self.lifespan.shutdown()


# --- the hop that an application serves


def _wsgi(app: Any, hops: Hops) -> Callable[[Any, Any], Any]:
    def serving(environ: Any, start_response: Any) -> Any:
        context = copy_context()
        context.run(_enter, hops, environ.get(_ENVIRON_KEY))
        return _Body(context.run(app, environ, start_response), context)

    return serving


class _Body:
    """A response body, each step of which runs where its application ran."""

    def __init__(self, body: Any, context: Context) -> None:
        self._body = body
        self._context = context
        self._next = context.run(iter, body).__next__

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        found: bytes = self._context.run(self._next)
        return found

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)


def _asgi(app: Any, hops: Hops) -> Callable[[Any, Any, Any], Awaitable[None]]:
    wanted = HOP_HEADER.encode()

    async def serving(scope: Any, receive: Any, send: Any) -> None:
        found = next((value for name, value in scope.get("headers", ()) if name == wanted), b"")
        _enter(hops, found.decode("latin-1"))  # of the request's own task, so that nothing is to be put back
        await app(scope, receive, send)

    return serving


def _enter(hops: Hops, mark: str | None) -> None:
    found = hops.find(mark)
    SERVING.set(found if isinstance(found, Hop) else None)
