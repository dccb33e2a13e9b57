"""The situations of clients about the course of a call: layers, streams, failures, concurrency, undoing."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage.instrumentation import _patching
from support.certificates import authority_file
from support.names import STRANGER
from support.recorder_http2 import recording_http2

from .client_case import closed_port, situation

if TYPE_CHECKING:
    from .client_case import Case


@situation
def proxy(case: Case) -> None:
    client = case.client(proxy=case.server.url())
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        client.send("http://mockb.default.svc/")
        client.send(f"http://{STRANGER}/")
    assert [request.target for request in case.server.requests] == ["http://mockb.default.svc/", f"http://{STRANGER}/"]
    assert case.server.values() == [["s2"], []]


@situation
def proxy_connect(case: Case) -> None:
    server = case.recorder(tls=True) if case.server.scheme == "http" else case.server
    between = case.recorder()
    client = case.client(proxy=between.url(), ca=authority_file())
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        client.send(server.url(host="localhost"))
    assert server.values() == [["s2"]]
    assert [(request.method, request.values("x-asm-prefer-tag")) for request in between.requests] == [("CONNECT", [])]


@situation
def mocks(case: Case) -> None:
    client = case.instrumented()
    for mocked in client.mocks("http://mockb/"):
        with lanebaggage.lane("s2"):
            assert mocked() == ["s2"]
        assert mocked() == []
    for mocked in client.mocks(f"http://{STRANGER}/"):
        with lanebaggage.lane("s2"):
            assert mocked() == []


@situation
def response_hook(case: Case) -> None:
    client = case.instrumented()
    other = case.client()
    with lanebaggage.lane("s2"):
        client.hooked(case.server.url("/outer"), lambda: other.send(case.server.url("/hook")))
    assert [request.path for request in case.server.requests] == ["/outer", "/hook"]
    assert case.server.values() == [["s2"], ["s2"]]


@situation
def auth_callback(case: Case) -> None:
    client = case.instrumented()
    other = case.client()
    with lanebaggage.lane("s2"):
        client.authenticated(case.server.url("/outer"), lambda: other.send(case.server.url("/token")))
    assert [request.path for request in case.server.requests] == ["/token", "/outer"]
    assert case.server.values() == [["s2"], ["s2"]]
    assert case.server.values("authorization") == [[], ["Bearer t"]]


@situation
def layers(case: Case) -> None:
    client = case.instrumented(trace_header="baggage")
    for call in client.layers():
        case.server.clear()
        with lanebaggage.lane("s2"):
            call(case.server.url())
        call(case.server.url())
        assert case.server.values() == [["s2"], []]
        assert case.server.values("baggage") == [["x-asm-prefer-tag=s2"], []]


@situation
def streaming_response(case: Case) -> None:
    client = case.instrumented()
    with lanebaggage.lane("s2"):
        chunks = client.stream(case.server.url("/chunks"))
        first = next(chunks)
    assert first + b"".join(chunks) == b"onetwo"
    assert case.server.values() == [["s2"]]


@situation
def streaming_upload(case: Case) -> None:
    client = case.instrumented()
    path = case.files / "body"
    path.write_bytes(b"onetwo")
    for body in client.uploads(path):
        case.server.clear()
        with lanebaggage.lane("s2"):
            client.send(case.server.url(), "POST", body=body)
        assert [request.body for request in case.server.requests] == [b"onetwo"]
        assert case.server.values() == [["s2"]]


@situation
def http2(case: Case) -> None:
    server = case.stack.enter_context(recording_http2(tls=True))
    client = case.client(http2=True, ca=authority_file())
    lanebaggage.auto_instrument(trace_header="baggage")
    with lanebaggage.lane("s2"):
        assert client.send(server.url(host="localhost")).status == 200
        client.send(server.url(host="localhost"), headers={"Baggage": "a=1"})
        client.send(server.url(host="localhost"), headers={"X-Asm-Prefer-Tag": "mine"})
    assert client.send(server.url(host="localhost")).status == 200
    assert server.values() == [["s2"], ["s2"], ["mine"], []]
    assert server.values("baggage")[:2] == [["x-asm-prefer-tag=s2"], ["a=1,x-asm-prefer-tag=s2"]]


@situation
def websocket(case: Case) -> None:
    from support.recorder_websocket import recording_websocket

    server = case.stack.enter_context(recording_websocket())
    client = case.instrumented()
    with lanebaggage.lane("s2"):
        client.websocket(server.url())
    client.websocket(server.url())
    assert server.values() == [["s2"], []]


def _leaves_nothing(case: Case, client: Any, sent: list[list[str]]) -> None:
    """Nothing of the lane that failed is left, neither here nor on the client."""
    assert lanebaggage.current_lane() is None
    client.send(case.server.url())
    with lanebaggage.lane("s3"):
        client.send(case.server.url())
    assert case.server.values() == [*sent, [], ["s3"]]


@situation
def exception(case: Case) -> None:
    client = case.instrumented()
    refused = case.server.url().replace(str(case.server.port), str(closed_port()))
    with lanebaggage.lane("s2"), pytest.raises(Exception, match=r".*"):
        client.send(refused)
    _leaves_nothing(case, client, [])


@situation
def time_out(case: Case) -> None:
    client = case.instrumented()
    slow = getattr(client, "slow", None) or (lambda url, timeout: client.send(url, timeout=timeout))
    with lanebaggage.lane("s2"), pytest.raises(Exception, match=r".*"):
        slow(case.server.url("/slow"), 0.1)
    case.server.wait_for(1)
    case.server.released.set()
    _leaves_nothing(case, client, [["s2"]])


@situation
def cancellation(case: Case) -> None:
    client = case.instrumented()
    slow = getattr(client, "aslow", None) or (lambda url, timeout: client.asend(url))

    async def cancelled() -> None:
        with lanebaggage.lane("s2"):
            task = asyncio.ensure_future(slow(case.server.url("/slow"), 10))
            await asyncio.to_thread(case.server.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert lanebaggage.current_lane() is None

    client.run(cancelled())
    case.server.released.set()
    _leaves_nothing(case, client, [["s2"]])


@situation
def concurrent(case: Case) -> None:
    client = case.instrumented()
    numbers = range(200)
    headers = [f"s{number % 5}" for number in numbers]
    client.concurrently([(name, case.server.url(f"/{name}")) for name in headers])
    assert sorted(value for (value,) in case.server.values()) == sorted(headers)
    for request in case.server.requests:
        assert case.cell.driver.module == "grpc" or request.path == f"/{request.values('x-asm-prefer-tag')[0]}"


@situation
def loop_in_thread(case: Case) -> None:
    client = case.instrumented()
    thread = threading.Thread(target=client.loop.run_forever)
    with lanebaggage.lane("s4"):
        thread.start()
    try:
        for name in ("s2", None, "s3"):
            with lanebaggage.lane(name):
                asyncio.run_coroutine_threadsafe(client.asend(case.server.url()), client.loop).result(10)
    finally:
        client.loop.call_soon_threadsafe(client.loop.stop)
        thread.join()
    assert case.server.values() == [["s2"], [], ["s3"]]


@situation
def undo(case: Case) -> None:
    client = case.instrumented()
    patches = [patch for patch in _patching._installed if patch.gate.library in case.cell.driver.patched]
    assert patches
    called: list[str] = []
    laters = [_patched_by_another(patch, called) for patch in patches]
    try:
        lanebaggage.uninstrument()
        with lanebaggage.lane("s2"):
            client.send(case.server.url())
        assert called
        assert all(vars(patch.owner)[patch.name] is later for patch, later in zip(patches, laters, strict=True))
        lanebaggage.auto_instrument()
        with lanebaggage.lane("s2"):
            client.send(case.server.url())
    finally:
        lanebaggage.uninstrument()
        for patch in patches:
            setattr(patch.owner, patch.name, patch.found)
    assert case.server.values() == [[], ["s2"]]


def _patched_by_another(patch: Any, called: list[str]) -> Any:
    below = vars(patch.owner)[patch.name]

    def another(*args: Any, **kwargs: Any) -> Any:
        called.append(patch.name)
        return below(*args, **kwargs)

    setattr(patch.owner, patch.name, another)
    return another
