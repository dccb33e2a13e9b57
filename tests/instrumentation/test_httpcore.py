"""httpcore below httpx: what a tracer's transport has overwritten is on the wire again, and its own users are served."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

import lanebaggage
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"
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
