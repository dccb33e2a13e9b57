"""The in-process engine: clients taken over, hops in empty contexts, streams, failures, and nothing left behind."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse
from flask import Flask, Response, request

import lanebaggage
from lanebaggage import MeshError
from lanebaggage.mesh import ASGI, HOP_HEADER, WSGI, Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.version_info >= (3, 11):  # httpx2 supports no older one
    import httpx2

    HTTPX = [httpx, httpx2]
else:
    HTTPX = [httpx]

SECONDS = 10
URL = "http://mockb:8000/echo?a=b%20c"
BODY = b"some bytes"
mark: ContextVar[str] = ContextVar("mark", default="none")


def echo_flask() -> Flask:
    """Says what reached it: method, target, a header, the body."""
    app = Flask("echo")

    @app.route("/echo", methods=["GET", "POST"])
    def echo() -> str:
        return f"{request.method} {request.full_path} {request.headers.get('X-Mine')} {request.get_data().decode()}"

    return app


def echo_fastapi() -> FastAPI:
    app = FastAPI()

    async def echo(request: Any) -> PlainTextResponse:
        body = (await request.body()).decode()
        target = f"{request.url.path}?{request.url.query}"
        return PlainTextResponse(f"{request.method} {target} {request.headers.get('x-mine')} {body}")

    app.add_route("/echo", echo, methods=["GET", "POST"])
    return app


def by_requests() -> str:
    return requests.post(URL, BODY, headers={"X-Mine": "1"}, timeout=5).text


def by_urllib3() -> str:
    return urllib3.PoolManager().request("POST", URL, body=BODY, headers={"X-Mine": "1"}).data.decode()


def by_urllib() -> str:
    with urllib.request.urlopen(urllib.request.Request(URL, BODY, {"X-Mine": "1"}, method="POST")) as answer:
        return answer.read().decode()


def by_http_client() -> str:
    connection = http.client.HTTPConnection("mockb", 8000)
    try:
        connection.request("POST", "/echo?a=b%20c", iter([BODY[:4], BODY[4:]]), {"X-Mine": "1"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def by_httpx(module: Any) -> Callable[[], str]:
    def send() -> str:
        with module.Client() as client:
            return client.post(URL, content=BODY, headers={"X-Mine": "1"}).text

    return send


def by_httpx_async(module: Any) -> Callable[[], str]:
    async def send() -> str:
        async with module.AsyncClient() as client:
            return (await client.post(URL, content=BODY, headers={"X-Mine": "1"})).text

    return lambda: asyncio.run(send())


CLIENTS: dict[str, Callable[[], str]] = {
    "requests": by_requests,
    "urllib3": by_urllib3,
    "urllib": by_urllib,
    "http.client": by_http_client,
    **{module.__name__: by_httpx(module) for module in HTTPX},
    **{f"{module.__name__} async": by_httpx_async(module) for module in HTTPX},
}


@pytest.fixture
def mesh(mesh: Mesh) -> Mesh:
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    return mesh


def caller(send: Callable[[], str]) -> Flask:
    """A service whose every answer is what a client of its own got."""
    app = Flask("caller")
    app.add_url_rule("/", view_func=send)
    return app


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("echo", [echo_flask, echo_fastapi], ids=["to WSGI", "to ASGI"])
def test_each_client_is_carried_from_an_application_and_from_a_test(mesh: Mesh, client: str, echo: Callable[[], Any]) -> None:
    """Method, target, headers and body arrive, in the lane; called from the test itself the same names work."""
    mesh.service("mocka", v1=caller(CLIENTS[client]))
    mesh.service("mockb", v1=echo(), v2=echo())
    lanebaggage.auto_instrument()
    call = mesh.get("mocka", lane="s2")
    assert call.text == "POST /echo?a=b%20c 1 some bytes", call.tree
    assert call.path == [("mocka", "v1"), ("mockb", "v2")]
    assert CLIENTS[client]() == call.text
    assert mesh.calls[-1].path == [("mockb", "v1")]
    assert mesh.calls[-1].title == "POST http://mockb:8000/echo?a=b%20c"


@pytest.mark.parametrize("client", CLIENTS)
def test_an_unknown_host_never_reaches_the_network(mesh: Mesh, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called by an application it is a 502 that names the host; no socket is connected."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a socket was connected"))
    mesh.service("mocka", v1=caller(CLIENTS[client]))
    call = mesh.get("mocka")
    hop = call.hops[1]
    assert (hop.service, hop.version, hop.status) == ("mockb", None, 502)
    assert "mockb is no service of this mesh; declare it with mesh.service('mockb'" in call.tree


def test_a_client_that_cannot_be_carried_is_told_which_can(mesh: Mesh) -> None:
    """aiohttp's client fails at once, with a sentence that names the engine that serves it."""

    async def fetch() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(URL)

    mesh.service("mocka", v1=caller(lambda: str(asyncio.run(fetch()))))
    mesh.service("mockb", v1=echo_flask())
    call = mesh.get("mocka")
    assert call.status == 500
    assert "mockb cannot be called here: the in-process engine carries requests of requests" in call.tree


