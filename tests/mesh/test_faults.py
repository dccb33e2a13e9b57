"""Stopping, failing, delaying and hanging: by lane and by version, in blocks and out of them, alike on every engine."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import requests
from flask import Flask

from lanebaggage import MeshError
from mesh.chain import SERVICES, instrument, module

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanebaggage.mesh import Call, Hop, Mesh

pytestmark = pytest.mark.parametrize("mesh_engine", ["inprocess", "sockets", "envoy"])

SECONDS = 10
OWN = [("mocka", "v2"), ("mockb", "v2"), ("mockc", "v2")]
BASELINE = [("mocka", "v1"), ("mockb", "v1"), ("mockc", "v1")]


@cache
def apps() -> dict[str, dict[str, Any]]:
    """mocka and mockc in Flask, mockb in FastAPI; made once, so that what serves them goes on running."""
    kinds = zip(SERVICES.items(), ("flask_requests", "fastapi_httpx", "flask_requests"), strict=True)
    return {
        service: {version: module(kind).create_app(service, version, upstream) for version in ("v1", "v2")}
        for (service, upstream), kind in kinds
    }


@pytest.fixture
def mesh(mesh: Mesh) -> Mesh:
    for service, versions in apps().items():
        mesh.service(service, versions)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    instrument(mesh)
    return mesh


def until(true: Callable[[], object]) -> None:
    """Wait for what no event tells."""
    pause = threading.Event()
    for _ in range(SECONDS * 200):
        if true():
            return
        pause.wait(0.005)
    raise AssertionError("it never came")


def held(mesh: Mesh) -> list[Hop]:
    """The hops that a fault holds."""
    return [hop for call in mesh.calls for hop in call.hops if hop.note and hop.status is None]


def asked(pool: ThreadPoolExecutor, mesh: Mesh, lane: str = "s2") -> Any:
    return pool.submit(mesh.get, "mocka", lane=lane, timeout=SECONDS)


@pytest.mark.parametrize("service", ["mockb", "mockc"])
def test_an_instance_that_fails_gets_its_requests_and_answers_for_its_application(mesh: Mesh, service: str) -> None:
    """The status goes back through the chain, nothing falls back, and the hop says what it was; until the block's end."""
    with mesh.fail(service, 418, lane="s2") as fault:
        call = mesh.get("mocka", lane="s2")
        assert call.status == 418
        assert call.path == OWN[: OWN.index((service, "v2")) + 1], call.tree
        assert not any(hop.fallback for hop in call.hops)
        assert (call.hops[-1].status, call.hops[-1].note) == (418, "fault: answers 418")
        assert call.text.endswith("fault: answers 418")
        assert f"{service} v2  lane s2  418  fault: answers 418" in call.tree
        assert mesh.get("mocka", lane="s1").path == BASELINE
        assert repr(fault) == f"<answers 418 of {service} v2>"
    assert fault.over
    assert repr(fault) == f"<answers 418 of {service} v2, over>"
    call = mesh.get("mocka", lane="s2")
    assert (call.status, call.path, call.hops[-1].note) == (200, OWN, "")


def test_a_fault_without_a_block_lasts_until_it_is_ended(mesh: Mesh) -> None:
    """503 unless another status is asked for; by version, or of the whole service; twice ended is ended once."""
    fault = mesh.fail("mockb", version="v1")
    assert mesh.get("mocka", lane="s1").status == 503
    assert mesh.get("mocka", lane="s2").status == 200
    every = mesh.fail("mockb", 500)
    assert mesh.get("mocka", lane="s2").status == 500
    every.end()
    every.end()
    assert mesh.get("mocka", lane="s2").status == 200
    assert mesh.get("mocka", lane="s1").status == 503
    fault.end()
    assert mesh.get("mocka", lane="s1").status == 200


def test_a_delay_holds_requests_and_lets_them_go_on(mesh: Mesh) -> None:
    """A short one to its end; a long one that is ended while a request waits, which then is answered as usual."""
    with mesh.delay("mockb", 0.01, lane="s2"):
        call = mesh.get("mocka", lane="s2")
        assert (call.status, call.path, call.hops[1].note) == (200, OWN, "fault: 0.01 s late")
        assert call.hops[1].duration is not None
        assert call.hops[1].duration >= 0.01
    with ThreadPoolExecutor(1) as pool:
        with mesh.delay("mockc", 3600) as fault:
            waiting = asked(pool, mesh)
            until(lambda: held(mesh))
            assert [(hop.service, hop.note) for hop in held(mesh)] == [("mockc", "fault: 3600 s late")]
            fault.end()
            call = waiting.result(SECONDS)
        assert (call.status, call.path) == (200, OWN)


