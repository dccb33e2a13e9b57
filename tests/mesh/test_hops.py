"""Hops and calls: how they are linked, what counts as a lost lane, and how a call is drawn."""

from __future__ import annotations

import gc
import io
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from lanebaggage.mesh.hops import BY_EXCLUSION, BY_HEADER, UNLINKED, Call, Hop
from lanebaggage.mesh.recorder import Recorder
from lanebaggage.mesh.report import draw, lane_style, rich_lines
from lanebaggage.mesh.topology import Instance
from lanebaggage.routing import ServiceRef

if TYPE_CHECKING:
    from collections.abc import Iterator


def instance(service: str, version: str = "v1") -> Instance:
    return Instance(ServiceRef(service), version, None, {})  # type: ignore[arg-type]


def hop(recorder: Recorder, origin: Hop | Call, service: str, lane: str | None, linked: str = BY_HEADER, **more: Any) -> Hop:
    """A hop as an engine fills it."""
    found = recorder.open(origin, linked, "GET", "/")
    found.service, found.version, found.lane, found.routed = service, "v1", lane, True
    for name, value in more.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("lanes", "lost_at"),
    [
        (("s2", "s2", "s2"), None),
        (("s2", "s2", None), "mockc"),
        (("s2", None, None), "mockb"),
        (("s2", "s3", "s3"), "mockb"),
        ((None, None, None), None),
        ((None, "s2", "s2"), None),
        (("s2", None, "s2"), "mockb"),
    ],
)
def test_a_lane_is_lost_where_it_first_does_not_arrive(lanes: tuple[str | None, ...], lost_at: str | None) -> None:
    """Compared with the request being served: none or another lane is lost; none below a lost one is not lost again."""
    recorder = Recorder()
    call = recorder.begin("GET /mock", "s2")
    origin: Hop | Call = call
    for service, lane in zip(("mocka", "mockb", "mockc"), lanes, strict=True):
        origin = hop(recorder, origin, service, lane)
    assert call.lost_at == lost_at
    assert [one.service for one in call.lost] == ([lost_at] if lost_at else [])


def test_a_fan_out_is_a_tree() -> None:
    """Hops stand below the one that was being served, in order; the path lists each before those below it."""
    recorder = Recorder()
    call = recorder.begin("GET /mock", "s2")
    first = hop(recorder, call, "mocka", "s2")
    second = hop(recorder, first, "mockb", "s2")
    hop(recorder, first, "mockc", "s2", fallback=True, reason="mockc is not in lane s2, fell back to s1")
    hop(recorder, second, "mockd", None, status=503)
    hop(recorder, first, "mocke", "s2", version=None, status=503, reason="mocke has no healthy endpoint")
    call.status, call.duration = 200, 0.0123
    assert repr(call.path) == "mocka@v1 > mockb@v1 > mockd@v1 > mockc@v1 > mocke@None"
    assert call.path[0] == ("mocka", "v1")
    assert draw(call).splitlines() == [
        "GET /mock  200  12.3 ms",
        "└─ mocka v1  lane s2",
        "   ├─ mockb v1  lane s2",
        "   │  └─ mockd v1  no lane  <-- lane lost: mockb was serving lane s2  503",
        "   ├─ mockc v1  lane s2  fallback: mockc is not in lane s2, fell back to s1",
        "   └─ mocke -  lane s2  503 mocke has no healthy endpoint",
    ]


def test_a_chain_without_end_is_drawn_too() -> None:
    """A service that calls itself makes more hops below one another than a recursion could go down."""
    recorder = Recorder()
    call = recorder.begin("GET /", "s2")
    origin: Hop | Call = call
    for _ in range(1500):
        origin = hop(recorder, origin, "mocka", "s2")
    assert len(call.hops) == 1500
    assert draw(call).count("mocka v1") == 1500


def test_how_a_hop_was_linked_is_drawn() -> None:
    """By exclusion, or not at all."""
    recorder = Recorder()
    call = recorder.begin("GET /", None, unlinked=True)
    hop(recorder, call, "mockb", None, UNLINKED, caller="mocka")
    hop(recorder, call.roots[0], "mockc", None, BY_EXCLUSION)
    text = draw(call)
    assert "made by one of several requests of mocka; forward x-lanebaggage-hop to tell which" in text
    assert "linked as the only request being served" in text


