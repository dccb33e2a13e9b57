"""One hop by hand: what ``inject`` adds, what ``extract`` finds, and to whom nothing is sent."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import Any

import pytest

import lanebaggage
from lanebaggage import current_lane, extract, inject, lane
from lanebaggage._hop import sending
from lanebaggage._stats import counts

ROUTE = "x-asm-prefer-tag"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {ROUTE: "s2"}),
        ({"A": "1"}, {"A": "1", ROUTE: "s2"}),
        ({b"A": b"1"}, {b"A": b"1", ROUTE.encode(): b"s2"}),
        ({"X-Asm-Prefer-Tag": "mine"}, {"X-Asm-Prefer-Tag": "mine"}),
        ([], [(ROUTE, "s2")]),
        ([("a", b"1")], [("a", b"1"), (ROUTE, b"s2")]),
        ([(b"a", b"1")], [(b"a", b"1"), (ROUTE.encode(), b"s2")]),
        ([("X-Asm-Prefer-Tag", b"mine")], [("X-Asm-Prefer-Tag", b"mine")]),
    ],
)
def test_inject_writes_what_the_container_holds(headers: Any, expected: Any) -> None:
    """The headers are added in place, as text or bytes like the others there; one that is there is kept."""
    with lane("s2"):
        assert inject(headers, url="http://mockb/") is headers
    assert headers == expected


def test_inject_merges_baggage() -> None:
    """Baggage of the request's own is kept byte for byte, under the name that it has."""
    lanebaggage.auto_instrument(trace_header="baggage")
    mapping = {"Baggage": "u=1;p"}
    pairs = [("a", "b"), ("Baggage", "u=1;p")]
    with lane("s2"):
        inject(mapping)
        inject(pairs)
    assert mapping == {"Baggage": f"u=1;p,{ROUTE}=s2", ROUTE: "s2"}
    assert sorted(pairs) == [("Baggage", f"u=1;p,{ROUTE}=s2"), ("a", "b"), (ROUTE, "s2")]


@pytest.mark.parametrize(
    "url", ["http://api.partner.example/", "http://169.254.169.254/", "/relative", "http://evil.example\\@mockb/"]
)
def test_inject_gives_a_stranger_nothing(url: str) -> None:
    """Without the mesh's look or an ``allow`` entry, nothing is added."""
    with lane("s2"):
        assert inject({}, url=url) == {}


def test_outside_every_lane_nothing_is_added() -> None:
    """Neither where no lane was ever entered nor where it was left."""
    assert inject({}) == {}
    with lane("s2"), lane(None):
        assert inject({}) == {}


@pytest.mark.parametrize("headers", [MappingProxyType({}), (), None, 7])
def test_inject_never_raises(headers: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be changed is left as it is; one warning says so."""
    with lane("s2"):
        assert inject(headers) is headers
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"X-Asm-Prefer-Tag": "s2"}, "s2"),
        ({b"X-ASM-PREFER-TAG": b"s2"}, "s2"),
        ([("x-asm-prefer-tag", b"s2")], "s2"),
        (((ROUTE, "s2"),), "s2"),
        (iter([(ROUTE, "s2")]), "s2"),
        ({ROUTE: ["s2"]}, "s2"),
        ({"wsgi.version": (1, 0), "HTTP_X_ASM_PREFER_TAG": "s2"}, "s2"),
        ({ROUTE: None}, None),
        ({ROUTE: "s2, s3"}, None),
        ([(ROUTE, "s2"), (ROUTE, "s3")], None),
        ({7: "s2"}, None),
        (None, None),
        (7, None),
        ([("too", "long", "a row")], None),
        ("text", None),
    ],
)
def test_extract_reads_any_shape(headers: Any, found: str | None) -> None:
    """Mappings, pairs, text, bytes and WSGI environs are read; anything else is no lane, even inside one."""
    with lane("s1"), extract(headers) as entered:
        assert (entered, current_lane()) == (found, found)


def test_each_message_of_a_batch_has_its_own_lane() -> None:
    """A consumer that is handed many messages enters each in turn."""
    batch: list[dict[str, str]] = [{ROUTE: "s2"}, {}, {ROUTE: "s3"}]
    seen = []
    for message in batch:
        with extract(message):
            seen.append(current_lane())
    assert (seen, current_lane()) == (["s2", None, "s3"], None)


@pytest.mark.parametrize(
    ("authorization", "target"),
    [
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-asm-prefer-tag, Signature=c", ""),
        (b"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-asm-prefer-tag, Signature=c", ""),
        ("", "/b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host%3Bx-asm-prefer-tag&X-Amz-Signature=c"),
    ],
)
def test_a_signed_request_is_left_alone(authorization: str | bytes, target: str) -> None:
    """Signed requests get nothing by default; where the host is allowed, not the headers that the signature covers."""
    lanebaggage.auto_instrument(pass_through=["x-more"], allow=["store"])
    with extract({ROUTE: "s2", "x-more": "m"}):
        assert sending("mockb", authorization, target) is None
        carried = sending("store", authorization, target)
    assert carried is not None
    assert carried.headers == (("x-more", "m"),)


def test_a_stranger_is_named_once_with_the_line_to_add(caplog: pytest.LogCaptureFixture) -> None:
    """The first refusal of a host says what to write, the next ones only count."""
    before = counts.refused_host
    with lane("s2"):
        for _ in range(3):
            sending("api.partner.example")
        sending("evil\r\nname.example")
    assert counts.refused_host - before == 4
    assert len(caplog.records) == 1
    assert 'allow=["api.partner.example"]' in caplog.text