def test_hosts_of_this_machine_and_those_allowed_are_reached() -> None:
    """A database on loopback is nobody's business; another host is reached where the mesh was told so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def look_up(host: str) -> Flask:
            return caller(lambda: str(socket.getaddrinfo(host, port)[0][4][1]))

        with Mesh(network=["192.0.2.0/24"]) as mesh:
            mesh.lanes(baseline="s1", s1="v1")
            for name, host in (("mocka", "127.0.0.1"), ("mockb", "localhost"), ("mockc", "192.0.2.7"), ("mockd", "::1")):
                mesh.service(name, v1=look_up(host))
                assert mesh.get(name).text == str(port)
            mesh.service("mocke", v1=look_up("192.0.3.7"))
            assert mesh.get("mocke").status == 500


@pytest.mark.parametrize("client", ["requests", "httpx async"])
@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_only_headers_can_carry_anything(mesh: Mesh, client: str, kind: str) -> None:
    """A ContextVar set by the caller is not there in the callee, in its view and in its streamed body; nor is its own later."""
    seen: list[str] = []

    def body() -> Iterator[bytes]:
        seen.append(mark.get())
        mark.set("left behind")
        yield b"x"
        seen.append(mark.get())

    def call() -> str:
        mark.set("the caller's")
        text = CLIENTS[client]()
        assert mark.get() == "the caller's"
        return text

    flask, fastapi = Flask("b"), FastAPI()
    flask.add_url_rule("/echo", view_func=lambda: (seen.append(mark.get()), Response(body()))[1], methods=["POST"])

    async def view(_request: Any) -> StreamingResponse:
        seen.append(mark.get())

        async def streamed() -> Any:
            for chunk in body():
                yield chunk

        return StreamingResponse(streamed())

    fastapi.add_route("/echo", view, methods=["POST"])
    mesh.service("mocka", v1=caller(call))
    mesh.service("mockb", v1=flask if kind == "WSGI" else fastapi)
    mark.set("the test's")
    assert mesh.get("mocka").text == "x"
    assert seen == ["none", "none", "left behind"]
    mark.set("none")


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
@pytest.mark.parametrize("client", ["requests", "httpx", "httpx async"])
def test_responses_stream(mesh: Mesh, client: str, kind: str) -> None:
    """The first part is read before the application makes the second."""
    step = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"one"
        assert step.wait(SECONDS)
        yield b"two"

    flask, fastapi = Flask("b"), FastAPI()
    flask.add_url_rule("/", view_func=lambda: Response(parts()))

    async def view(_request: Any) -> StreamingResponse:
        return StreamingResponse(parts())

    fastapi.add_route("/", view)
    mesh.service("mockb", v1=flask if kind == "WSGI" else fastapi)
    got = []

    async def read() -> None:
        async with httpx.AsyncClient() as client, client.stream("GET", "http://mockb/") as answer:
            async for chunk in answer.aiter_raw():
                got.append(chunk)
                step.set()

    if client == "requests":
        for chunk in requests.get("http://mockb/", stream=True, timeout=5).iter_content(None):
            got.append(chunk)
            step.set()
    elif client == "httpx":
        with httpx.stream("GET", "http://mockb/") as answer:
            for chunk in answer.iter_raw():
                got.append(chunk)
                step.set()
    else:
        asyncio.run(read())
    assert got == [b"one", b"two"]
    assert mesh.calls[-1].hops[0].status == 200


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_an_application_never_runs_far_ahead_of_its_reader(mesh: Mesh, kind: str) -> None:
    """In another thread it waits for a reader that does not read, and goes on when it does."""
    finished = threading.Event()

    def wsgi(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from [b"x"] * 100
        finished.set()

    async def asgi(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(100):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await send({"type": "http.response.body"})
            finished.set()

    async def read() -> bytes:
        async with httpx.AsyncClient() as client, client.stream("GET", "http://mockb/") as answer:
            parts = answer.aiter_raw()
            first = await anext(parts)
            assert not finished.wait(0.1)
            return first + b"".join([part async for part in parts])

    mesh.service("mockb", v1=wsgi if kind == "WSGI" else asgi)
    assert asyncio.run(read()) == b"x" * 100
    assert finished.wait(SECONDS)


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_a_reader_that_stops_ends_the_response(mesh: Mesh, kind: str) -> None:
    """An endless response is closed in the application when its reader goes away."""
    closed = threading.Event()

    def parts() -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.set()

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.ensure_future(_disconnect(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0)
        closed.set()

    flask = Flask("b")
    flask.add_url_rule("/", view_func=lambda: Response(parts()))
    mesh.service("mockb", v1=flask if kind == "WSGI" else asgi)
    with httpx.stream("GET", "http://mockb/") as answer:
        assert next(answer.iter_raw()) == b"x"
    assert closed.wait(SECONDS)


async def _disconnect(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("whole", [True, False])
def test_a_body_is_closed_once(mesh: Mesh, whole: bool) -> None:
    """PEP 3333: ``close()`` of what an application returned is called, whether it was read to its end or given up."""
    closed: list[str] = []

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            return iter((b"one", b"two"))

        def close(self) -> None:
            closed.append("closed")

    def app(_environ: Any, start_response: Any) -> Parts:
        start_response("200 OK", [])
        return Parts()

    mesh.service("mockb", v1=app)
    with httpx.stream("GET", "http://mockb/") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"one"
        if whole:
            assert list(parts) == [b"two"]
    assert closed == ["closed"]


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_an_exception_is_a_500_and_stands_in_the_tree(mesh: Mesh, kind: str) -> None:
    """As on a server: the caller gets an answer; the call knows the exception."""

    def wsgi(_environ: Any, _start_response: Any) -> Any:
        raise ZeroDivisionError("by nobody")

    async def asgi(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError("by nobody")

    mesh.service("mocka", v1=wsgi if kind == "WSGI" else asgi)
    call = mesh.get("mocka")
    assert (call.status, call.text) == (500, "Internal Server Error")
    assert call.hops[0].error == "ZeroDivisionError: by nobody"
    assert "ZeroDivisionError: by nobody" in call.tree


@pytest.mark.parametrize("client", ["requests", "httpx", "httpx async"])
@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_an_exception_halfway_does_not_look_complete(mesh: Mesh, kind: str, client: str) -> None:
    """A client that reads the body learns that it is cut."""

    def wsgi(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        raise ZeroDivisionError

    async def asgi(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ZeroDivisionError

    mesh.service("mockb", v1=WSGI(wsgi) if kind == "WSGI" else ASGI(asgi))
    with pytest.raises(Exception, match="mockb v1 failed while its response was read"):
        CLIENTS[client]()


def test_views_that_block_do_not_deadlock(mesh: Mesh) -> None:
    """An async view that blocks in a call, to a sync view that calls an async one, to a sync one that starts a loop."""

    async def looped() -> str:
        await asyncio.sleep(0)
        return "d"

    first, second, third, fourth = FastAPI(), Flask("b"), FastAPI(), Flask("d")

    async def blocking(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("a" + requests.get("http://mockb/", timeout=5).text)  # noqa: ASYNC210 - the point

    async def blocking_too(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("c" + requests.get("http://mockd/", timeout=5).text)  # noqa: ASYNC210

    first.add_route("/", blocking)
    second.add_url_rule("/", view_func=lambda: "b" + httpx.get("http://mockc/").text)
    third.add_route("/", blocking_too)
    fourth.add_url_rule("/", view_func=lambda: asyncio.run(looped()))
    for name, app in zip(("mocka", "mockb", "mockc", "mockd"), (first, second, third, fourth), strict=True):
        mesh.service(name, v1=app)
    assert mesh.get("mocka").text == "abcd"


def test_a_service_that_calls_itself_in_a_blocked_loop_ends_by_timeout(mesh: Mesh) -> None:
    """As in production: a view that blocks its loop cannot answer itself, and the client's timeout ends the wait."""
    app = FastAPI()

    async def view(_request: Any) -> PlainTextResponse:
        with pytest.raises(requests.Timeout):
            requests.get("http://mocka/other", timeout=0.05)  # noqa: ASYNC210 - the point
        with pytest.raises(httpx.ReadTimeout):
            httpx.get("http://mocka/other", timeout=0.05)  # noqa: ASYNC210
        return PlainTextResponse("timed out")

    app.add_route("/", view)
    app.add_api_route("/other", lambda: "too late")
    mesh.service("mocka", v1=app)
    assert mesh.get("mocka").text == "timed out"


