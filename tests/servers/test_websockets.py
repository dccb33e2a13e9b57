"""websockets as a server: a connection is in the lane of its handshake, in each of its servers, and no other is."""

from __future__ import annotations

import asyncio
import threading
import warnings
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from websockets.sync.client import connect

import lanebaggage
from lanebaggage import current_lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

HEADER = "x-asm-prefer-tag"
SERVERS = ["sync", "legacy"]
if int(websockets.__version__.partition(".")[0]) >= 13:
    SERVERS.append("asyncio")
if int(websockets.__version__.partition(".")[0]) >= 17:
    SERVERS.append("trio")


class Served:
    """A server whose handler answers each message with the lane, and ``task`` with that of a task or thread it starts."""

    def __init__(self, check: Callable[[], None] | None) -> None:
        self.check = check
        self.port = 0

    def process_request(self, *_: Any) -> None:
        if self.check is not None:
            self.check()

    async def answer(self, connection: Any) -> None:
        async for message in connection:
            if message == "fail":
                raise ValueError(message)
            if message == "task":
                await connection.send(str(await asyncio.create_task(self.lane())))
            else:
                await connection.send(str(current_lane()))

    @staticmethod
    async def lane() -> str | None:
        return current_lane()

    @staticmethod
    def add_lane(lanes: list[str | None]) -> None:
        lanes.append(current_lane())

    def answer_in_thread(self, connection: Any) -> None:
        for message in connection:
            if message == "fail":
                raise ValueError(message)
            lanes: list[str | None] = []
            if message == "task":
                thread = threading.Thread(target=self.add_lane, args=(lanes,))
                thread.start()
                thread.join()
            else:
                lanes.append(current_lane())
            connection.send(str(lanes[0]))

    @asynccontextmanager
    async def on_asyncio(self, kind: str) -> AsyncIterator[None]:
        if kind == "legacy":
            from websockets.legacy.server import serve
        else:
            from websockets.asyncio.server import serve  # type: ignore[assignment]

        async def process_request(*_: Any) -> None:
            self.process_request()

        async with serve(self.answer, "127.0.0.1", 0, process_request=process_request) as server:  # type: ignore[arg-type]
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield


@contextmanager
def serving(kind: str, check: Callable[[], None] | None = None) -> Iterator[Served]:
    """Run a server in a thread with an empty context; the port is known once it listens."""
    served = Served(check)
    listening, stop = threading.Event(), threading.Event()

    async def on_asyncio() -> None:
        async with served.on_asyncio(kind):
            listening.set()
            await asyncio.to_thread(stop.wait)

    async def on_trio() -> None:
        import trio
        from websockets.trio.server import serve

        async def answer(connection: Any) -> None:
            async for message in connection:
                if message == "fail":
                    raise ValueError(message)
                await connection.send(str(current_lane()))

        async with trio.open_nursery() as nursery:
            server = await nursery.start(
                lambda **options: serve(answer, 0, host="127.0.0.1", process_request=served.process_request, **options)
            )
            served.port = server.listeners[0].socket.getsockname()[1]
            listening.set()
            await trio.to_thread.run_sync(stop.wait)
            nursery.cancel_scope.cancel()

    def on_threads() -> None:
        from websockets.sync.server import serve

        with serve(served.answer_in_thread, "127.0.0.1", 0, process_request=served.process_request) as server:
            served.port = server.socket.getsockname()[1]
            listening.set()
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            stop.wait()
        serving.join()

    def run() -> None:
        if kind == "sync":
            on_threads()
        elif kind == "trio":
            import trio

            trio.run(on_trio)
        else:
            asyncio.run(on_asyncio())

    thread = threading.Thread(target=Context().run, args=(run,))
    thread.start()
    try:
        assert listening.wait(20)
        yield served
    finally:
        stop.set()
        thread.join()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the legacy server's
        yield


