"""Ways to reach an application under test: WSGI and ASGI calls in an empty context, and real sockets."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any, ClassVar

from lanebaggage._context import CARRIED, UNSET

from .server_probe import Answer, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    Headers = Sequence[tuple[str, str]]

LANE = "x-asm-prefer-tag"


class Driver:
    """One library's application under test; ``make`` builds it around the probe."""

    distribution = ""
    paths: ClassVar[dict[str, str]] = {"view-sync": "/sync", "view-async": "/lane", "body": "/stream-async"}
    """Where an application has something that is elsewhere in others."""
    server = ""
    """The server library of ``serving``, which tests switch off so that the framework alone is at work."""

    def __init__(self, *, subclass: bool = False) -> None:
        self.probe = Probe()
        self.subclass = subclass
        self.around: Any = UNSET
        self.app = self.make()

    def make(self) -> Any:
        raise NotImplementedError

    def own(self, cls: Any) -> Any:
        """The class to make the application of: the library's, or a subclass that overrides nothing."""
        return type(f"Own{cls.__name__}", (cls,), {}) if self.subclass else cls

    def context(self) -> Context:
        """That of the server: nothing is set in it but what a test puts ``around``."""
        context = Context()
        if self.around is not UNSET:
            context.run(CARRIED.set, self.around)
        return context

    def get(self, path: str, headers: Headers = ()) -> Answer:
        """One request."""
        raise NotImplementedError

    def many(self, requests: list[tuple[str, Headers]]) -> list[Answer]:
        """Requests at the same time."""
        with ThreadPoolExecutor(20) as pool:
            return list(pool.map(lambda request: self.get(*request), requests))

    def kept(self, requests: list[tuple[str, Headers]]) -> list[Answer]:
        """Requests one after another on one connection."""
        with self.serving() as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            answers = [Context().run(fetch, port, path, headers, connection) for path, headers in requests]
            kept = connection.sock
            connection.close()
        assert kept is not None, "the connection was not kept"
        return answers

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Served by a real server that keeps connections; gives the port."""
        raise NotImplementedError
        yield 0

    def close(self) -> None:
        pass


class Wsgi(Driver):
    """Called as a server would, step by step, and asserted to leave no lane behind between the steps."""

    paths: ClassVar[dict[str, str]] = {"view-sync": "/lane", "view-async": "/async", "body": "/stream"}
    server = "waitress"

    def environ(self, path: str, headers: Headers) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers:
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ

    def start(self, path: str, headers: Headers, environ: Any = None) -> tuple[Any, list[Any]]:
        """Call the application; gives its body and what it started the response with."""
        started: list[Any] = []

        def start_response(status: str, response_headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
            started[:] = [int(status.split()[0]), response_headers]
            return lambda data: None

        body = self.app(self.environ(path, headers) if environ is None else environ, start_response)
        assert CARRIED.get() is self.around, "a lane was left behind after the call"
        return body, started

    def get(self, path: str, headers: Headers = ()) -> Answer:
        return self.context().run(self._get, path, headers, None)

    def disconnect(self, path: str, headers: Headers = ()) -> None:
        """A request whose client goes away after the first chunk."""
        self.context().run(self._get, path, headers, 1)

    def _get(self, path: str, headers: Headers, limit: int | None) -> Answer:
        body, started = self.start(path, headers)
        chunks = []
        try:
            for chunk in body:
                chunks.append(chunk)
                assert CARRIED.get() is self.around, "a lane was left behind between chunks"
                if len(chunks) == limit:
                    break
        finally:
            if hasattr(body, "close"):
                body.close()
        assert CARRIED.get() is self.around, "a lane was left behind after the request"
        return Answer(started[0], b"".join(chunks), started[1])

    @contextmanager
    def serving(self) -> Iterator[int]:
        from waitress import wasyncore
        from waitress.server import create_server

        server = create_server(self.app, host="127.0.0.1", port=0, threads=2, clear_untrusted_proxy_headers=True)
        thread = threading.Thread(target=server.run)
        thread.start()

        try:
            yield int(server.effective_port)
        finally:
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
            thread.join()
            server.task_dispatcher.shutdown()


class Asgi(Driver):
    """Called as a server would, each request in a task of its own with an empty context."""

    server = "uvicorn"

    def scope(self, path: str, headers: Headers, kind: str = "http") -> dict[str, Any]:
        scope = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http" if kind == "http" else "ws",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), *((n.lower().encode(), v.encode()) for n, v in headers)],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        return {**scope, "method": "GET"} if kind == "http" else {**scope, "subprotocols": []}

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run something in a loop of its own, outside of every lane."""
        return Context().run(lambda: asyncio.run(work()))

    def many(self, requests: list[tuple[str, Headers]]) -> list[Answer]:
        async def work() -> list[Answer]:
            return await asyncio.gather(*(self.request(*request) for request in requests))

        return self.run(work)  # type: ignore[no-any-return]

    def lifespan(self) -> dict[str, Any]:
        """Start and stop the application; gives the scope that it had."""
        return self.run(self._lifespan)  # type: ignore[no-any-return]

    async def _lifespan(self) -> dict[str, Any]:
        scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await self.app(scope, receive, send)
        assert sent in ([], ["lifespan.startup.complete", "lifespan.shutdown.complete"])
        return scope

    def get(self, path: str, headers: Headers = ()) -> Answer:
        answer: Answer = self.run(lambda: self.request(path, headers))
        return answer

    async def request(self, path: str, headers: Headers = (), *, leave_at: str = "", cancel_at: str = "") -> Answer:
        """One request; its client leaves, or its server cancels it, once a place is reached."""
        sent: list[Any] = []
        received: list[Any] = []
        answered = asyncio.Event()

        async def receive() -> Any:
            received.append(None)
            if len(received) == 1:
                return {"type": "http.request", "body": b"", "more_body": False}
            await (self.probe.until(leave_at) if leave_at else answered.wait())
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        task = self.context().run(asyncio.ensure_future, self.app(self.scope(path, headers), receive, send))
        if cancel_at:
            await self.probe.until(cancel_at)
            task.cancel()
        try:
            await asyncio.wait_for(task, 10)
        except asyncio.TimeoutError:
            raise
        except (asyncio.CancelledError, OSError):
            assert leave_at or cancel_at
        except Exception:
            if not sent:
                raise
        starts = [message for message in sent if message["type"] == "http.response.start"]
        body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        if not starts:
            return Answer(0, body)
        fields = [(name.decode(), value.decode()) for name, value in starts[0].get("headers", ())]
        return Answer(starts[0]["status"], body, fields)

    def disconnect(self, path: str, headers: Headers = ()) -> None:
        self.run(lambda: self.request(path, headers, leave_at="waiting"))

    def cancel(self, path: str, headers: Headers = ()) -> None:
        self.run(lambda: self.request(path, headers, cancel_at="waiting"))

    def websocket(self, path: str, headers: Headers = (), messages: int = 2) -> list[str]:
        """What a websocket's handler answers to each message."""
        return self.run(lambda: self._websocket(path, headers, messages))  # type: ignore[no-any-return]

    async def _websocket(self, path: str, headers: Headers, messages: int) -> list[str]:
        incoming: list[Any] = [{"type": "websocket.connect"}]
        incoming += [{"type": "websocket.receive", "text": "?"}] * messages
        incoming += [{"type": "websocket.disconnect", "code": 1000}]
        answers: list[str] = []
        answered = asyncio.Event()

        async def receive() -> Any:
            if len(incoming) == 1:
                await answered.wait()
            return incoming.pop(0) if incoming else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "websocket.send":
                text = message.get("text")
                answers.append(text if text is not None else message["bytes"].decode())
                if len(answers) == messages:
                    answered.set()

        task = self.context().run(asyncio.ensure_future, self.app(self.scope(path, headers, "websocket"), receive, send))
        await asyncio.wait_for(task, 10)
        return answers

    @contextmanager
    def serving(self) -> Iterator[int]:
        import uvicorn

        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(self.app, log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
            listener.close()


class Sockets(Driver):
    """A library with a server of its own, running in a loop in another thread; ``start`` and ``stop`` are coroutines."""

    port: int

    def __init__(self, *, subclass: bool = False) -> None:
        super().__init__(subclass=subclass)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.port = self.wait(self.start())

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def start(self) -> int:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.wait(self.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def get(self, path: str, headers: Headers = ()) -> Answer:
        return Context().run(fetch, self.port, path, headers)

    def disconnect(self, path: str, headers: Headers = ()) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
            self.probe.wait_for("waiting")
        self.probe.wait_for("cleanup")

    def websocket(self, path: str, headers: Headers = (), messages: int = 2) -> list[str]:
        from websockets.sync.client import connect

        answers = []
        url = f"ws://127.0.0.1:{self.port}{path}"
        with Context().run(lambda: connect(url, additional_headers=list(headers))) as client:
            for _ in range(messages):
                client.send("?")
                answers.append(str(client.recv(timeout=10)))
        return answers

    @contextmanager
    def serving(self) -> Iterator[int]:
        yield self.port


def fetch(port: int, path: str, headers: Headers = (), connection: http.client.HTTPConnection | None = None) -> Answer:
    """One request on a connection of its own, or on a given one."""
    client = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.putrequest("GET", path)
    for name, value in headers:
        client.putheader(name, value)
    client.endheaders()
    response = client.getresponse()
    answer = Answer(response.status, response.read(), response.getheaders())
    if connection is None:
        client.close()
    return answer