def test_a_call_that_takes_too_long_is_drawn(mesh: Mesh) -> None:
    """No answer in time is an error with the hops so far."""
    release = threading.Event()
    app = FastAPI()
    app.add_api_route("/", lambda: release.wait(SECONDS))
    mesh.service("mocka", v1=app)
    with pytest.raises(MeshError, match=r"(?s)mocka v1 did not answer within 0.05 s.*└─ mocka v1"):
        mesh.get("mocka", timeout=0.05)
    release.set()


@pytest.mark.parametrize("instrumented", [True, False])
def test_hops_of_pool_threads_find_their_request(mesh: Mesh, instrumented: bool) -> None:
    """By the forwarded header where the library is on, by exclusion where it is off; then the lost lane shows."""
    mesh.allow_lost()
    pool = ThreadPoolExecutor(2)
    app = Flask("a")
    app.add_url_rule("/", view_func=lambda: "".join(pool.map(lambda _: CLIENTS["requests"](), range(1))))
    mesh.service("mocka", v1=app)
    mesh.service("mockb", v1=echo_flask(), v2=echo_flask())
    if instrumented:
        lanebaggage.auto_instrument()
    with pool:
        call = mesh.get("mocka", lane="s2")
    assert call.path == [("mocka", "v1"), ("mockb", "v2" if instrumented else "v1")], call.tree
    assert call.hops[1].linked == ("header" if instrumented else "only request")
    assert call.lost_at == (None if instrumented else "mockb")


