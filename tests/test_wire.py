"""Headers to what is carried and back: the three modes, values and sizes, baggage spliced as text."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanebaggage import _settings, _wire
from lanebaggage._stats import counts

ROUTE = "x-asm-prefer-tag"
LANES = st.text(alphabet=_wire._LANE_CHARACTERS, min_size=1, max_size=_wire.MAX_LANE)


def wire(**arguments: Any) -> _wire.Wire:
    return _wire.Wire(_settings.resolve(arguments, {}))


def environ(headers: list[tuple[str, str]]) -> dict[str, str]:
    """What a WSGI server makes of header lines: repeated ones joined by commas (PEP 3333)."""
    result: dict[str, str] = {}
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        result[key] = f"{result[key]},{value}" if key in result else value
    return result


def read(wire: _wire.Wire, headers: list[tuple[str, str]]) -> _wire.Carried | None:
    """Read by all three ways in and expect them to agree."""
    raw = wire.from_raw([(name.encode(), value.encode("latin-1")) for name, value in headers])
    pairs = wire.from_pairs([(name.title(), value) for name, value in headers])
    wsgi = wire.from_environ(environ(headers))
    found = [None if carried is None else (carried.lane, dict(carried.headers)) for carried in (raw, pairs, wsgi)]
    assert found[0] == found[1] == found[2]
    return raw


@pytest.mark.parametrize(
    ("headers", "lane", "sent"),
    [
        ([(ROUTE, "s2")], "s2", {ROUTE: "s2"}),
        ([(ROUTE, " s2\t")], "s2", {ROUTE: "s2"}),
        ([(ROUTE, "s2"), (ROUTE, "s2")], "s2", {ROUTE: "s2"}),
        ([("other", "s2")], None, None),
        ([(ROUTE, "")], None, None),
        ([(ROUTE, "s2"), (ROUTE, "s3")], None, None),
        ([(ROUTE, "s2,s3")], None, None),
        ([(ROUTE, "s 2")], None, None),
        ([(ROUTE, 's2"')], None, None),
        ([(ROUTE, "s\x012")], None, None),
        ([(ROUTE, "\xe92")], None, None),
        ([(ROUTE, "s" * 128)], "s" * 128, {ROUTE: "s" * 128}),
        ([(ROUTE, "s" * 129)], None, None),
        ([(ROUTE, "s" * 9000)], None, None),
        ([("baggage", f"{ROUTE}=s2")], None, None),
    ],
)
def test_custom_header_mode(headers: list[tuple[str, str]], lane: str | None, sent: dict[str, str] | None) -> None:
    """One legal value is the lane; none, an illegal one or two different ones are no lane."""
    carried = read(wire(), headers)
    assert (carried and carried.lane, carried and dict(carried.headers)) == (lane, sent)


@pytest.mark.parametrize(
    ("headers", "lane", "sent"),
    [
        ([("my-trace-id", "x 1;2"), (ROUTE, "s2")], "s2", {"my-trace-id": "x 1;2", ROUTE: "s2"}),
        ([("my-trace-id", "x1")], None, {"my-trace-id": "x1"}),
        ([("my-trace-id", "x1"), (ROUTE, "s 2")], None, {"my-trace-id": "x1"}),
        ([(ROUTE, "s2")], "s2", {ROUTE: "s2"}),
    ],
)
def test_trace_id_mode(headers: list[tuple[str, str]], lane: str | None, sent: dict[str, str]) -> None:
    """The trace header travels verbatim, the route header where it arrived (ASM, scenario 1)."""
    carried = read(wire(trace_header="My-Trace-Id"), headers)
    assert carried is not None
    assert (carried.lane, dict(carried.headers)) == (lane, sent)


def test_two_different_trace_ids_are_none() -> None:
    """Which of two trace IDs is the request's cannot be known, so none is sent."""
    assert wire(trace_header="my-trace-id").from_raw([(b"my-trace-id", b"a"), (b"my-trace-id", b"b")]) is None


FOREIGN = "userId=alice,serverNode=DF%2028,isProduction=false;p=1, a+b = c+d ;x"


