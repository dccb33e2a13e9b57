"""http.client beyond the matrix: odd request targets, signatures, bytes, and errors that stay what they are."""

from __future__ import annotations

from http.client import CannotSendHeader, HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage import on_hop
from support.names import PARTNER, STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server(names: Callable[[str], None]) -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


def send(server: Recorder, target: str, headers: dict[str, Any] | None = None, host: str = "127.0.0.1") -> None:
    connection = HTTPConnection(host, server.port, timeout=10)
    connection.request("GET", target, headers=headers or {})
    connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/?next=http://stranger.example/", ["s2"]),
        ("*", ["s2"]),
        ("relative", ["s2"]),
        ("http://mockb/", ["s2"]),
        ("HTTP://mockb/", ["s2"]),
        (f"http://{STRANGER}/?next=http://mockb/", []),
        (f"http://mockb@{STRANGER}/", []),
        ("ftp://mockb/", []),
    ],
)
def test_request_target(server: Recorder, target: str, expected: list[str]) -> None:
    """The host of an absolute target decides, else that of the connection; a URL in the query does not."""
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        send(server, target)
    assert server.values() == [expected]


def signature(covered: str) -> dict[str, str]:
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders={covered}, Signature=0"}


@pytest.mark.parametrize(("covered", "expected"), [("host;x-amz-date", ["s2"]), (f"host;{HEADER}", [])])
def test_signed_request_to_an_allowed_host(server: Recorder, covered: str, expected: list[str]) -> None:
    """An allowed host gets the header on a signed request, unless the signature covers that very header."""
    lanebaggage.auto_instrument(allow=[PARTNER])
    with lanebaggage.lane("s2"):
        send(server, "/", signature(covered), PARTNER)
    assert server.values() == [expected]


def test_bytes_beyond_ascii(server: Recorder) -> None:
    """A pass-through header in Latin-1 travels byte for byte."""
    lanebaggage.auto_instrument(pass_through=["x-user"])
    with lanebaggage.extract({"x-user": "ren\xe9"}):
        send(server, "/")
    assert server.values("x-user") == [["ren\xe9"]]


def test_baggage_of_several_lines_is_one(server: Recorder) -> None:
    """Several lines of the caller's own baggage count as one; the merged line replaces them."""
    lanebaggage.auto_instrument(trace_header="baggage")
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    with lanebaggage.lane("s2"):
        connection.putrequest("GET", "/")
        connection.putheader("Baggage", "a=1")
        connection.putheader("baggage", "b=2")
        connection.endheaders()
    connection.getresponse().read()
    connection.close()
    assert server.values("baggage") == [[f"a=1,b=2,{HEADER}=s2"]]


def test_a_lane_that_was_left_is_cut_out_of_foreign_baggage(server: Recorder) -> None:
    """Baggage that another library wrote for the lane served is corrected once another lane was entered by hand."""
    lanebaggage.auto_instrument(trace_header="baggage")
    with lanebaggage.extract({HEADER: "s2", "baggage": f"a=1,{HEADER}=s2"}), lanebaggage.lane("s3"):
        send(server, "/", {"baggage": f"a=1,{HEADER}=s2"})
    assert server.values("baggage") == [[f"a=1,{HEADER}=s3"]]


def test_no_request_begun_is_the_same_error() -> None:
    """``endheaders`` without a request raises what http.client raises, and nothing else happens."""
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"), pytest.raises(CannotSendHeader):
        HTTPConnection("127.0.0.1", 1).endheaders()


def test_a_function_of_another_signature_underneath(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody has replaced the method before, whatever they take is passed on."""
    found = HTTPConnection.endheaders
    seen = []

    def endheaders(self: Any, *args: Any, extra: bool = False, **kwargs: Any) -> None:
        seen.append(extra)
        found(self, *args, **kwargs)

    monkeypatch.setattr(HTTPConnection, "endheaders", endheaders)
    lanebaggage.auto_instrument()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    with lanebaggage.lane("s2"):
        connection.putrequest("GET", "/")
        connection.endheaders(extra=True)  # type: ignore[call-arg]
    connection.getresponse().read()
    connection.close()
    lanebaggage.uninstrument()
    assert (seen, server.values()) == ([True], [["s2"]])


def test_watchers_hear_of_each_hop_once(server: Recorder) -> None:
    """A request through several layers is one hop, told once, with its host."""
    import requests

    lanebaggage.auto_instrument()
    hops: list[Any] = []
    stop = on_hop(hops.append)
    try:
        with lanebaggage.lane("s2"):
            requests.get(server.url())
            send(server, f"http://{STRANGER}/")
    finally:
        stop()
    assert [(hop.host, hop.sent) for hop in hops] == [("127.0.0.1", True), (STRANGER, False)]
    assert server.values() == [["s2"], []]