def test_the_environments_proxy_is_not_asked_for_service_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's proxy variables are for the network; they are as they were afterwards."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "mine.example")
    with Mesh() as mesh:
        mesh.lanes(baseline="s1", s1="v1")
        mesh.service("mockb", v1=echo_flask())
        for client in ("requests", "urllib", "httpx", "httpx async"):
            assert CLIENTS[client]().startswith("POST /echo"), client
    assert os.environ["NO_PROXY"] == "mine.example"
    assert "no_proxy" not in os.environ


def test_lifespans_run_and_fail_loudly(mesh: Mesh) -> None:
    """An application's start-up is awaited, its state reaches requests, its shutdown runs; a failed start-up is an error."""
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["name"] = "ready"
            await send({"type": "lifespan.startup.complete"})
            events.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["state"]["name"].encode()})

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    mesh.service("mocka", v1=app)
    assert mesh.get("mocka").text == "ready"
    mesh.service("mockb", v1=fails)
    with pytest.raises(MeshError, match="mockb v1 did not start: no database"):
        mesh.get("mockb")
    mesh.close()
    assert events == ["lifespan.shutdown"]


@pytest.mark.parametrize("instrumented", [True, False])
def test_bare_callables_have_the_lane_where_their_servers_would_give_it(mesh: Mesh, instrumented: bool) -> None:
    """Functions that no class stands for, sync and async, streamed bodies too; nothing where the library is off."""

    def wsgi(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield CLIENTS["requests"]().encode()

    async def asgi(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(lanebaggage.current_lane()).encode()})

    mesh.allow_lost()
    mesh.service("mocka", v1=wsgi)
    mesh.service("mockb", v1=asgi)
    if instrumented:
        lanebaggage.auto_instrument()
    call = mesh.get("mocka", lane="s2")
    assert call.text == ("s2" if instrumented else "None")
    assert call.lost_at == (None if instrumented else "mockb")


@pytest.mark.parametrize("asynchronous", [True, False])
def test_what_a_function_hides_from_its_framework_was_read_before(mesh: Mesh, asynchronous: bool) -> None:
    """As under an instrumented server, which reads the lane before a middleware can take it out of the request."""
    inner: Any = FastAPI() if asynchronous else Flask("inner")
    inner.get("/")(lambda: str(lanebaggage.current_lane()))

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "headers": []}, receive, send)

    def wsgi(environ: Any, start_response: Any) -> Any:
        return inner({name: value for name, value in environ.items() if not name.startswith("HTTP_X_")}, start_response)

    mesh.service("mocka", v1=asgi if asynchronous else wsgi)
    lanebaggage.auto_instrument()
    assert mesh.get("mocka", lane="s2").text.strip('"') == "s2"


