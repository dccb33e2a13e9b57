"""httpx beyond the matrix: the caller's objects, what a mock reads, and versions that keep their headers otherwise."""

from __future__ import annotations

import asyncio
import pickle
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest
import wrapt

import lanebaggage
from lanebaggage.instrumentation._patching import Patcher
from lanebaggage.instrumentation.clients import httpx as integration
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server(names: Callable[[str], None]) -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture(params=["known", "unknown"])
def layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether httpx keeps its headers as we know it; where not, its public methods serve."""
    if request.param == "unknown":
        monkeypatch.setattr(integration, "_is_known", lambda headers_type: False)
    return str(request.param)


def test_request_taken_from_an_answer(server: Recorder, layout: str) -> None:
    """The request of an answer is the caller's, as it was; sent again, it is decided anew."""
    lanebaggage.auto_instrument(trace_header="baggage")
    with httpx.Client() as client:
        with lanebaggage.lane("s2"):
            request = client.build_request("GET", server.url(), headers={"Baggage": "a=1"})
            answer = client.send(request)
        assert (request.headers.get(HEADER), request.headers["baggage"]) == (None, "a=1")
        assert answer.request is request
        with lanebaggage.lane("s3"):
            client.send(answer.request)
        client.send(answer.request)
    assert server.values() == [["s2"], ["s3"], []]
    assert server.values("baggage") == [[f"a=1,{HEADER}=s2"], [f"a=1,{HEADER}=s3"], ["a=1"]]


def test_bytes_beyond_ascii(server: Recorder, layout: str) -> None:
    """A pass-through header in Latin-1 travels byte for byte."""
    lanebaggage.auto_instrument(pass_through=["x-user"])
    with lanebaggage.extract({"x-user": "ren\xe9", HEADER: "s2"}):
        httpx.get(server.url())
        httpx.get(server.url(), headers={HEADER: "mine"})
    assert server.values("x-user") == [["ren\xe9"], ["ren\xe9"]]
    assert server.values() == [["s2"], ["mine"]]


def test_body_that_a_mock_has_read(layout: str) -> None:
    """A generated body that a transport has read is the caller's to read, and to send along a redirect."""
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return httpx.Response(307, headers={"Location": "/there"}) if request.url.path == "/" else httpx.Response(200)

    lanebaggage.auto_instrument()
    with httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True) as client, lanebaggage.lane("s2"):
        request = client.build_request("POST", "http://mockb/", content=iter([b"one", b"two"]))
        client.send(request)
    assert bodies == [b"onetwo", b"onetwo"]
    assert request.content == b"onetwo"


async def test_body_that_an_asynchronous_mock_has_read() -> None:
    """The same for the asynchronous client."""

    async def body() -> Any:
        yield b"one"

    async def answer(request: httpx.Request) -> httpx.Response:
        await request.aread()
        return httpx.Response(200)

    lanebaggage.auto_instrument()
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with lanebaggage.lane("s2"):
            request = client.build_request("POST", "http://mockb/", content=body())
            await client.send(request)
    assert request.content == b"one"


def test_mocked_redirect_to_a_stranger() -> None:
    """Each hop of a redirect is decided on, in mocks too."""
    seen = []
    way = {"mockb": f"http://{STRANGER}/", STRANGER: "http://mockc/"}

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get(HEADER))
        location = way.get(request.url.host)
        return httpx.Response(302, headers={"Location": location}) if location else httpx.Response(200)

    lanebaggage.auto_instrument()
    with httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True) as client, lanebaggage.lane("s2"):
        client.get("http://mockb/")
    assert seen == ["s2", None, "s2"]


def test_signed_for_an_allowed_host(server: Recorder) -> None:
    """A pre-signed URL of an allowed host gets what its signature does not cover."""
    lanebaggage.auto_instrument(allow=["127.0.0.1"])
    with lanebaggage.lane("s2"):
        httpx.get(server.url("/?X-Amz-SignedHeaders=host&X-Amz-Signature=0"))
        httpx.get(server.url(f"/?X-Amz-SignedHeaders=host%3B{HEADER}&X-Amz-Signature=0"))
    assert server.values() == [["s2"], []]


def test_requests_that_a_transport_keeps_are_pickled(layout: str) -> None:
    """A caching transport may pickle what it gets, and needs no lanebaggage to read it."""
    kept = []

    def answer(request: httpx.Request) -> httpx.Response:
        kept.append(pickle.dumps(request))
        return httpx.Response(200)

    lanebaggage.auto_instrument()
    with httpx.Client(transport=httpx.MockTransport(answer)) as client, lanebaggage.lane("s2"):
        client.get("http://mockb/")
    assert b"lanebaggage" not in kept[0]
    assert pickle.loads(kept[0]).headers[HEADER] == "s2"


def _hops(call: Callable[[], object]) -> list[tuple[str, bool]]:
    told: list[tuple[str, bool]] = []
    stop = lanebaggage.on_hop(lambda hop: told.append((hop.host, hop.sent)))
    with lanebaggage.lane("s2"):
        call()
    stop()
    return told


