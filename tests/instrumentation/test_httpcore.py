"""httpcore below httpx: what a tracer's transport has overwritten is on the wire again, and its own users are served."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

import lanebaggage
from lanebaggage.instrumentation.clients import httpcore as integration
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"
SIGNATURE = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=0"
CORES = [httpcore]
if sys.version_info >= (3, 11):
    import httpcore2

    CORES.append(httpcore2)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as server:
        yield server


def send(core: Any, asynchronous: bool, request: Any) -> None:
    if asynchronous:

        async def main() -> None:
            async with core.AsyncConnectionPool() as pool:
                await (await pool.handle_async_request(request)).aread()

        asyncio.run(main())
    else:
        with core.ConnectionPool() as pool:
            pool.handle_request(request).read()


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("core", CORES)
def test_its_own_users_are_served(recorder: Recorder, core: Any, asynchronous: bool) -> None:
    """A request gets the lane where its host may have it; the caller's object has the headers that it had."""
    lanebaggage.auto_instrument()
    requests = [core.Request("GET", recorder.url(host=host), headers=[("Host", host)]) for host in ("127.0.0.1", STRANGER)]
    with lanebaggage.lane("s2"):
        for request in requests:
            send(core, asynchronous, request)
            assert len(request.headers) == 1
    send(core, asynchronous, requests[0])
    assert recorder.values() == [["s2"], [], []]


def overwriting(handle: Callable[[Any, Any], Any]) -> Any:
    """A transport's method as tracers wrap it, between httpx and httpcore."""

    def handle_request(self: Any, request: Any) -> Any:
        request.headers["baggage"] = f"user=1,{HEADER}=s1"
        return handle(self, request)

    return handle_request


@pytest.mark.parametrize(("lane", "expected"), [("s2", f"user=1,{HEADER}=s2"), (None, "user=1")])
@pytest.mark.parametrize("first", ["tracer", "lanebaggage"])
def test_baggage_that_a_tracer_overwrote_has_the_lane(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, first: str, lane: str | None, expected: str
) -> None:
    """Whichever patched first, the lane that arrived and was left is out, the one entered is in, and the tracer's stays."""
    if first == "lanebaggage":
        lanebaggage.auto_instrument(trace_header="baggage")
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", overwriting(httpx.HTTPTransport.handle_request))
    lanebaggage.auto_instrument(trace_header="baggage")
    with lanebaggage.extract({"baggage": f"{HEADER}=s1"}), lanebaggage.lane(lane):
        httpx.get(recorder.url())
    assert recorder.values("baggage") == [[expected]]


def test_a_request_that_has_it_all_is_passed_on(recorder: Recorder) -> None:
    """Below httpx nothing is counted a second time, and the header is there once."""
    lanebaggage.auto_instrument()
    before = lanebaggage.stats()
    with lanebaggage.lane("s2"):
        httpx.get(recorder.url())
    after = lanebaggage.stats()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"injected": 1}
    assert recorder.values() == [["s2"]]


@pytest.mark.usefixtures("names")
def test_a_refusal_counts_once(recorder: Recorder) -> None:
    """A stranger that httpx has refused is refused again here, without being counted or told a second time."""
    lanebaggage.auto_instrument()
    before = lanebaggage.stats()["refused_host"]
    with lanebaggage.lane("s2"):
        httpx.get(recorder.url(host=STRANGER))
    assert lanebaggage.stats()["refused_host"] == before + 1
    assert recorder.values() == [[]]


TARGETS = [
    (b"/", ["s2"]),
    (b"*", ["s2"]),
    (b"http://mockb.default.svc/", ["s2"]),
    (b"http://" + STRANGER.encode() + b"/", []),
    (b"mockb:443", []),
]
"""Of requests to an allowed address; as a proxy gets them, ``CONNECT``'s among them."""


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("target", "expected"), TARGETS)
def test_the_host_is_that_of_the_target(
    recorder: Recorder, core: Any, asynchronous: bool, target: bytes, expected: list[str]
) -> None:
    """An absolute target names the host; what has none and is no path is a proxy's, and gets nothing."""
    lanebaggage.auto_instrument()
    headers = [("Host", "mockb")]
    with lanebaggage.lane("s2"):
        send(core, asynchronous, core.Request("GET", recorder.url(), headers=headers, extensions={"target": target}))
    assert recorder.values() == [expected]


