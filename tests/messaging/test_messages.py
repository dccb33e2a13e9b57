"""Messages without a library: shapes of headers, and what is current between two messages."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import Any

import pytest

import lanebaggage
from lanebaggage._context import CARRIED, UNSET
from lanebaggage._hop import sending
from lanebaggage.instrumentation._patching import Gate
from lanebaggage.instrumentation.messaging import _messages

HEADER = "x-asm-prefer-tag"


@pytest.mark.parametrize(
    "headers",
    [
        [(HEADER, b"s2")],
        ((HEADER, b"s2"),),
        [("tenant", None), (HEADER, "s2")],
        {HEADER: "s2", "count": 3, "x-death": [{"reason": "expired"}], "raw": b"\xff", "none": None},
        {HEADER: b"s2"},
        {"X-Asm-Prefer-Tag": "s2"},
        {b"x-asm-prefer-tag": b"s2"},
        MappingProxyType({HEADER: "s2"}),
        {HEADER: "s2", 1: 2, ("a", "b"): "c"},
    ],
    ids=["kafka", "aiokafka", "confluent", "amqp", "amqp-bytes", "case", "all-bytes", "proxy", "odd-keys"],
)
def test_extract_takes_every_shape(headers: Any) -> None:
    """``extract`` reads the headers of each library's messages, whatever else they hold."""
    with lanebaggage.extract(headers) as lane:
        assert lane == lanebaggage.current_lane() == "s2"


@pytest.mark.parametrize("headers", [None, [], (), {}, {"x-asm-prefer-tag": None}, [("tenant", b"t-1")]])
def test_extract_without_a_lane(headers: Any) -> None:
    """A message without headers, or with others, is in no lane, whatever its consumer is in."""
    with lanebaggage.lane("request"), lanebaggage.extract(headers) as lane:
        assert lane is None
        assert lanebaggage.current_lane() is None


def test_with_headers_keeps_the_callers() -> None:
    """What is sent is a new dictionary; nothing to carry means the caller's own."""
    own = {"tenant": "t-1"}
    assert _messages.with_headers(own) is None
    with lanebaggage.lane("s2"):
        assert _messages.with_headers(own) == {"tenant": "t-1", HEADER: "s2"}
        assert _messages.with_headers({"X-Asm-Prefer-Tag": "mine"}) is None
    assert own == {"tenant": "t-1"}


def test_repeated_names() -> None:
    """Several baggage headers of the caller's become one; the bytes of each member are kept."""
    lanebaggage.auto_instrument(trace_header="baggage")
    with lanebaggage.lane("s2"):
        pairs = _messages.with_pairs([("baggage", b"a=1;p"), ("tenant", b"t"), ("Baggage", b"b=%20")])
    assert pairs == [("tenant", b"t"), (HEADER, b"s2"), ("baggage", b"a=1;p,b=%20,x-asm-prefer-tag=s2")]


def test_between_two_messages() -> None:
    """What was current before comes back when the next message is asked for."""
    with lanebaggage.lane("base"):
        _messages.hand_out(self := object(), {HEADER: "s2"})
        assert lanebaggage.current_lane() == "s2"
        _messages.ask()
        assert lanebaggage.current_lane() == "base"
        _messages.hand_out(self, None)
        assert lanebaggage.current_lane() is None
        _messages.hand_out(self, _messages.NO_MESSAGE)
        assert lanebaggage.current_lane() == "base"


def test_only_its_own_consumer_closes_it() -> None:
    """Closing another consumer leaves the current message's lane alone."""
    mine, other = object(), object()
    _messages.hand_out(mine, {HEADER: "s2"})
    _messages.close(other)
    assert lanebaggage.current_lane() == "s2"
    _messages.close(mine)
    assert lanebaggage.current_lane() is None
    assert CARRIED.get() is UNSET


def test_a_reply_pulled_by_a_request() -> None:
    """In a block of its own, a pull leaves the request's lane as it was; the message before it, too."""
    consumer, replies = object(), object()
    _messages.hand_out(consumer, {HEADER: "s2"})
    with lanebaggage.lane(lanebaggage.current_lane()):
        _messages.hand_out(replies, None)
        assert lanebaggage.current_lane() is None
    assert lanebaggage.current_lane() == "s2"
    _messages.ask()
    assert CARRIED.get() is UNSET


def test_message_without_a_lane_is_nothing_to_send(caplog: pytest.LogCaptureFixture) -> None:
    """Handling a message without a lane, a call to a stranger is not refused, since there is nothing to send."""
    _messages.hand_out(object(), None)
    assert sending("stranger.example") is None
    assert lanebaggage.inject({}) == {}
    assert caplog.records == []


def test_unreadable_headers(caplog: pytest.LogCaptureFixture) -> None:
    """Headers that cannot be read mean no lane, one warning, and a message as it was."""
    pull = _messages.pulls(_messages.headers)(lambda self: self.message, Gate("test"))

    class Message:
        headers = 42

    class Consumer:
        message = Message()

    _messages.hand_out(None, {HEADER: "s2"})
    with caplog.at_level(logging.WARNING, "lanebaggage"):
        assert pull(Consumer()) is Consumer.message
    assert lanebaggage.current_lane() is None
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("limit", "args", "kwargs", "expected"),
    [
        (_messages.Limit(1, "max_records"), (), {}, False),
        (_messages.Limit(1, "max_records"), (0, 1), {}, True),
        (_messages.Limit(1, "max_records"), (0,), {"max_records": 1}, True),
        (_messages.Limit(1, "max_records"), (1, 2), {}, False),
        (_messages.Limit(0, "num_messages", default=1), (), {}, True),
        (_messages.Limit(0, "num_messages", default=1), (5,), {}, False),
    ],
)
def test_limit(limit: _messages.Limit, args: tuple[Any, ...], kwargs: dict[str, Any], expected: bool) -> None:
    """Whether a call may hand out one message only, by position, by name and by default."""
    assert limit.is_one(args, kwargs) is expected