def test_a_hanging_instance_takes_requests_and_answers_none(mesh: Mesh) -> None:
    """The call ends by the mesh's timeout, with a tree that tells where; other lanes go on, and so does it afterwards."""
    with mesh.hang("mockc", lane="s2"):
        with pytest.raises(MeshError, match=r"(?s)^no answer in time: .*mockc v2  (lane s2|under way).*fault: hangs") as raised:
            mesh.get("mocka", lane="s2", timeout=0.5)
        assert "└─ mocka v2  lane s2" in str(raised.value)
        assert mesh.get("mocka", lane="s1").path == BASELINE
    assert mesh.get("mocka", lane="s2").path == OWN


def test_requests_in_flight_go_on_when_a_hang_ends(mesh: Mesh) -> None:
    """Several at once, each with its own answer, while those of another lane pass by."""
    with ThreadPoolExecutor(4) as pool:
        with mesh.hang("mockb", lane="s2"):
            waiting = [asked(pool, mesh) for _ in range(3)]
            until(lambda: len(held(mesh)) == 3)
            assert asked(pool, mesh, "s1").result(SECONDS).path == BASELINE
            assert not any(one.done() for one in waiting)
        calls: list[Call] = [one.result(SECONDS) for one in waiting]
    assert [(call.status, call.path) for call in calls] == [(200, OWN)] * 3
    assert {call.hops[1].note for call in calls} == {"fault: hangs"}


def test_an_application_sees_a_hang_as_its_clients_timeout(mesh: Mesh) -> None:
    """It may answer for itself then; the hop that hung has no status."""
    app = Flask("patient")

    @app.get("/")
    def view() -> str:
        try:
            return requests.get("http://mockb:8000/", timeout=0.3).text
        except requests.Timeout as error:
            return type(error).__name__

    mesh.service("front", v1=app)
    with mesh.hang("mockb"):
        call = mesh.get("front")
    assert (call.status, call.text) == (200, "ReadTimeout"), call.tree
    [hop] = call.hops[1:]
    assert (hop.service, hop.note, hop.status) == ("mockb", "fault: hangs", None)


def test_faults_nest_and_end_in_any_order(mesh: Mesh) -> None:
    """Each is done in turn; of two that answer, the later one does; what is left when one ends goes on."""
    outer = mesh.fail("mockb", 500, lane="s2")
    with mesh.delay("mockb", 0.01), mesh.fail("mockb", 404, version="v2"):
        call = mesh.get("mocka", lane="s2")
        assert (call.status, call.hops[1].note) == (404, "fault: answers 500; fault: 0.01 s late; fault: answers 404")
        outer.end()
        assert mesh.get("mocka", lane="s2").hops[1].note == "fault: 0.01 s late; fault: answers 404"
    assert mesh.get("mocka", lane="s2").hops[1].note == ""


def test_a_stopped_instance_starts_again_at_the_blocks_end(mesh: Mesh) -> None:
    """Missing, so that its requests fall back; one that was stopped before the block stays so after it."""
    with mesh.stop("mockb", lane="s2") as stopped:
        call = mesh.get("mocka", lane="s2")
        assert call.path == [("mocka", "v2"), ("mockb", "v1"), ("mockc", "v2")], call.tree
        assert call.hops[1].fallback
        with mesh.stop("mockb", version="v2"):
            pass
        assert mesh.get("mocka", lane="s2").path[1] == ("mockb", "v1")
        stopped.end()
        assert mesh.get("mocka", lane="s2").path == OWN
        mesh.stop("mockb", lane="s2")
    assert mesh.get("mocka", lane="s2").path[1] == ("mockb", "v1")
    mesh.start("mockb")
    assert mesh.get("mocka", lane="s2").path == OWN


