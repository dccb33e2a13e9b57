"""What the sidecars of the embedded engines know, each for itself: the lane of each trace ID that arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import lanebaggage
from mesh.chain import ACCEPTANCE, EXPECTED, declare, instrument, pairs

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

pytestmark = pytest.mark.parametrize("mesh_engine", ["inprocess", "sockets"])


def test_the_trace_id_alone_keeps_the_lane(mesh: Mesh) -> None:
    """Services that forward nothing but the trace header stay in their lane: each sidecar restores the route header."""
    declare(mesh)
    mesh.load(ACCEPTANCE / "scenario-1" / "lanes.yaml")
    lanebaggage.auto_instrument(route_header="x-of-somebody-else", trace_header="my-trace-id")
    for case in EXPECTED["scenario-1"]["cases"]:
        call = mesh.get("/mock", headers=case["headers"])
        assert call.path == pairs(case["chain"]), call.tree
        lane = case["headers"]["x-asm-prefer-tag"]
        assert [hop.request_headers.getall("x-asm-prefer-tag") for hop in call.hops] == [[lane]] * 3


def test_each_sidecar_remembers_trace_ids_for_itself(mesh: Mesh) -> None:
    """A trace ID that passed through mocka, mockb and mockc is known to their sidecars, and to no other's."""
    declare(mesh)
    mesh.lanes(baseline="s1", s1="v1", s2="v2", trace_header="my-trace-id")
    instrument(mesh)
    call = mesh.get("mocka", "/", lane="s2", headers={"my-trace-id": "x1"})
    assert [hop.lane for hop in call.hops] == ["s2"] * 3
    known = [str(one) for one in mesh.topology.instances if one.memory.recall("x1", 0.0) == "s2"]
    assert known == ["mocka v2", "mockb v2", "mockc v2"]
    assert mesh.get("mockb", "/", headers={"my-trace-id": "x1"}).hops[0].lane is None
    mesh.lanes(baseline="s1", s1="v1", trace_header="my-trace-id")
    assert not any(len(one.memory) for one in mesh.topology.instances)