OWN = [
    ([("X-Asm-Prefer-Tag", "mine")], ["mine"]),
    ([("Authorization", "Bearer t")], ["s2"]),
    ([("Authorization", SIGNATURE)], []),
]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("own", "expected"), OWN, ids=["header", "bearer", "signed"])
def test_headers_of_the_request(
    recorder: Recorder, core: Any, asynchronous: bool, own: list[tuple[str, str]], expected: list[str]
) -> None:
    """The user's own header stays, in any case; a token is sent along; a signature covers what is sent."""
    lanebaggage.auto_instrument()
    request = core.Request("POST", recorder.url(), headers=[("Host", "mockb"), ("Content-Length", "3"), *own], content=b"abc")
    with lanebaggage.lane("s2"):
        send(core, asynchronous, request)
    assert recorder.values() == [expected]
    assert recorder.requests[0].body == b"abc"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("core", CORES)
def test_what_httpcore_refuses_is_refused_as_before(recorder: Recorder, core: Any, asynchronous: bool) -> None:
    """A request that is not HTTP raises httpcore's own error, and the next one on the pool is served."""
    lanebaggage.auto_instrument()
    bad = [core.Request("GET", recorder.url(), headers=headers) for headers in ([("Host", "a\nb")], [], [("Host", "a")] * 2)]
    good = core.Request("GET", recorder.url(), headers=[("Host", "mockb")])
    with lanebaggage.lane("s2"):
        for request in bad:
            with pytest.raises(core.LocalProtocolError):
                send(core, asynchronous, request)
        send(core, asynchronous, good)
    assert recorder.values() == [["s2"]]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("method", ["_send_event", "_send_request_headers"])
def test_a_version_that_is_not_known(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, core: Any, asynchronous: bool, method: str
) -> None:
    """Where connections send in another way, or somebody patched them, the pools are patched; undo and all again."""
    half = core._async if asynchronous else core._sync
    connection = getattr(half.http11, "AsyncHTTP11Connection" if asynchronous else "HTTP11Connection")
    pool = getattr(half.connection_pool, "AsyncConnectionPool" if asynchronous else "ConnectionPool")
    handle = "handle_async_request" if asynchronous else "handle_request"
    before = getattr(connection, method), getattr(pool, handle)

    def another(self: Any, *args: Any, **kwargs: Any) -> Any:
        return before[0](self, *args, **kwargs)

    request = core.Request("GET", recorder.url(), headers=[("Host", "mockb")])
    with monkeypatch.context() as patched:
        patched.setattr(connection, method, another)
        lanebaggage.auto_instrument()
        assert getattr(connection, method) is another
        assert getattr(pool, handle) is not before[1]
        with lanebaggage.lane("s2"):
            send(core, asynchronous, request)
        lanebaggage.uninstrument()
        for _ in range(9):
            lanebaggage.auto_instrument()
            lanebaggage.uninstrument()
        assert len(integration.served) <= 2 * len(CORES), "methods that were undone are kept"
    for name in ("s3", "s4"):
        lanebaggage.auto_instrument()
        lanebaggage.auto_instrument(allow=["*"])
        assert getattr(pool, handle) is before[1]
        with lanebaggage.lane(name):
            send(core, asynchronous, request)
        lanebaggage.uninstrument()
    send(core, asynchronous, request)
    assert recorder.values() == [["s2"], ["s3"], ["s4"], []]


@pytest.mark.parametrize("core", CORES)
def test_hooks_of_httpcore_see_the_request_as_it_was(recorder: Recorder, core: Any) -> None:
    """The trace extension is told of the headers that the caller gave, and of no others."""
    lanebaggage.auto_instrument()
    told: list[Any] = []

    def trace(name: str, info: dict[str, Any]) -> None:
        if name == "http11.send_request_headers.started":
            told.append(info["request"].headers)

    request = core.Request("GET", recorder.url(), headers=[("Host", "mockb")], extensions={"trace": trace})
    with lanebaggage.lane("s2"):
        send(core, False, request)
    assert told == [[(b"Host", b"mockb")]]
    assert recorder.values() == [["s2"]]
