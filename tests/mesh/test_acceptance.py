"""ASM's documented chains, through both engines, with services in Flask and requests, in FastAPI and httpx, and mixed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mesh.chain import ACCEPTANCE, EXPECTED, MIXTURES, declare, instrument, pairs, printed

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

pytestmark = [
    pytest.mark.parametrize("mesh_engine", ["inprocess", "sockets", "envoy"]),
    pytest.mark.parametrize("mixture", MIXTURES),
]


@pytest.fixture
def mesh(mesh: Mesh, mixture: str) -> Mesh:
    """The whole chain, without lanes yet."""
    declare(mesh, mixture)
    return mesh


@pytest.mark.parametrize("scenario", ["scenario-1", "scenario-2", "service-fallback"])
def test_a_request_takes_the_documented_chain(mesh: Mesh, scenario: str) -> None:
    """Each case of trace-ID mode, custom-header mode and per-service fallback; services print the hops that were recorded."""
    mesh.load(ACCEPTANCE / scenario / "lanes.yaml")
    instrument(mesh)
    for case in EXPECTED[scenario]["cases"]:
        call = mesh.get("/mock", headers=case["headers"])
        assert call.path == pairs(case["chain"]), call.tree
        assert call.text == printed(case["chain"])
        assert call.lost_at is None


def test_strict_mode_needs_no_header(mesh: Mesh) -> None:
    """Nothing is instrumented, and each lane's chain stays in its lane by the callers' labels."""
    mesh.load(ACCEPTANCE / "strict" / "lanes.yaml")
    for case in EXPECTED["strict"]["cases"]:
        call = mesh.get("/mock", headers=case["headers"])
        assert call.path == pairs(case["chain"]), call.tree
        assert call.text == printed(case["chain"])


def test_without_forwarding_the_lane_is_lost_where_documented(mesh: Mesh) -> None:
    """Nothing is instrumented: the hops are linked all the same, and the first without the lane is named."""
    mesh.load(ACCEPTANCE / "scenario-1" / "lanes.yaml")
    mesh.allow_lost("mockb")
    for case in EXPECTED["scenario-1"]["without_forwarding"]:
        call = mesh.get("/mock", headers=case["headers"])
        assert call.path == pairs(case["chain"]), call.tree
        assert call.lost_at == case["lost_at"]
        assert "lane lost: mocka was serving lane s2" in call.tree


def test_weights_share_requests_out_and_never_mix_chains(mesh: Mesh, mixture: str) -> None:
    """1000 requests in baggage mode, weights 60/20/20: each share within three standard deviations, no other chain.

    One mixture gets all of them, the others 200 to keep the run short.
    """
    mesh.load(ACCEPTANCE / "scenario-3" / "lanes.yaml")
    instrument(mesh)
    [case] = EXPECTED["scenario-3"]["cases"]
    total = case["requests"] if mixture == "fastapi" else 200
    seen = Counter(tuple(mesh.get("/mock").path) for _ in range(total))
    for one in case["shares"]:
        share = one["share"]
        deviation = (total * share * (1 - share)) ** 0.5
        assert abs(seen.pop(tuple(pairs(one["chain"]))) - total * share) <= 3 * deviation
    assert not seen