def test_a_stop_lets_requests_in_flight_end(mesh: Mesh) -> None:
    """What is being served is answered; what comes later falls back."""
    arrived, go = threading.Event(), threading.Event()
    app = Flask("slow")

    @app.get("/")
    def view() -> str:
        arrived.set()
        go.wait(SECONDS)
        return "answered"

    mesh.service("slow", v1=Flask("other"), v2=app)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(mesh.get, "slow", lane="s2", timeout=SECONDS)
        assert arrived.wait(SECONDS)
        stopping = pool.submit(mesh.stop, "slow", lane="s2")
        until(lambda: not mesh.topology.find("slow", version="v2")[0].up)
        assert mesh.get("slow", lane="s2").hops[0].fallback
        go.set()
        assert waiting.result(SECONDS).text == "answered"
        stopping.result(SECONDS)


@pytest.mark.parametrize("carrier", ["trace-id", "baggage"])
def test_faults_are_the_same_by_every_carrier(mesh: Mesh, carrier: str) -> None:
    """In trace-ID mode Envoy reaches instances through their sidecars: the fault is behind them."""
    mesh.lanes(baseline="s1", s1="v1", s2="v2", trace_header={"trace-id": "my-trace-id"}.get(carrier, carrier))
    with mesh.fail("mockb", 409, lane="s2"):
        call = mesh.get("mocka", lane="s2")
        assert (call.status, call.path, call.hops[-1].note) == (409, OWN[:2], "fault: answers 409")
    assert mesh.get("mocka", lane="s2").path == OWN


def test_the_services_can_change_while_one_has_a_fault(mesh: Mesh) -> None:
    """A new service, other lanes: the fault stays with its instance."""
    with mesh.fail("mockb", 418, version="v1"):
        mesh.service("mockd", v1=Flask("d"))
        mesh.lanes(baseline="s2", s1="v1", s2="v2")
        assert mesh.get("mocka", lane="s1").status == 418
        assert mesh.get("mocka", lane="s2").status == 200


def test_a_host_outside_the_mesh_can_have_faults_too(mesh: Mesh) -> None:
    """A partner that is down or slow, by the name that it is called by."""
    partner = mesh.external("api.partner.example", data="fine")
    app = Flask("paying")

    @app.get("/")
    def view() -> Any:
        answer = requests.get("http://api.partner.example/", timeout=SECONDS)
        return answer.text, answer.status_code

    mesh.service("paying", v1=app)
    with mesh.fail("api.partner.example", 502):
        assert mesh.get("paying").status == 502
    with mesh.stop("api.partner.example"):
        call = mesh.get("paying")
        assert (call.status, call.hops[1].reason) == (503, "api.partner.example has no healthy endpoint")
    assert partner.requests == []
    assert mesh.get("paying").text == "fine"
    assert len(partner.requests) == 1


def test_what_cannot_be_a_fault_says_what_to_write(mesh: Mesh) -> None:
    """Times, statuses, services, lanes and versions that there are not."""
    for wrong, message in (
        (lambda: mesh.delay("mockb", 0), r"a delay of 0 seconds; write a positive number, or mesh\.hang\('mockb'\)"),
        (lambda: mesh.delay("mockb", float("inf")), r"or mesh\.hang\('mockb'\)"),
        (lambda: mesh.fail("mockb", 99), "99 is no status of a response; write one from 200 to 599"),
        (lambda: mesh.hang("mockd"), "no instance of mockd; mockd is not declared"),
        (lambda: mesh.stop("mockb", version="v9"), "no instance of mockb v9; mockb is v1, v2"),
        (lambda: mesh.fail("mockb", lane="s9"), "s9"),
        (lambda: mesh.fail("mockb", lane="s1", version="v2"), "no instance of mockb v2 in lane s1; mockb is v1, v2"),
        (lambda: mesh.start("mockd"), "no instance of mockd"),
        (lambda: mesh.fail("api.partner.example"), "no instance of api.partner.example"),
    ):
        with pytest.raises(MeshError, match=message):
            wrong()
    assert mesh.get("mocka", lane="s2").path == OWN


def test_a_new_start_ends_every_fault(mesh: Mesh) -> None:
    """reset() lets what hangs go on, and the same applications behave when they are declared again."""
    mesh.fail("mocka", 500)
    with ThreadPoolExecutor(1) as pool:
        mesh.hang("mockb")
        waiting = pool.submit(mesh.get, "mockb", lane="s2", timeout=SECONDS)
        until(lambda: held(mesh))
        mesh._end_faults()
        assert waiting.result(SECONDS).status == 200
    mesh.stop("mockc")
    mesh.reset()
    for service, versions in apps().items():
        mesh.service(service, versions)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    call = mesh.get("mocka", lane="s2")
    assert (call.status, call.path) == (200, OWN)