def ask(served: Served, *messages: str, headers: dict[str, str] | None = None) -> list[Any]:
    with connect(f"ws://127.0.0.1:{served.port}/", additional_headers=headers) as client:
        answers = []
        for message in messages:
            client.send(message)
            answers.append(client.recv(timeout=20))
        return answers


@pytest.mark.parametrize("kind", SERVERS)
def test_a_connection_is_in_the_lane_of_its_handshake(kind: str) -> None:
    """From ``process_request`` to the last message, on a server that was started before; one without a lane has none."""
    seen: list[str | None] = []
    messages = ("a", "b") if kind == "trio" else ("a", "task", "b")
    with serving(kind, lambda: seen.append(current_lane())) as served:
        assert ask(served, "a", headers={HEADER: "s2"}) == ["None"]
        lanebaggage.auto_instrument()
        assert ask(served, *messages, headers={"X-Asm-Prefer-Tag": "s2"}) == ["s2"] * len(messages)
        assert ask(served, *messages) == ["None"] * len(messages)
        lanebaggage.uninstrument()
        assert ask(served, "a", headers={HEADER: "s2"}) == ["None"]
    assert seen == [None, "s2", None, None]


@pytest.mark.parametrize("kind", SERVERS)
def test_connections_side_by_side(kind: str) -> None:
    """Each of several open connections keeps its lane; one that fails takes nothing along."""
    lanebaggage.auto_instrument()
    with serving(kind) as served:
        clients = [
            connect(f"ws://127.0.0.1:{served.port}/", additional_headers={HEADER: lane} if lane else None)
            for lane in ("s2", "", "s3")
        ]
        for _ in range(2):
            for client in clients:
                client.send("lane")
            assert [client.recv(timeout=20) for client in clients] == ["s2", "None", "s3"]
        clients[0].send("fail")
        with pytest.raises(websockets.ConnectionClosedError):
            clients[0].recv(timeout=20)
        assert ask(served, "lane") == ["None"]
        for client in clients:
            client.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_what_is_no_lane_is_ignored(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Two lanes are none: the connection is served, with one warning that shows nothing of them."""
    lanebaggage.auto_instrument(trace_header="baggage")
    with serving(kind) as served:
        assert ask(served, "lane", headers={"baggage": f"{HEADER}=s2,user=1"}) == ["s2"]
        assert ask(served, "lane", headers={"baggage": f"{HEADER}=s2,{HEADER}=s3"}) == ["None"]
    warned = [record.getMessage() for record in caplog.records if record.name == "lanebaggage"]
    assert len(warned) == 1
    assert "s3" not in warned[0]


@pytest.mark.parametrize("kind", SERVERS)
def test_an_error_in_process_request_is_the_servers(kind: str) -> None:
    """What the application's hook raises is answered as without us."""
    lanebaggage.auto_instrument()

    def fail() -> None:
        raise ValueError("no")

    with serving(kind, fail) as served, pytest.raises(websockets.InvalidStatus) as raised:
        ask(served, "lane", headers={HEADER: "s2"})
    assert raised.value.response.status_code == 500


@pytest.mark.parametrize("kind", SERVERS)
def test_switched_off_below_a_later_patch(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Where somebody patched on top, undo leaves theirs in place and enters no lane any more."""
    lanebaggage.auto_instrument()
    owner, name = websocket_class(kind)
    ours = getattr(owner, name)

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ours(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, theirs)
        with serving(kind) as served:
            assert ask(served, "lane", headers={HEADER: "s2"}) == ["s2"]
            lanebaggage.uninstrument()
            assert ask(served, "lane", headers={HEADER: "s2"}) == ["None"]
            assert getattr(owner, name) is theirs


def websocket_class(kind: str) -> tuple[type, str]:
    """What is patched, and where."""
    if kind == "legacy":
        return import_module("websockets.legacy.server").WebSocketServerProtocol, "read_http_request"
    return import_module(f"websockets.{kind}.server").ServerConnection, "handshake"