@pytest.mark.parametrize(
    ("baggage", "lane", "sent"),
    [
        ([FOREIGN], None, FOREIGN),
        ([f"{ROUTE}=s2"], "s2", f"{ROUTE}=s2"),
        ([f"{FOREIGN},{ROUTE}=s2,z=1"], "s2", f"{FOREIGN},{ROUTE}=s2,z=1"),
        ([f"a=1, {ROUTE} = s2 ;p=1, b=2"], "s2", f"a=1, {ROUTE} = s2 ;p=1, b=2"),
        ([f",,{ROUTE}=s2,,"], "s2", f",,{ROUTE}=s2,,"),
        ([f"{ROUTE}=s%32"], "s2", f"{ROUTE}=s%32"),
        ([f"{ROUTE}=a+b"], "a+b", f"{ROUTE}=a+b"),
        (["a=1", f"{ROUTE}=s2"], "s2", f"a=1,{ROUTE}=s2"),
        (["broken", f"=,{ROUTE}=s2", "%%%"], "s2", f"broken,=,{ROUTE}=s2,%%%"),
        ([f"{ROUTE}=s2,{ROUTE}=s2"], "s2", f"{ROUTE}=s2,{ROUTE}=s2"),
        ([f"a=1,{ROUTE}=s2,b=2,{ROUTE}=s3"], None, "a=1,b=2"),
        ([f"a=1,{ROUTE}=,b=2"], None, "a=1,b=2"),
        ([f'{ROUTE}="s2"'], None, None),
        (
            [f"x{ROUTE}=s2,{ROUTE}x=s2,k={ROUTE}=s2,k=v;{ROUTE}=s2"],
            None,
            f"x{ROUTE}=s2,{ROUTE}x=s2,k={ROUTE}=s2,k=v;{ROUTE}=s2",
        ),
        ([f"{ROUTE.title()}=s2"], None, f"{ROUTE.title()}=s2"),
        ([f"{ROUTE}=s2," + "a" * 9000], None, None),
    ],
)
def test_baggage_mode(baggage: list[str], lane: str | None, sent: str | None) -> None:
    """Our member is found in any neighbourhood, the other members keep their bytes, several lines count as one."""
    carried = read(wire(trace_header="baggage"), [("baggage", value) for value in baggage])
    assert (carried and carried.lane, carried and dict(carried.headers)) == (lane, sent and {"baggage": sent})


def test_non_ascii_baggage_keeps_its_bytes() -> None:
    """Bytes that are not ASCII travel as they came."""
    carried = wire(trace_header="baggage").from_raw([(b"baggage", "k=é".encode())])
    assert carried is not None
    assert carried.raw == ((b"baggage", "k=é".encode()),)


def test_the_route_header_decides_before_baggage() -> None:
    """Where both arrive, the route header is what the mesh routed by; both are forwarded."""
    carried = read(wire(trace_header="baggage"), [("baggage", f"{ROUTE}=s3"), (ROUTE, "s2")])
    assert carried is not None
    assert (carried.lane, dict(carried.headers)) == ("s2", {"baggage": f"{ROUTE}=s3", ROUTE: "s2"})


def test_another_baggage_key() -> None:
    """A preset may name the member otherwise; keys are case-sensitive (W3C Baggage, section 3.3.1.1)."""
    settings = _settings.resolve({"preset": "opensergo"}, {})
    carried = _wire.Wire(settings).from_raw([(b"baggage", b"OpenSergo-Label=gray,opensergo-label=no")])
    assert carried is not None
    assert carried.lane == "gray"


def test_further_headers_exact_and_by_prefix() -> None:
    """Only configured names are read, by exact name or by prefix; repeated ones are joined."""
    carried = read(
        wire(pass_through=["X-Request-Id", "x-sermant-*"]),
        [("x-request-id", "r1"), ("x-sermant-flag", "a"), ("x-sermant-flag", "b"), ("x-other", "n"), (ROUTE, "s2")],
    )
    assert carried is not None
    assert dict(carried.headers) == {"x-request-id": "r1", "x-sermant-flag": "a,b", ROUTE: "s2"}


