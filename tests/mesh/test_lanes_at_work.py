"""Lanes on both engines while services stop and come back, and while many requests are under way at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lanebaggage import MeshError
from mesh.chain import MIXTURES, SERVICES, declare, instrument, module

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

pytestmark = pytest.mark.parametrize("mesh_engine", ["inprocess", "sockets", "envoy"])

S1 = [("mocka", "v1"), ("mockb", "v1"), ("mockc", "v1")]
S3 = [("mocka", "v1"), ("mockb", "v3"), ("mockc", "v1")]


def lanes(mesh: Mesh, **more: object) -> None:
    mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3", **more)  # type: ignore[arg-type]
    instrument(mesh)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_stopped_service_falls_back_and_comes_back(mesh: Mesh, mixture: str) -> None:
    """The next request after a stop takes the baseline's instance, the next one after a start the lane's own again."""
    declare(mesh, mixture)
    lanes(mesh)
    own = [("mocka", "v3"), ("mockb", "v3"), ("mockc", "v3")]
    assert mesh.get("mocka", "/", lane="s3").path == own
    mesh.stop("mockb", lane="s3")
    call = mesh.get("mocka", "/", lane="s3")
    assert call.path == [("mocka", "v3"), ("mockb", "v1"), ("mockc", "v3")], call.tree
    assert call.hops[1].fallback
    assert call.hops[1].lane == "s3"
    mesh.start("mockb", lane="s3")
    assert mesh.get("mocka", "/", lane="s3").path == own


def test_a_stopped_baseline_is_an_error_that_says_so(mesh: Mesh) -> None:
    """Nothing falls back further than the baseline lane: the hop is 503, with the reason in the answer and in the tree."""
    declare(mesh)
    lanes(mesh)
    mesh.stop("mockc")
    call = mesh.get("mocka", "/", lane="s2")
    assert call.status == 503
    assert call.path == [("mocka", "v2"), ("mockb", "v2"), ("mockc", None)]
    assert "mockc has no healthy endpoint in lane s2, nor in s1" in call.hops[2].reason
    assert call.hops[2].reason in call.tree
    assert call.hops[2].reason in call.text


@pytest.mark.parametrize("mixture", MIXTURES)
def test_concurrent_requests_in_five_lanes_stay_apart(mesh: Mesh, mixture: str) -> None:
    """200 requests over five lanes at once: each takes its own lane's chain, and each call holds its own hops."""
    names = ("s1", "s2", "s3", "s4", "s5")
    for (service, upstream), kind in zip(SERVICES.items(), MIXTURES[mixture], strict=True):
        mesh.service(service, {f"v{lane[1]}": module(kind).create_app(service, f"v{lane[1]}", upstream) for lane in names})
    mesh.lanes({lane: f"v{lane[1]}" for lane in names}, baseline="s1")
    instrument(mesh)
    mesh.start()
    asked = [names[number % 5] for number in range(200)]
    with ThreadPoolExecutor(20) as pool:
        calls = list(pool.map(lambda lane: mesh.get("mocka", "/", lane=lane), asked))
    for lane, call in zip(asked, calls, strict=True):
        assert call.path == [(service, f"v{lane[1]}") for service in SERVICES], call.tree
        assert [hop.lane for hop in call.hops] == [lane] * 3
        assert call.text == "".join(f"-> {service}(version: v{lane[1]}, ip: 127.0.0.1)" for service in SERVICES)


def test_the_lanes_can_change_while_services_run(mesh: Mesh) -> None:
    """Another lane group is in force for the next request, on the same instances."""
    declare(mesh)
    lanes(mesh)
    assert mesh.get("mocka", "/", lane="s3").path[1] == ("mockb", "v3")
    mesh.lanes(baseline="s1", s1="v2", s3="v1")
    assert mesh.get("mocka", "/", lane="s3").path == S1
    assert mesh.get("mocka", "/").path == [("mocka", "v2"), ("mockb", "v2"), ("mockc", "v2")]


def test_strict_mode_keeps_a_caller_in_its_lane_and_has_no_fallback(mesh: Mesh) -> None:
    """A caller's own label routes its calls; a service that its lane lacks is 503."""
    declare(mesh)
    mesh.lanes(baseline="s1", s1="v1", s2="v2", permissive=False)
    assert mesh.get("mocka", "/", lane="s2").path == [("mocka", "v2"), ("mockb", "v2"), ("mockc", "v2")]
    mesh.stop("mockb", version="v2")
    call = mesh.get("mocka", "/", lane="s2")
    assert call.path == [("mocka", "v2"), ("mockb", None)]
    assert call.status == 503
    assert "strict mode has no fallback" in call.text


def test_a_mesh_says_what_is_wrong_with_its_description(mesh: Mesh) -> None:
    """No lanes, unknown services and versions, doubles and things that cannot be served are sentences with a remedy."""
    mesh.service("mocka", v1=lambda environ, start_response: [b""])
    for wrong, message in (
        (lambda: mesh.get("mocka", "/"), r"mesh\.lanes\(baseline="),
        (lambda: mesh.service("mocka", v1=lambda environ, start_response: [b""]), "declared twice"),
        (lambda: mesh.service("mockb"), "has no version"),
        (lambda: mesh.service("mock b", v1=[]), "no name of a service"),
        (lambda: mesh.service("mockb", v1=7), "a int cannot be served; give a WSGI or ASGI application"),
        (lambda: mesh.service("mockb", v1="nowhere.at.all:app"), "cannot be imported"),
        (lambda: mesh.service("mockb", v1="no import string"), "no import string; write"),
        (lambda: mesh.service("mockb", v1="https://mockb/"), "no address of a service"),
        (lambda: mesh.service("mockb", v1=lambda: 7), "the factory returned a int"),
        (lambda: mesh.stop("mockb"), "no instance of mockb; mockb is not declared"),
        (lambda: mesh.stop("mocka", version="v9"), "no instance of mocka v9; mocka is v1"),
    ):
        with pytest.raises(MeshError, match=message):
            wrong()
    mesh.lanes(baseline="s9", s1="v1")
    with pytest.raises(MeshError, match="the lanes do not fit the services: the baseline 's9'"):
        mesh.get("mocka", "/")
