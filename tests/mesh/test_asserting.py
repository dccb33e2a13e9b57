"""Assertions that explain themselves: what was expected, the call as a tree, why the lane was lost; what a test may lose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests
from flask import Flask

import lanebaggage
from lanebaggage import MeshError
from lanebaggage.mesh import Mesh
from lanebaggage.mesh.asserting import LaneAssertionError
from lanebaggage.routing import LaneGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lanebaggage.mesh import Call

SECONDS = 10
TREE = [("mocka", "v2"), ("mockb", "v1"), ("mockd", "v1"), ("mockc", "v2"), ("mockc", "v2")]


def service(*urls: str) -> Flask:
    app = Flask("service")
    app.add_url_rule("/", view_func=lambda: "".join(requests.get(url, timeout=SECONDS).text for url in urls) or "end")
    return app


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    """mocka calls mockb, which calls mockd, and mockc twice; lane s2 has mocka and mockc."""
    with Mesh() as found:
        first = service("http://mockb/", "http://mockc/", "http://mockc/")
        found.service("mocka", v1=first, v2=first)
        found.service("mockb", v1=service("http://mockd/"))
        found.service("mockc", v1=service(), v2=service())
        found.service("mockd", v1=service())
        found.lanes(baseline="s1", s1="v1", s2="v2")
        yield found


@pytest.fixture
def instrumented() -> None:
    lanebaggage.auto_instrument()


def message(wrong: Callable[[], object]) -> str:
    """What an assertion says, without the times in its trees."""
    with pytest.raises(LaneAssertionError) as raised:
        wrong()
    assert isinstance(raised.value, AssertionError)
    return re.sub(r"[0-9.]+ ms", "1 ms", str(raised.value))


def drawn(call: Call) -> str:
    return re.sub(r"[0-9.]+ ms", "1 ms", call.tree)


@pytest.mark.usefixtures("instrumented")
def test_a_path_is_pairs_or_a_text(mesh: Mesh) -> None:
    """Versions after a space or an @, however it is spaced; the call's own short form too."""
    call = mesh.get("mocka", lane="s2")
    assert call.path == TREE
    text = "mocka v2 > mockb v1 > mockd v1 > mockc v2 > mockc v2"
    for expected in (TREE, tuple(TREE), call.path, text, text.replace(" > ", ">"), repr(call.path)):
        mesh.assert_path(call, expected)
    with mesh.stop("mockd"):
        mesh.assert_path(mesh.get("mockb"), "mockb v1 > mockd -")
        mesh.assert_path(mesh.get("mockb"), [("mockb", "v1"), ("mockd", None)])


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ("mocka v2 > mockb v2 > mockd v1", "they differ at hop 2: mockb@v1, expected mockb@v2"),
        ("mocka v2 > mockb v1", "it went on with mockd@v1 > mockc@v2 > mockc@v2"),
        ("mocka v2 > mockb v1 > mockd v1 > mockc v2 > mockc v2 > mocke v1", "it ended before mocke@v1"),
        ("", "they differ at hop 1: mocka@v2, expected @None"),
    ],
)
def test_another_path_is_told_with_the_place_where_it_differs(mesh: Mesh, expected: str, difference: str) -> None:
    """Both paths, the first difference, and the tree."""
    call = mesh.get("mocka", lane="s2")
    lines = message(lambda: mesh.assert_path(call, expected)).splitlines()
    assert lines[0] == "the call went  mocka@v2 > mockb@v1 > mockd@v1 > mockc@v2 > mockc@v2"
    assert lines[1].startswith("expected       ")
    assert lines[2] == difference
    assert lines[3:] == drawn(call).splitlines()


def test_a_call_that_reached_nobody_has_no_path(mesh: Mesh) -> None:
    """In words, for there is nothing to compare; an empty path is no difference."""
    call = mesh.recorder.begin("GET mocka/", None)
    mesh.assert_path(call, [])
    assert message(lambda: mesh.assert_path(call, "mocka v1")).startswith(
        "the call reached no service\nexpected       mocka@v1\n"
    )


def test_a_lost_lane_is_drawn_with_its_cause(mesh: Mesh) -> None:
    """The first that lost it, each such call with cause and fix; all calls unless some are named."""
    kept = mesh.get("mockd", lane="s1")
    mesh.assert_lane_kept()
    losing = mesh.get("mocka", lane="s2")
    mesh.get("mockd", lane="s1")
    said = message(mesh.assert_lane_kept)
    assert said.splitlines()[0] == "the lane was lost at mockb"
    assert said.count("cause: lanebaggage was not switched on when mocka made the call") == 3
    assert said.count("fix:   lanebaggage.auto_instrument()") == 3
    assert said.count("GET ") == 1
    assert said == message(lambda: mesh.assert_lane_kept(kept, losing))
    mesh.assert_lane_kept(kept)
    lanebaggage.auto_instrument()
    mesh.assert_lane_kept(mesh.get("mocka", lane="s2"))