def test_too_many_and_too_much_is_nothing() -> None:
    """A prefix pattern cannot be made to carry hundreds of headers or kilobytes without end."""
    many = wire(pass_through=["x-*"])
    assert many.from_raw([(b"x-%d" % n, b"v") for n in range(_wire.MAX_HEADERS + 1)]) is None
    assert many.from_raw([(b"x-%d" % n, b"v" * 8000) for n in range(3)]) is None
    carried = many.from_raw([(b"x-a", b"v" * 9000), (b"x-b", b"v")])
    assert carried is not None
    assert carried.headers == (("x-b", "v"),)


@pytest.mark.parametrize("mode", [{}, {"trace_header": "baggage"}])
def test_edge_ignores_what_arrives(mode: dict[str, Any]) -> None:
    """A service that strangers call believes none of their headers."""
    assert read(wire(edge=True, **mode), [(ROUTE, "s2"), ("baggage", f"{ROUTE}=s2")]) is None


@pytest.mark.parametrize("mode", [{}, {"trace_header": "baggage"}])
def test_only_known_lanes_are_believed(mode: dict[str, Any]) -> None:
    """With ``lanes`` set, another value is no lane."""
    known = wire(lanes=["s1", "s2"], **mode)
    assert [carried and carried.lane for carried in (read(known, [(ROUTE, lane)]) for lane in ("s2", "s3"))] == ["s2", None]


def test_a_refused_value_is_warned_about_once_and_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """The warning gives lengths, never what a client wrote, and does not flood."""
    before = counts.refused_value
    with caplog.at_level(logging.WARNING):
        for number in range(50):
            read(wire(), [(ROUTE, f"evil text {number}")])
    assert len(caplog.records) == 1
    assert "evil" not in caplog.text
    assert counts.refused_value - before == 150


def test_what_is_kept_ready_is_bounded() -> None:
    """A client that sends a new lane each time does not make memory grow; its lanes are still read."""
    subject = wire()
    for number in range(_wire._KNOWN + 100):
        carried = subject.from_raw([(ROUTE.encode(), b"n%d" % number)])
        assert carried is not None
        assert carried.lane == f"n{number}"
    assert len(subject._known) == _wire._KNOWN


def test_carried_survives_pickling() -> None:
    """A job that is sent to another process takes along what it carries."""
    carried = _wire.Carried("s2", ((ROUTE, "s2"),), ("s1",))
    again = pickle.loads(pickle.dumps(carried))
    assert (again.lane, again.headers, again.stale, again.raw) == ("s2", ((ROUTE, "s2"),), ("s1",), ((ROUTE.encode(), b"s2"),))


@pytest.mark.parametrize(
    ("own", "ours", "merged"),
    [
        ("a=1", f"b=2,{ROUTE}=s2", f"a=1,{ROUTE}=s2,b=2"),
        ("a=1;p, b = %20x", f"{ROUTE}=s2", f"a=1;p, b = %20x,{ROUTE}=s2"),
        ("a=1", f"a=9,{ROUTE}=s2", f"a=1,{ROUTE}=s2"),
        (f"{ROUTE}=mine", f"{ROUTE}=s2,b=2", f"{ROUTE}=mine,b=2"),
        ("", f"{ROUTE}=s2", f"{ROUTE}=s2"),
        (" a=1,", f"{ROUTE}=s2", f"a=1,{ROUTE}=s2"),
        ("a=1", "k=" + "v" * 8190 + f",{ROUTE}=s2", f"a=1,{ROUTE}=s2"),
    ],
)
def test_a_requests_own_baggage_is_merged(own: str, ours: str, merged: str) -> None:
    """Own members keep their bytes and win; ours follow, the lane first, as long as there is room."""
    carried = _wire.Carried("s2", (("baggage", ours),))
    assert wire(trace_header="baggage").merged(own, carried) == merged


def test_a_requests_own_header_wins() -> None:
    """A header that the caller set is kept, so that the wire has one value."""
    carried = _wire.Carried("s2", ((ROUTE, "s2"), ("x-more", "m")))
    assert wire(pass_through=["x-more"]).additions(carried, {ROUTE: "mine"}.get) == [("x-more", "m")]


