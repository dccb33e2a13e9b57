"""aiohttp beyond the matrix: middlewares, what the caller can see, subclasses, and what a mock passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aioresponses import aioresponses

import lanebaggage
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server(names: Callable[[str], None]) -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(connector=connector, headers={"X-Session": "1"}) as made:
        yield made


async def get(session: aiohttp.ClientSession, url: str, **options: Any) -> Any:
    async with session.get(url, **options) as answer:
        await answer.read()
        return answer


async def test_request_info_shows_what_was_sent(server: Recorder, session: aiohttp.ClientSession) -> None:
    """The answer's request_info has the header; the session's and the caller's have not."""
    lanebaggage.auto_instrument()
    own = {"A": "1"}
    with lanebaggage.lane("s2"):
        answer = await get(session, server.url(), headers=own)
    assert answer.request_info.headers[HEADER] == "s2"
    assert own == {"A": "1"}
    assert HEADER not in session.headers


async def test_a_middleware_sends_one_request_in_several_lanes(server: Recorder, session: aiohttp.ClientSession) -> None:
    """A request object that a middleware sends again is decided anew, the caller's own baggage included."""

    async def again_and_again(request: Any, handler: Any) -> Any:
        for name in ("s2", "s3", None):
            with lanebaggage.lane(name):
                (await handler(request)).release()
        return await handler(request)

    lanebaggage.auto_instrument(trace_header="baggage")
    await get(session, server.url(), headers={"Baggage": "a=1"}, middlewares=(again_and_again,))
    assert server.values() == [["s2"], ["s3"], [], []]
    assert server.values("baggage") == [[f"a=1,{HEADER}=s2"], [f"a=1,{HEADER}=s3"], ["a=1"], ["a=1"]]


async def test_a_middleware_signs_the_request(server: Recorder, session: aiohttp.ClientSession) -> None:
    """A signature made below the caller, as aiobotocore does, is seen."""

    async def sign(request: Any, handler: Any) -> Any:
        request.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0"
        return await handler(request)

    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        await get(session, server.url(), middlewares=(sign,))
    assert server.values() == [[]]


async def test_request_class_of_the_user(server: Recorder) -> None:
    """A session with a request class of its own is covered."""

    class Mine(aiohttp.ClientRequest):
        async def send(self, conn: Any) -> Any:
            self.headers["X-Mine"] = "1"
            return await super().send(conn)

    lanebaggage.auto_instrument()
    async with aiohttp.ClientSession(request_class=Mine) as session:
        with lanebaggage.lane("s2"):
            await get(session, server.url())
    assert (server.values(), server.values("x-mine")) == ([["s2"]], [["1"]])


async def test_several_baggage_headers_count_as_one(server: Recorder, session: aiohttp.ClientSession) -> None:
    """The caller's own baggage in several lines is merged into one."""
    lanebaggage.auto_instrument(trace_header="baggage")
    with lanebaggage.lane("s2"):
        await get(session, server.url(), headers=[("Baggage", "a=1"), ("Baggage", "b=2")])
    assert server.values("baggage") == [[f"a=1,b=2,{HEADER}=s2"]]


@pytest.mark.parametrize(
    "options", [{"passthrough": ["http://127.0.0.1", f"http://{STRANGER}"]}, {"passthrough_unmatched": True}]
)
async def test_what_a_mock_passes_through(server: Recorder, session: aiohttp.ClientSession, options: dict[str, Any]) -> None:
    """A real request below aioresponses has one header, and a redirect to a stranger none."""
    lanebaggage.auto_instrument()
    with aioresponses(**options), lanebaggage.lane("s2"):
        await get(session, server.redirect(server.url().replace("127.0.0.1", STRANGER)))
    assert server.values() == [["s2"], []]


async def test_a_mock_sees_the_callers_headers_too(session: aiohttp.ClientSession) -> None:
    """A callback of aioresponses is given the session's headers, the caller's and ours."""
    seen: list[Any] = []

    def callback(url: Any, **options: Any) -> None:
        seen.append(dict(options["headers"]))

    lanebaggage.auto_instrument()
    own = {"A": "1", "X-Asm-Prefer-Tag": "mine"}
    with aioresponses() as mock, lanebaggage.lane("s2"):
        mock.get("http://mockb/", callback=callback, exception=aiohttp.ClientError(), repeat=True)
        for headers in (own, None):
            with pytest.raises(aiohttp.ClientError):
                await get(session, "http://mockb/", headers=headers)
    assert seen == [{"X-Session": "1", "A": "1", "X-Asm-Prefer-Tag": "mine"}, {"X-Session": "1", HEADER: "s2"}]
    assert own == {"A": "1", "X-Asm-Prefer-Tag": "mine"}


async def test_a_mock_records_a_call_that_carries_nothing_as_it_was_made() -> None:
    """Outside every lane, and to strangers in one, the recorded call has no ``headers`` that nobody gave."""
    lanebaggage.auto_instrument()
    async with aiohttp.ClientSession() as session:
        with aioresponses() as mock:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get("http://mockb/")
            with lanebaggage.lane("s2"), pytest.raises(aiohttp.ClientConnectionError):
                await session.get(f"http://{STRANGER}/")
        recorded = [call.kwargs for calls in mock.requests.values() for call in calls]
    assert recorded == [{"allow_redirects": True}] * 2