@pytest.mark.usefixtures("instrumented")
def test_who_was_called_is_counted_by_lane_and_version(mesh: Mesh) -> None:
    """At least once, or exactly so often; over all calls of the mesh."""
    mesh.get("mocka", lane="s2")
    mesh.get("mocka", lane="s1")
    mesh.assert_called("mockc")
    mesh.assert_called("mockc", times=4)
    mesh.assert_called("mockc", lane="s2", times=2)
    mesh.assert_called("mockc", lane="s2", version="v2", times=2)
    mesh.assert_called("mockc", version="v1", times=2)
    mesh.assert_called("mockb", version="v1", times=2)
    mesh.assert_called("mockb", lane="s2", version="v2", times=0)
    mesh.assert_not_called("mockb", version="v2")
    for wrong, words in (
        (lambda: mesh.assert_called("mockb", version="v2"), "mockb v2 was not called"),
        (lambda: mesh.assert_called("api.example"), "api.example was not called"),
        (lambda: mesh.assert_called("mockc", times=1), "mockc was called 4 times, expected once"),
        (lambda: mesh.assert_called("mockd", times=3), "mockd was called twice, expected 3 times"),
        (lambda: mesh.assert_called("api.example", times=2), "api.example was called 0 times, expected twice"),
        (lambda: mesh.assert_called("mockc", lane="s3"), "mockc in lane s3 was not called"),
        (lambda: mesh.assert_not_called("mocka", version="v2"), "mocka v2 was called once"),
        (lambda: mesh.assert_not_called("mockc", lane="s2", version="v2"), "mockc v2 in lane s2 was called twice"),
    ):
        assert message(wrong).splitlines()[0] == words
    said = message(lambda: mesh.assert_not_called("mocka", lane="s1"))
    assert said == "\n".join(("mocka in lane s1 was called once", drawn(mesh.calls[1])))
    assert message(lambda: mesh.assert_called("api.example")).count("GET mocka/") == 2


def test_a_service_that_there_is_not_is_an_error(mesh: Mesh) -> None:
    """A slip of the pen would be an assertion that cannot fail; a service that is in the lanes alone is one."""
    for wrong in (mesh.assert_called, mesh.assert_not_called):
        with pytest.raises(MeshError, match=r"^mokca is no service of this mesh; its services are mocka, mockb, mockc, mockd$"):
            wrong("mokca")
    mesh.use(LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka", "absent"]}))
    mesh.assert_not_called("absent")
    with Mesh() as empty, pytest.raises(MeshError, match="its services are none"):
        empty.assert_not_called("mocka")


def test_a_service_that_nobody_served_was_called_too(mesh: Mesh) -> None:
    """A hop that found no instance is a call of the service all the same."""
    with mesh.stop("mockd"):
        mesh.get("mockb")
    mesh.assert_called("mockd", times=1)
    mesh.assert_called("default/mockd", times=1)
    mesh.assert_not_called("mockd", version="v1")


def test_nothing_called_says_so(mesh: Mesh) -> None:
    """Instead of a tree; and of many calls the last five are drawn."""
    assert message(lambda: mesh.assert_called("mocka")) == "mocka was not called\nno request was made through the mesh"
    mesh.assert_called("mocka", times=0)
    for _ in range(7):
        mesh.get("mockd")
    assert message(lambda: mesh.assert_called("mocka")).count("GET mockd/") == 5


@pytest.mark.usefixtures("instrumented")
def test_a_service_is_named_as_it_is_declared_and_an_external_host_too(mesh: Mesh) -> None:
    """With its namespace, or by any of its hosts; a host outside the mesh by its name."""
    mesh.external("api.partner.example")
    mesh.service("payments", v1=service("http://api.partner.example/"))
    mesh.service("other/refunds", v1=service())
    mesh.get("payments")
    for name in ("payments", "default/payments", "payments.default", "payments.default.svc.cluster.local"):
        mesh.assert_called(name, times=1)
    mesh.assert_not_called("other/refunds")
    mesh.get("refunds.other")
    for name in ("other/refunds", "refunds.other", "refunds.other.svc"):
        mesh.assert_called(name, times=1)
    mesh.assert_called("api.partner.example", times=1)
    mesh.assert_called("API.partner.example", times=1)
    mesh.assert_not_called("api.partner.example", lane="s2")
    assert message(lambda: mesh.assert_not_called("api.partner.example")).startswith("api.partner.example was called once\n")


def test_what_may_be_lost_is_not_lost(mesh: Mesh) -> None:
    """Hops of all services, of some, or of any; a new start permits none."""
    mesh.get("mocka", lane="s2")
    assert [hop.service for hop in mesh.lost] == ["mockb", "mockc", "mockc"]
    mesh.allow_lost("mockb")
    assert [hop.service for hop in mesh.lost] == ["mockc", "mockc"]
    mesh.allow_lost("mockc", "mockd")
    assert mesh.lost == []
    with pytest.raises(LaneAssertionError):
        mesh.assert_lane_kept()
    mesh.allow_lost()
    mesh.allow_lost("mockb")
    assert mesh.lost == []
    mesh.reset()
    assert mesh.lost == []
    mesh.service("mocka", v2=service("http://mockd/"))
    mesh.service("mockd", v1=service())
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    mesh.get("mocka", lane="s2")
    assert [hop.service for hop in mesh.lost] == ["mockd"]


def test_a_failing_assertion_points_at_the_test(mesh: Mesh) -> None:
    """Not into the mesh: its own frames are hidden from pytest's traceback."""
    with pytest.raises(LaneAssertionError) as raised:
        mesh.assert_called("mocka")
    assert raised.traceback.filter(raised)[-1].path.name == "test_asserting.py"
