"""Modes and carriers that a test asks for, whatever the YAML says: the same files on every engine, in each combination."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from lanebaggage import MeshError
from lanebaggage.mesh import Mesh
from lanebaggage.mesh.modes import Modes, one_group
from lanebaggage.mesh.topology import Lanes
from mesh.chain import ACCEPTANCE, SERVICES, instrument, module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {name: ACCEPTANCE / name / "lanes.yaml" for name in ("scenario-1", "scenario-2", "scenario-3", "strict")}
"""Trace-ID mode, a header of its own, baggage, and strict mode."""
CARRIERS = ("header", "trace-id", "baggage")
FALLBACK = [("mocka", "v2"), ("mockb", "v1"), ("mockc", "v2")]


@cache
def apps(service: str) -> dict[str, Any]:
    make = module("flask_requests").create_app
    return {version: make(service, version, SERVICES[service]) for version in ("v1", "v2", "v3")}


@pytest.fixture(scope="module")
def meshes() -> Iterator[dict[str, Mesh]]:
    """One mesh for each engine; the modes of a mesh are its own, and are set by each test."""
    found = {engine: Mesh(engine=engine) for engine in ("inprocess", "sockets", "envoy")}
    yield found
    for mesh in found.values():
        mesh.close()


@pytest.fixture(params=["inprocess", "sockets", "envoy"])
def mesh(request: pytest.FixtureRequest, meshes: dict[str, Mesh]) -> Iterator[Mesh]:
    found = meshes[request.param]
    for service in SERVICES:
        found.service(service, apps(service))
    yield found
    found.modes = Modes()
    found.reset()


@pytest.mark.parametrize(
    ("mesh", "mode", "carrier"),
    [
        *(("inprocess", mode, carrier) for mode in ("permissive", "strict", None) for carrier in (*CARRIERS, None)),
        *((engine, None, carrier) for engine in ("sockets", "envoy") for carrier in (*CARRIERS, None)),
        *((engine, mode, None) for engine in ("sockets", "envoy") for mode in ("permissive", "strict")),
    ],
    indirect=["mesh"],
)
@pytest.mark.parametrize("file", FILES)
def test_any_file_runs_in_any_mode_and_by_any_carrier(mesh: Mesh, file: str, mode: str | None, carrier: str | None) -> None:
    """Lanes take their own chain; what one lacks falls back or is an error, as the mode says; the headers are the carrier's."""
    mesh.modes = Modes(mode, carrier)
    mesh.load(FILES[file])
    group = mesh.topology.current.group
    assert group.permissive is (file != "strict" if mode is None else mode == "permissive")
    instrument(mesh)
    for lane in group.lanes:
        whole = all(map(lane.has, group.services))
        call = mesh.get("mocka", lane=lane.name)
        assert call.lost_at is None, call.tree
        if group.permissive:
            assert call.path == [(ref.name, f"v{lane.name[1]}" if lane.has(ref) else "v1") for ref in group.services], call.tree
            assert [hop.lane for hop in call.hops] == [lane.name] * 3
        else:
            assert (call.status == 200) is whole, call.tree
    if group.permissive:
        kind = carrier or {"scenario-1": "trace-id", "scenario-3": "baggage"}.get(file, "header")
        assert group.trace_header not in ("", group.route_header) or kind == "header"
        more = {"header": group.route_header, "trace-id": group.trace_header, "baggage": "baggage"}[kind]
        assert (group.trace_header == "baggage") is (kind == "baggage")
        assert set(mesh.lane_headers("s2")) == {group.route_header, more}
    else:
        assert mesh.lane_headers("s2") == {}


@pytest.mark.parametrize("mode", ["permissive", "strict"])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_declared_lanes_follow_too(mesh: Mesh, mode: str, carrier: str) -> None:
    """Lanes without a file, and the fallback that only one of the modes has."""
    mesh.modes = Modes(mode, carrier)
    mesh.lanes(baseline="s1", s1="v1", s2="v2", trace_header="x-own-trace", permissive=mode == "strict")
    group = mesh.topology.current.group
    assert group.permissive is (mode == "permissive")
    if group.permissive:
        assert group.route_header == "x-asm-prefer-tag"
        assert group.trace_header == {"header": "x-asm-prefer-tag", "trace-id": "x-own-trace", "baggage": "baggage"}[carrier]
    instrument(mesh)
    with mesh.stop("mockb", lane="s2"):
        call = mesh.get("mocka", lane="s2")
    assert call.path == (FALLBACK if mode == "permissive" else [("mocka", "v2"), ("mockb", None)]), call.tree
    assert call.status == (200 if mode == "permissive" else 503)


def test_an_open_mesh_goes_from_mode_to_mode(mesh: Mesh) -> None:
    """And back, at once, by headers that change too: each lane's callers go on reaching their own lane."""
    mesh.allow_lost()
    for number in range(6):
        header = f"x-lane-{number}"
        mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3", permissive=number % 2 == 0, route_header=header)
        for lane in ("s1", "s2", "s3"):
            assert mesh.get("mocka", lane=lane).path[0] == ("mocka", f"v{lane[1]}"), (number, lane)


def test_a_group_is_left_alone_unless_something_is_asked_for() -> None:
    """The very object; a trace header is found where the group has none, or has another use for its name."""
    lanes = Lanes({"s1": "v1"}, "s1")
    assert Modes().apply(lanes) is lanes
    assert Modes(carrier="trace-id").apply(lanes).trace_header == "my-trace-id"
    taken = Lanes({"s1": "v1"}, "s1", route_header="my-trace-id", trace_header="my-trace-id")
    assert Modes(carrier="trace-id").apply(taken).trace_header == "my-request-id"
    strict = one_group((FILES["strict"],), None)
    assert (strict.route_header, strict.trace_header) == ("", "")
    permissive = Modes("permissive").apply(strict)
    assert (permissive.route_header, permissive.trace_header) == ("x-asm-prefer-tag", "x-asm-prefer-tag")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "loose"}, "^no mode is called 'loose'; write permissive or strict$"),
        ({"carrier": "cookie"}, "^no carrier is called 'cookie'; write header, trace-id or baggage$"),
        ({"engine": "istio"}, "^no engine is called 'istio'; engines are inprocess, sockets, envoy"),
    ],
)
def test_what_there_is_not_is_an_error(settings: dict[str, str], message: str) -> None:
    """With what there is."""
    with pytest.raises(MeshError, match=message):
        Mesh(**settings)  # type: ignore[arg-type] # a wrong name is what is tested


def test_files_are_read_once_and_again_when_they_change(tmp_path: Path) -> None:
    """The same group as long as they stay the same; one of several is named; a directory counts as its files."""
    text = FILES["scenario-1"].read_text()
    path = tmp_path / "lanes.yaml"
    path.write_text(text)
    first = one_group((path,), None)
    assert one_group((path,), "test") is first
    assert one_group((tmp_path,), None) == first
    path.write_text(text.replace("my-trace-id", "my-other-id"))
    os.utime(path, ns=(1, 1))
    assert one_group((path,), None).trace_header == "my-other-id"
    (tmp_path / "more.yaml").write_text(text.replace("name: test", "name: more").replace("group: test", "group: more"))
    assert one_group((tmp_path,), "more").name == "more"
    with pytest.raises(
        MeshError, match=r"the files hold the lane groups (test, more|more, test); name one of them with group="
    ):
        one_group((tmp_path,), None)
    with pytest.raises(MeshError, match="name one of them"):
        one_group((path,), "elsewhere")
