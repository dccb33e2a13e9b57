"""The calls that a mesh keeps: packed when they are old and nobody holds them, and then nothing for the cycle collector."""

from __future__ import annotations

import gc
import weakref
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from lanebaggage.mesh import Mesh
from lanebaggage.mesh._kept_calls import RECENT
from lanebaggage.mesh.apps import Address
from lanebaggage.mesh.hops import BY_HEADER, Call, Hop
from lanebaggage.mesh.recorder import Recorder
from lanebaggage.mesh.topology import Instance
from lanebaggage.routing import LaneGroup, ServiceRef

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = count()


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Python frees what nobody holds, and no cycle."""
    gc.disable()
    yield
    gc.enable()


def instance(service: str) -> Instance:
    return Instance(ServiceRef(service), "v1", Address("127.0.0.1", 1), {})


def call_of(recorder: Recorder, mocka: Instance, *, ended: bool = True) -> Call:
    """Two hops, the second of which lost the lane and was not answered by an instance."""
    call = recorder.begin(f"GET /{next(_numbers)}", "s2")
    first = recorder.open(call, BY_HEADER, "GET", "/")
    first.service, first.version, first.lane, first.routed, first.instance = "mocka", "v1", "s2", True, mocka
    first.request_headers = [("X-A", "é"), ("x-a", "2")]
    second = recorder.open(first, BY_HEADER, "GET", "/b")
    second.service, second.routed, second.status, second.reason = "mockb", True, 503, "no healthy endpoint"
    recorder.close(second, 503)
    if ended:
        recorder.close(first, 200, headers=[("X-B", "b")])
    call.status, call.headers, call.content, call.duration = 200, [("Content-Type", "text/plain")], b"\xff", 0.5
    return call


def fill(recorder: Recorder, number: int = RECENT) -> None:
    mocka = instance("mocka")
    for _ in range(number):
        call_of(recorder, mocka)


def said(call: Call) -> Any:
    """All that there is to see of a call."""
    texts = [call.id, call.title, call.lane, call.tree, call.lost_at, call.status, call.text, call.duration, call.deadline]
    headers = [list(call.headers.items()), *(list(hop.request_headers.items()) for hop in call.hops)]
    hops = [(hop.id, hop.parent, hop.instance, hop.children, hop.response_headers.get("x-b")) for hop in call.hops]
    return texts, headers, [tuple(getattr(one, "id", one) for one in hop[:2]) for hop in hops], [hop[2] for hop in hops]


def test_an_old_call_is_packed_and_comes_back_as_it_was() -> None:
    """Read before or not; its instances are the very same; and it is found by its id and by those of its hops."""
    recorder = Recorder()
    mocka = instance("mocka")
    for read in (False, True):
        call = call_of(recorder, mocka)
        before = said(call) if read else None
        marks = [hop.id for hop in call.hops]
        gone = weakref.ref(call)
        del call
        fill(recorder)
        assert gone() is None
        found = recorder.find(marks[1])
        assert isinstance(found, Hop)
        assert found.call is recorder.find(found.call.id)
        assert recorder.find(marks[0]) == found.parent
        assert found.call in recorder.calls
        assert found.parent is not None
        assert found.parent.instance is mocka
        assert found.parent.request_headers.getall("X-A") == ["é", "2"]
        if read:
            assert said(found.call) == before


def test_of_packed_calls_the_cycle_collector_has_nothing_to_walk() -> None:
    """However many are kept, only the latest are objects; and what is forgotten leaves nothing behind."""
    recorder = Recorder(keep=3 * RECENT)
    fill(recorder, RECENT)
    gc.collect()
    before = len(gc.get_objects())
    fill(recorder, 3 * RECENT)
    assert gc.collect() == 0
    assert len(gc.get_objects()) - before < RECENT
    assert len(recorder.calls) == 3 * RECENT


def test_what_somebody_holds_or_waits_for_is_not_packed() -> None:
    """A call, a hop of one, and a call with a hop that is under way stay the objects that they are."""
    recorder = Recorder(keep=3 * RECENT)
    mocka = instance("mocka")
    held, hop = call_of(recorder, mocka), call_of(recorder, mocka).hops[1]
    flying = call_of(recorder, mocka, ended=False).id
    fill(recorder)
    assert recorder.calls[0] is held
    assert recorder.calls[1] is hop.call
    found = recorder.find(flying)
    assert isinstance(found, Call)
    assert [one.duration is None for one in found.hops] == [True, False]
    recorder.close(found.hops[0], 200)
    assert recorder.calls[2].hops[0].status == 200
    fill(recorder, 3 * RECENT)
    assert recorder.find(held.id) is held
    assert recorder.find(hop.id) == hop
    late = recorder.open(hop, BY_HEADER, "GET", "/")
    assert late in hop.call.hops
    assert recorder.find(late.id) == late


def test_the_calls_before_the_last_reset_are_found_by_their_ids_alone() -> None:
    """So that background work adds to them; after another reset only where somebody holds them."""
    recorder = Recorder()
    mocka = instance("mocka")
    held, mark = call_of(recorder, mocka), call_of(recorder, mocka).hops[0].id
    fill(recorder)
    recorder.clear()
    assert recorder.calls == []
    found = recorder.find(mark)
    assert isinstance(found, Hop)
    assert recorder.open(found, BY_HEADER, "GET", "/") == found.children[1]
    assert recorder.find(found.children[1].id) == found.children[1]
    del found
    recorder.clear()
    assert recorder.find(mark) is None
    assert recorder.find(held.id) is held
    assert recorder.find(held.hops[1].id) == held.hops[1]


@pytest.mark.parametrize("engine", ["inprocess", "sockets"])
def test_calls_through_a_mesh_can_be_packed(engine: str) -> None:
    """What engines note of a request is plain values, also where somebody has looked at it."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    with Mesh(LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"]}), engine=engine) as mesh:
        mesh.service("mocka", s1=app)
        calls = [weakref.ref(mesh.get("mocka", lane="s1")) for _ in range(3)]
        mesh.assert_lane_kept()
        assert mesh.calls[0].hops[0].request_headers["host"] == "mocka"
        for _ in range(RECENT):
            mesh.get("mocka", lane="s1")
        assert [call() for call in calls] == [None, None, None]
        assert {repr(call) for call in mesh.calls} == {"<GET mocka/: 200, mocka@s1>"}
