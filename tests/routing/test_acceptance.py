"""The acceptance cases of tests/acceptance, decided by the router alone: what forwards headers is played in a few lines."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from lanebaggage.routing import LaneGroup, Request, Router, TraceMemory, load

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"
EXPECTED = {name: each for name, each in json.loads((ACCEPTANCE / "expected.json").read_text()).items() if name != "about"}
CALLS = {"mocka": "mockb", "mockb": "mockc"}


def version(group: LaneGroup, lane: str) -> str:
    return group.lane(lane).selector["ASM_TRAFFIC_TAG"]


class Chain:
    """Plays gateway, sidecars and services: each instance's sidecar has its memory, a service forwards the trace header."""

    def __init__(self, group: LaneGroup, *, forwards: bool = True) -> None:
        self.group = group
        self.router = Router(group)
        self.forwarded = {group.trace_header} if forwards else set()
        self.memories: dict[tuple[str, str], TraceMemory] = {}

    def send(self, headers: dict[str, str], choice: float | None = None) -> list[list[str]]:
        request = Request(path="/mock", host="gateway.example", headers=list(headers.items()))
        decision = self.router.ingress(request, choice=choice)
        hops = []
        while True:
            assert decision.ok, str(decision)
            headers = {**headers, **decision.set_headers}
            hops.append([decision.service, version(self.group, decision.target)])
            memory = self.memories.setdefault((decision.service, decision.target), TraceMemory())
            self.router.arrived(Request(headers=list(headers.items())), memory, 0.0)
            if decision.service not in CALLS:
                return hops
            headers = {name: value for name, value in headers.items() if name.lower() in self.forwarded}
            outbound = Request(headers=list(headers.items()))
            decision = self.router.route(CALLS[decision.service], outbound, source=decision.target, memory=memory)


CASES = [(folder, case) for folder, expected in EXPECTED.items() for case in expected["cases"] if "chain" in case]


@pytest.mark.parametrize(("folder", "case"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_each_expected_chain(folder: str, case: dict) -> None:
    """Every request of the acceptance data goes through the services and versions that it lists."""
    (group,) = load(ACCEPTANCE / folder / "lanes.yaml")
    assert Chain(group, forwards=folder != "strict").send(case["headers"]) == case["chain"]


def test_without_forwarding_the_lane_is_lost() -> None:
    """A chain whose services forward nothing leaves the lane after the first service, as the data says."""
    (group,) = load(ACCEPTANCE / "scenario-1" / "lanes.yaml")
    (case,) = EXPECTED["scenario-1"]["without_forwarding"]
    assert Chain(group, forwards=False).send(case["headers"]) == case["chain"]


def test_weighted_shares() -> None:
    """Seeded choices come out within three sigma of each share, and no request mixes two lanes' chains."""
    (group,) = load(ACCEPTANCE / "scenario-3" / "lanes.yaml")
    (case,) = EXPECTED["scenario-3"]["cases"]
    chain = Chain(group)
    choices = random.Random(20)
    seen = Counter(json.dumps(chain.send(case["headers"], choices.random())) for _ in range(case["requests"]))
    shares = {json.dumps(each["chain"]): each["share"] for each in case["shares"]}
    assert set(seen) == set(shares)
    for hops, share in shares.items():
        sigma = (case["requests"] * share * (1 - share)) ** 0.5
        assert abs(seen[hops] - case["requests"] * share) <= 3 * sigma


@pytest.mark.parametrize("folder", EXPECTED)
def test_mode(folder: str) -> None:
    """Each folder's group has the mode that the data names."""
    (group,) = load(ACCEPTANCE / folder / "lanes.yaml")
    assert EXPECTED[folder]["mode"].startswith(group.mode)