@pytest.mark.parametrize(
    ("mode", "arrived", "lane", "sent"),
    [
        ({}, [], "s3", {ROUTE: "s3"}),
        ({}, [(ROUTE, "s2")], "s3", {ROUTE: "s3"}),
        ({}, [(ROUTE, "s2")], None, {}),
        ({"pass_through": ["x-more"]}, [(ROUTE, "s2"), ("x-more", "m")], None, {"x-more": "m"}),
        ({"trace_header": "t"}, [("t", "x1"), (ROUTE, "s2")], "s3", {"t": "x1", ROUTE: "s3"}),
        ({"trace_header": "t"}, [("t", "x1"), (ROUTE, "s2")], None, {}),
        ({"trace_header": "baggage"}, [], "s3", {ROUTE: "s3", "baggage": f"{ROUTE}=s3"}),
        (
            {"trace_header": "baggage"},
            [("baggage", f"a=1,{ROUTE}=s2;p, b=2")],
            "s3",
            {ROUTE: "s3", "baggage": f"a=1, b=2,{ROUTE}=s3"},
        ),
        ({"trace_header": "baggage"}, [("baggage", f"a=1,{ROUTE}=s2;p, b=2")], None, {"baggage": "a=1, b=2"}),
    ],
)
def test_a_lane_entered_or_left_by_hand(
    mode: dict[str, Any], arrived: list[tuple[str, str]], lane: str | None, sent: dict[str, str]
) -> None:
    """``lane()`` replaces the lane in each mode; leaving it keeps what is not the lane."""
    subject = wire(**mode)
    carried = subject.entered(subject.from_pairs(arrived), lane)
    assert (carried and carried.lane, dict(carried.headers) if carried else {}) == (lane, sent)


@pytest.mark.parametrize(("lane", "merged"), [("s3", f"u=1,{ROUTE}=s3"), (None, "u=1"), ("s2", f"u=1,{ROUTE}=s2")])
def test_a_lane_that_another_library_still_writes_is_replaced(lane: str | None, merged: str) -> None:
    """OpenTelemetry goes on writing the lane that arrived into baggage; the one entered by hand replaces it."""
    subject = wire(trace_header="baggage")
    carried = subject.entered(subject.from_pairs([("baggage", f"{ROUTE}=s2")]), lane)
    assert carried is not None
    own = f"u=1,{ROUTE}=s2"
    assert dict(subject.additions(carried, {"baggage": own}.get)).get("baggage", own) == merged


@given(
    LANES,
    st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), max_size=20), max_size=8),
    st.integers(0, 8),
)
def test_any_lane_survives_any_neighbours(lane: str, neighbours: list[str], place: int) -> None:
    """Whatever the other members are, the lane is read and every byte is forwarded."""
    neighbours = [member for member in neighbours if member.partition("=")[0].strip() != ROUTE]
    members = [*neighbours[:place], f"{ROUTE}={lane}", *neighbours[place:]]
    carried = wire(trace_header="baggage").from_raw([(b"baggage", ",".join(members).encode())])
    assert carried is not None
    assert (carried.lane, dict(carried.headers)["baggage"]) == (lane, ",".join(members).strip(" \t"))


@given(st.binary(max_size=300))
def test_nothing_that_arrives_raises(value: bytes) -> None:
    """Whatever bytes a client sends, reading them gives a lane or none."""
    for mode in ({}, {"trace_header": "baggage"}, {"trace_header": "t"}):
        carried = wire(**mode).from_raw([(ROUTE.encode(), value), (b"baggage", value), (b"t", value)])
        assert carried is None or all(_wire._clean(text) for _, text in carried.headers)


class Closely(_wire.Wire):
    """Never takes the short way for baggage that is spelt plainly."""

    __slots__ = ()

    def _plain(self, name: str, value: str) -> None:
        return None


PIECES = (f"{ROUTE}=s2", f"{ROUTE}=s3", ROUTE, f"x{ROUTE}=s2", "s2", "a=1", "é", "%32", *',=; \t\x01"')


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.sampled_from([None, ["s2"]]))
def test_plain_baggage_is_read_as_a_closer_look_reads_it(text: str, lanes: list[str] | None) -> None:
    """The short way, which costs half, differs in nothing."""
    settings = _settings.resolve({"trace_header": "baggage", "lanes": lanes} if lanes else {"trace_header": "baggage"}, {})
    found = [wire.from_environ({"HTTP_BAGGAGE": text}) for wire in (_wire.Wire(settings), Closely(settings))]
    short, close = [carried and (carried.lane, carried.headers) for carried in found]
    assert short == close