@pytest.mark.parametrize("module", HTTPX)
@pytest.mark.parametrize("asynchronous", [True, False])
def test_what_a_transport_takes_away_is_added_again_below_it(mesh: Mesh, module: Any, asynchronous: bool) -> None:
    """A tracer's transport that rewrites headers, above the patch of httpcore: as on sockets, the lane is on the wire."""

    class Transport(module.AsyncHTTPTransport if asynchronous else module.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            del request.headers["x-asm-prefer-tag"]
            return super().handle_request(request)

        async def handle_async_request(self, request: Any) -> Any:
            del request.headers["x-asm-prefer-tag"]
            return await super().handle_async_request(request)

    async def fetch() -> str:
        async with module.AsyncClient(transport=Transport()) as client:
            return (await client.get("http://mockb/echo")).text

    def view() -> str:
        if asynchronous:
            return asyncio.run(fetch())
        with module.Client(transport=Transport()) as client:
            return client.get("http://mockb/echo").text

    app = Flask("a")
    app.add_url_rule("/", view_func=view)
    mesh.service("mocka", v1=app)
    mesh.service("mockb", v1=echo_flask(), v2=echo_flask())
    lanebaggage.auto_instrument()
    call = mesh.get("mocka", lane="s2")
    assert call.path == [("mocka", "v1"), ("mockb", "v2")], call.tree
    lanebaggage.uninstrument()
    mesh.allow_lost("mockb")
    lanebaggage.auto_instrument(disabled=["httpcore", "httpcore2"])
    assert mesh.get("mocka", lane="s2").lost_at == "mockb"


def test_a_connection_object_serves_more_than_one_request(mesh: Mesh) -> None:
    """A pool that keeps its connections, and http.client's own, go on working; each request is a hop of its own."""
    mesh.service("mockb", v1=echo_flask())
    connection = http.client.HTTPConnection("mockb")
    with requests.Session() as session:
        for _ in range(2):
            connection.request("GET", "/echo")
            assert connection.getresponse().read() == b"GET /echo? None "
            assert session.get("http://mockb/echo").text == "GET /echo? None "
    assert len(mesh.calls) == 4


def test_factories_and_import_strings_are_services(mesh: Mesh) -> None:
    """A factory is called; a string is imported, an attribute of an attribute too."""
    mesh.service("mocka", v1=echo_flask, v2="mesh.test_inprocess:echo_fastapi")
    assert [mesh.get("mocka", "/echo", lane=lane).text for lane in ("s1", "s2")] == ["GET /echo? None "] * 2


def test_what_the_engine_cannot_serve_is_an_error(mesh: Mesh) -> None:
    """Commands and addresses need sockets, and https is for a gateway."""
    for number, send in enumerate((requests.get, httpx.get)):
        mesh.service(f"mocka{number}", v1=caller(lambda send=send: send("https://mocka0/", timeout=5).text))
        assert "the mesh speaks http inside" in mesh.get(f"mocka{number}").tree
    mesh.service("mockb", v1=["python", "-m", "http.server", "{port}"])
    with pytest.raises(MeshError, match="mockb v1 is no application of this process"):
        mesh.get("mockb")


def test_nothing_is_left_when_the_last_mesh_closes() -> None:
    """Clients, sockets and settings are those of before; a closed mesh says that it is closed."""
    before = [
        http.client.HTTPConnection.connect,
        urllib3.connection.HTTPConnection._new_conn,
        httpx.HTTPTransport.handle_request,
        HTTPX[-1].AsyncHTTPTransport.handle_async_request,
        socket.getaddrinfo,
        vars(socket.socket).get("connect"),
        asyncio.base_events.BaseEventLoop.getaddrinfo,
        lanebaggage._runtime.settings,
    ]
    threads = set(threading.enumerate())
    with Mesh() as outer, Mesh() as inner:
        for mesh, name in ((outer, "mocka"), (inner, "mockb")):
            mesh.lanes(baseline="s1", s1="v1")
            mesh.service(name, v1=echo_fastapi())
        assert requests.get("http://mocka/echo", timeout=5).text == requests.get("http://mockb/echo", timeout=5).text
        assert (len(outer.calls), len(inner.calls)) == (1, 1)
        assert lanebaggage._runtime.settings.pass_through == (HOP_HEADER,)
        inner.close()
        assert mesh.gateway is None
        assert requests.get("http://mocka/echo", timeout=5).status_code == 200
    assert before == [
        http.client.HTTPConnection.connect,
        urllib3.connection.HTTPConnection._new_conn,
        httpx.HTTPTransport.handle_request,
        HTTPX[-1].AsyncHTTPTransport.handle_async_request,
        socket.getaddrinfo,
        vars(socket.socket).get("connect"),
        asyncio.base_events.BaseEventLoop.getaddrinfo,
        lanebaggage._runtime.settings,
    ]
    assert {thread for thread in threading.enumerate() if thread.name.startswith("lanebaggage-mesh")} <= threads
    mesh.service("mockz", v1=echo_flask())
    with pytest.raises(MeshError, match="the mesh is closed"):
        mesh.get("mockz")