def test_colours_come_only_on_a_terminal() -> None:
    """The same drawing: plain where output is a file, coloured by lane on a terminal, a lost lane in red."""
    recorder = Recorder()
    call = recorder.begin("GET /", "s2")
    hop(recorder, hop(recorder, call, "mocka", "s2"), "mockb", None)

    def printed(**settings: Any) -> str:
        out = io.StringIO()
        console = Console(file=out, width=200, **settings)
        for line in rich_lines(call):
            console.print(line)
        return out.getvalue()

    assert printed().splitlines() == draw(call).splitlines()
    coloured = printed(force_terminal=True, color_system="standard")
    assert "\x1b[1;31m  <-- lane lost" in coloured
    assert lane_style("s2") != lane_style("s3") != lane_style(None)


def test_the_only_request_of_an_instance_is_found() -> None:
    """One being served is the one; none or two are nobody's; without an instance, the one that waits for no other."""
    recorder = Recorder()
    call = recorder.begin("GET /", None)
    mocka, mockb = instance("mocka"), instance("mockb")
    assert recorder.only(mocka) is None
    assert recorder.only(None) is None
    first = hop(recorder, call, "mocka", None, instance=mocka)
    mocka.serving[first.id] = first
    second = hop(recorder, first, "mockb", None, instance=mockb)
    mockb.serving[second.id] = second
    assert recorder.only(mocka) is first
    assert recorder.only(None) is second
    other = hop(recorder, call, "mocka", None, instance=mocka)
    mocka.serving[other.id] = other
    assert recorder.only(mocka) is None
    assert recorder.only(None) is None
    recorder.close(other, 200, headers=[("X-A", "b")])
    assert recorder.only(mocka) is first
    recorder.close(other, 500, "too late")
    assert (other.status, other.error, other.response_headers["x-a"]) == (200, None, "b")


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Python frees what nobody holds, and no cycle."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_forgotten_call_is_freed_without_the_cycle_collector() -> None:
    """Or it would walk thousands of calls to find the few that are gone, and every request would wait for it."""
    recorder = Recorder(keep=1)
    call = recorder.begin("0", "s2")
    first = hop(recorder, call, "mocka", "s2", instance=instance("mocka"))
    second = hop(recorder, first, "mockb", None)
    for one in (second, first):
        recorder.close(one, 200, headers=[("X-A", "b")])
    assert (call.lost_at, call.hops[0].children[0].parent, second.response_headers["x-a"]) == ("mockb", first, "b")
    gone = weakref.ref(call)
    recorder.begin("1", None)
    del call, first, one
    assert second.call is gone()
    assert second.lost
    del second
    assert gone() is None


def test_calls_are_kept_to_a_number_and_hops_with_them() -> None:
    """The oldest are forgotten with their hops, unless somebody holds them."""
    recorder = Recorder(keep=2)
    held = recorder.begin("0", None)
    marks = [hop(recorder, recorder.begin(str(number), None), "mocka", None).id for number in range(1, 4)]
    for found in [one for one in map(recorder.find, marks) if isinstance(one, Hop)]:
        recorder.close(found)
    del found
    assert [call.title for call in recorder.calls] == ["2", "3"]
    assert recorder.find(held.id) is held
    assert [recorder.find(mark) is None for mark in marks] == [True, False, False]
    recorder.clear()
    assert not recorder.calls


def test_a_response_is_read_as_its_headers_say() -> None:
    """Text by the charset, UTF-8 without one or with an unknown one; JSON as such."""
    call = Recorder().begin("GET /", None)
    call.content = '{"a": "é"}'.encode()
    assert call.json() == {"a": "é"}
    for charset, text in (("", '{"a": "é"}'), ("; charset=latin-1", '{"a": "Ã©"}'), ('; charset="no-such"', '{"a": "é"}')):
        call.headers.clear()
        call.headers["Content-Type"] = f"application/json{charset}"
        assert call.text == text


def test_a_hop_that_is_under_way_has_lost_nothing_yet() -> None:
    """Envoy tells a hop's lane at its end; until then nobody knows it, and no test may fail for it."""
    recorder = Recorder()
    call = recorder.begin("GET /mock", "s2")
    first = hop(recorder, call, "mocka", "s2")
    second = hop(recorder, first, "mockb", None, routed=False)
    assert call.lost_at is None
    assert "mockb v1  under way" in call.tree
    second.routed = True
    assert call.lost_at == "mockb"
    assert "mockb v1  no lane  <-- lane lost" in call.tree