def test_mock_in_place_of_the_transports_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in for the method of httpx's own transport, as pytest-httpx's does, sees the header."""
    seen = []

    def answer(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get(HEADER))
        return httpx.Response(200)

    lanebaggage.auto_instrument()
    with httpx.Client() as client, lanebaggage.lane("s2"):
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
        client.get("http://mockb/")
    assert seen == ["s2"]


def _untouched(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


@pytest.fixture(params=["httpx's own", "a tracer's"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transport, or one that a tracer has put something around."""
    if request.param == "a tracer's":
        around = wrapt.FunctionWrapper(httpx.HTTPTransport.handle_request, _untouched)
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", around)


@pytest.mark.usefixtures("transport")
def test_told_once(server: Recorder) -> None:
    """A hop is counted and told once, whichever of the two layers decides about it."""
    stranger = server.url().replace("127.0.0.1", STRANGER)
    lanebaggage.auto_instrument()
    assert _hops(lambda: httpx.get(server.url())) == [("127.0.0.1", True)]
    before = lanebaggage.stats()
    assert _hops(lambda: httpx.get(stranger)) == [(STRANGER, False)]
    with lanebaggage.lane("s2"):
        httpx.get(stranger)
        httpx.get(server.url())
        httpx.get(server.url("/?X-Amz-Signature=0"))
    after = lanebaggage.stats()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "injected": 1,
        "refused_host": 2,
        "refused_signed": 1,
    }
    assert server.values() == [["s2"], [], [], ["s2"], []]


@pytest.mark.usefixtures("transport")
def test_httpcore_left_out(server: Recorder) -> None:
    """Without httpcore's patch, httpx's serves every transport."""
    lanebaggage.auto_instrument(disabled=["httpcore"])
    with lanebaggage.lane("s2"):
        httpx.get(server.url())
    assert server.values() == [["s2"]]


def test_httpcore_patched_over(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody puts around httpcore's method, and keeps after ours ended there, hides nothing from httpx's patch."""
    lanebaggage.auto_instrument()
    around = wrapt.FunctionWrapper(httpcore.ConnectionPool.handle_request, _untouched)
    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", around)
    with httpx.Client() as client:
        with lanebaggage.lane("s2"):
            client.get(server.url())
        lanebaggage.uninstrument()
        lanebaggage.auto_instrument(disabled=["httpcore"])
        with lanebaggage.lane("s3"):
            client.get(server.url())
    assert server.values() == [["s2"], ["s3"]]


@pytest.mark.parametrize("first", ["mock", "lanebaggage"])
def test_a_mock_in_the_place_of_a_pool(monkeypatch: pytest.MonkeyPatch, server: Recorder, first: str) -> None:
    """What stands for httpcore's pool gets the headers, whichever came first; when it has gone, the pool does."""
    seen: list[Any] = []

    def handle_request(_pool: Any, request: Any) -> httpcore.Response:
        seen.append(dict(request.headers).get(b"x-asm-prefer-tag"))
        return httpcore.Response(200)

    if first == "lanebaggage":
        lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"), httpx.Client() as client:
        with monkeypatch.context() as patched:
            patched.setattr(httpcore.ConnectionPool, "handle_request", handle_request)
            lanebaggage.auto_instrument()
            client.get(server.url())
        client.get(server.url())
    assert seen == [b"s2"]
    assert server.values() == [["s2"]]


def test_requests_of_httpcore(server: Recorder) -> None:
    """A request of httpcore's own users stays as it was, and may be sent again."""
    lanebaggage.auto_instrument()
    request = httpcore.Request("GET", server.url(), headers={"Host": "mockb"})
    stranger = httpcore.Request("GET", server.url().replace("127.0.0.1", STRANGER), headers={"Host": STRANGER})
    with httpcore.ConnectionPool() as pool:
        for name in ("s2", "s3"):
            with lanebaggage.lane(name):
                pool.handle_request(request).close()
        assert _hops(lambda: pool.handle_request(stranger).close()) == [(STRANGER, False)]
    assert request.headers == [(b"Host", b"mockb")]
    assert server.values() == [["s2"], ["s3"], []]


def test_a_version_without_that_method(server: Recorder) -> None:
    """A version that lacks what is patched is patched at its transports."""

    async def call() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(server.url())

    parts = {name: getattr(httpx, name) for name in ("Headers", "HTTPTransport", "AsyncHTTPTransport")}
    integration.install(SimpleNamespace(Client=object, **parts), Patcher("httpx"))
    with httpx.Client() as client, lanebaggage.lane("s2"):
        client.get(server.url())
    with lanebaggage.lane("s3"):
        asyncio.run(call())
    assert server.values() == [["s2"], ["s3"]]


def test_applications_in_process() -> None:
    """An application behind a WSGI or ASGI transport has the lane of its request: the caller's, or none for a stranger."""
    import flask
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def view(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"{lanebaggage.current_lane()} {request.headers.getlist(HEADER)}")

    async def ask(url: str) -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api)) as client:
            return (await client.get(url)).text

    app = flask.Flask("app")
    app.add_url_rule("/", view_func=lambda: f"{lanebaggage.current_lane()} {flask.request.headers.getlist(HEADER)}")
    api = Starlette(routes=[Route("/", view)])
    lanebaggage.auto_instrument()
    answers = []
    with lanebaggage.lane("s2"):
        for url in ("http://mockb/", f"http://{STRANGER}/"):
            with httpx.Client(transport=httpx.WSGITransport(app)) as client:
                answers.append(client.get(url).text)
            answers.append(asyncio.run(ask(url)))
            assert lanebaggage.current_lane() == "s2"
    assert answers == ["s2 ['s2']"] * 2 + ["None []"] * 2
