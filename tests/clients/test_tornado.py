"""Tornado's clients beyond the matrix: the queue, and redirects that libcurl would follow by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

import lanebaggage
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture(params=[SimpleAsyncHTTPClient, CurlAsyncHTTPClient])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_queued_requests_keep_their_lane(server: Recorder, kind: Any) -> None:
    """A request that waits for another one to end goes out in the lane of its own caller, redirects included."""
    lanebaggage.auto_instrument()
    client = kind(force_instance=True, max_clients=1)
    waiting = []
    for name in ("s2", None, "s3"):
        with lanebaggage.lane(name):
            waiting.append(client.fetch(server.redirect(server.url(f"/{name}"))))
    for fetch in waiting:
        await fetch
    client.close()
    sent = sorted((request.path, request.values(HEADER)) for request in server.requests)
    assert sent == [
        ("/None", []),
        ("/redirect", []),
        ("/redirect", ["s2"]),
        ("/redirect", ["s3"]),
        ("/s2", ["s2"]),
        ("/s3", ["s3"]),
    ]


async def test_the_answer_of_a_redirect(server: Recorder, kind: Any) -> None:
    """What the caller gets is as without a lane: the first request, the last URL and body, its headers as they were."""
    lanebaggage.auto_instrument()
    client = kind(force_instance=True)
    request = HTTPRequest(server.redirect(server.url("/there"), 307), method="POST", headers={"A": "1"}, body=b"onetwo")
    with lanebaggage.lane("s2"):
        answer = await client.fetch(request)
    client.close()
    assert (answer.request, answer.effective_url, answer.code) == (request, server.url("/there"), 200)
    assert HEADER not in request.headers
    assert [(received.method, received.body) for received in server.requests] == [("POST", b"onetwo")] * 2
    assert server.values("a") == [["1"], ["1"]]


async def test_a_redirect_to_get(server: Recorder, kind: Any) -> None:
    """After 303 the body and what describes it are left behind."""
    lanebaggage.auto_instrument()
    client = kind(force_instance=True)
    with lanebaggage.lane("s2"):
        await client.fetch(server.redirect(server.url("/there"), 303), method="POST", body=b"onetwo")
    client.close()
    first, second = server.requests
    assert (first.method, first.body, second.method, second.body) == ("POST", b"onetwo", "GET", b"")
    assert server.values() == [["s2"], ["s2"]]


async def test_credentials_stay_with_their_host(server: Recorder, kind: Any) -> None:
    """A redirect to another origin has no Authorization and no Cookie."""
    lanebaggage.auto_instrument()
    client = kind(force_instance=True)
    headers = {"Authorization": "Bearer t", "Cookie": "c=1"}
    with recording() as other, lanebaggage.lane("s2"):
        await client.fetch(server.redirect(other.url()), headers=headers)
        assert (other.values("authorization"), other.values("cookie"), other.values()) == ([[]], [[]], [["s2"]])
    client.close()
    assert (server.values("authorization"), server.values("cookie")) == ([["Bearer t"]], [["c=1"]])


@pytest.mark.parametrize("options", [{"follow_redirects": False}, {"max_redirects": 1}])
async def test_redirects_end_as_without_a_lane(server: Recorder, kind: Any, options: dict[str, Any]) -> None:
    """No redirects at all, and too many of them, are the same errors in a lane and outside of every lane."""
    lanebaggage.auto_instrument()
    client = kind(force_instance=True)
    url = server.redirect(server.redirect(server.url("/there")))
    outcomes = []
    for name in (None, "s2"):
        with lanebaggage.lane(name), pytest.raises(HTTPClientError) as caught:
            await client.fetch(url, **options)
        outcomes.append((caught.value.code, type(caught.value), len(server.requests)))
    client.close()
    (code, error, number), (code_in_lane, error_in_lane, number_in_lane) = outcomes
    assert (code, error, 2 * number) == (code_in_lane, error_in_lane, number_in_lane)
    assert server.values() == [[]] * number + [["s2"]] * number


async def test_streamed_by_curl(server: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """A streamed fetch carries the lane if it follows no redirects; if it does, nothing, and the log says why."""
    lanebaggage.auto_instrument()
    client = CurlAsyncHTTPClient(force_instance=True)
    chunks: list[bytes] = []
    with lanebaggage.lane("s2"):
        await client.fetch(server.url("/chunks"), streaming_callback=chunks.append, follow_redirects=False)
        await client.fetch(server.url("/chunks"), streaming_callback=chunks.append)
    client.close()
    assert b"".join(chunks) == b"onetwoonetwo"
    assert server.values() == [["s2"], []]
    assert "pass follow_redirects=False" in caplog.text


@pytest.mark.parametrize("headers", [{"foo\r\nbar:": "foo"}, {"foo": "foo\nbar:"}])
async def test_a_header_that_is_not_allowed(
    server: Recorder, kind: Any, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Tornado refuses it, as without a lane; nothing is said to be a fault of ours."""
    lanebaggage.auto_instrument()
    client = kind(force_instance=True)
    with lanebaggage.lane("s2"), pytest.raises(ValueError, match="foo"):
        await client.fetch(server.url("/"), headers=headers)
    client.close()
    assert caplog.records == []


async def test_curl_is_left_alone_outside_every_lane(server: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """With nothing to carry, libcurl follows redirects itself, with a streaming callback too, and nothing is said."""
    lanebaggage.auto_instrument()
    client = CurlAsyncHTTPClient(force_instance=True)
    chunks: list[bytes] = []
    await client.fetch(server.redirect(server.url("/there")), streaming_callback=chunks.append)
    client.close()
    assert [request.path for request in server.requests] == ["/redirect", "/there"]
    assert chunks
    assert caplog.records == []
