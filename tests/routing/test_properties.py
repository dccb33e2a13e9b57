"""The router against the plain version of the same rules, on random lane groups, requests and health."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanebaggage.routing import Decision, LaneGroup, Request, Router, RoutingError, TraceMemory
from lanebaggage.routing.ingress import Rule
from lanebaggage.routing.plans import Planner, Service
from routing import reference
from routing.lane_groups import LANES, down, lane_groups, lanes, requests


def answer_of(decision: Decision) -> reference.Answer:
    return reference.Answer(decision.lane, decision.target, decision.status, decision.fallback, dict(decision.set_headers))


@settings(max_examples=300)
@given(
    group=lane_groups(),
    request=requests,
    gone=down,
    remembered=st.dictionaries(st.sampled_from(["t1", "t2"]), st.sampled_from(LANES)),
    source=st.sampled_from([None, "nobody", *LANES]),
)
def test_hop(group: LaneGroup, request: Request, gone: set, remembered: dict[str, str], source: str | None) -> None:
    """A hop goes where the plain version sends it, in every mode, whatever the request holds."""
    memory = TraceMemory()
    for trace, lane in remembered.items():
        memory.remember(trace, lane, 0.0)

    def available(service: str, lane: str) -> bool:
        return (service, lane) not in gone

    router = Router(group)
    for service in group.services:
        expected = reference.route(group, service, request, available, remembered, source)
        label = reference.label(group, service)
        for name in (label, str(service), service.host.upper(), f"{service.name}.{service.namespace}:8000"):
            decision = router.route(name, request, source=source, available=available, memory=memory, now=1.0)
            assert answer_of(decision) == expected, str(decision)
            assert decision.service == label


@settings(max_examples=300)
@given(group=lane_groups(), request=requests, gone=down, choice=st.floats(0, 1, exclude_max=True))
def test_gateway(group: LaneGroup, request: Request, gone: set, choice: float) -> None:
    """The gateway decides as the plain version, by rules and by weights."""

    def available(service: str, lane: str) -> bool:
        return (service, lane) not in gone

    decision = Router(group).ingress(request, available=available, choice=choice)
    assert answer_of(decision) == reference.ingress(group, request, available, choice), str(decision)


@settings(max_examples=50)
@given(group=lane_groups(), request=requests)
def test_everything_declared_is_available(group: LaneGroup, request: Request) -> None:
    """Without health a decision is the one for a mesh where all that is declared is healthy."""
    router = Router(group)
    for service in group.services:
        assert router.route(str(service), request) == router.route(str(service), request, available=lambda *_: True)


@settings(max_examples=50)
@given(data=st.data(), group=lane_groups(), request=requests)
def test_changes_are_as_good_as_a_new_router(data: st.DataObject, group: LaneGroup, request: Request) -> None:
    """A router after any replacing and removing of lanes decides as one made of the group that it came to."""
    router = Router(group)
    for _ in range(data.draw(st.integers(1, 3))):
        for service in group.services:
            router.route(str(service), request)
        router.ingress(request)
        name = data.draw(st.sampled_from(LANES))
        try:
            if data.draw(st.booleans()):
                router.remove(name)
            else:
                router.replace(data.draw(lanes(name, list(group.services), weighted=group.strategy == "weighted")))
        except RoutingError:
            continue
        fresh = Router(router.group)
        for service in group.services:
            assert router.route(str(service), request) == fresh.route(str(service), request)
            assert router.route(str(service), request, source="s2") == fresh.route(str(service), request, source="s2")
        assert router.ingress(request, choice=0.5) == fresh.ingress(request, choice=0.5)


@given(
    data=st.data(),
    steps=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(LANES), st.floats(0, 10)), max_size=30),
    size=st.integers(1, 3),
)
def test_trace_memory(data: st.DataObject, steps: list, size: int) -> None:
    """The memory holds the newest entries up to its size, each for its time, and nothing else."""
    memory = TraceMemory(size=size, ttl=5.0)
    kept: list[tuple[str, str, float]] = []
    now = 0.0
    for trace, lane, more in steps:
        now += more
        memory.remember(trace, lane, now)
        kept = [entry for entry in kept if entry[0] != trace] + [(trace, lane, now + 5.0)]
        kept = kept[-size:]
        assert len(memory) <= size
        at = now + data.draw(st.floats(0, 6))
        for each in "abcd":
            expected = [name for known, name, until in kept if known == each and at < until]
            found = memory.recall(each, at)
            assert found == (expected[0] if expected else None)
            if found is None:
                kept = [entry for entry in kept if entry[0] != each]


@given(
    service=st.text(max_size=300),
    headers=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=50)), max_size=5),
    path=st.text(max_size=50),
)
def test_nothing_in_a_request_raises(service: str, headers: list, path: str) -> None:
    """Whatever a request holds, a decision comes out, and its text has no control characters."""
    router = Router(LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"], "s2": ["mocka"]}, trace_header="baggage"))
    request = Request(path=path, headers=headers)
    for decision in (router.route(service, request), router.route("mocka", request), router.ingress(request)):
        assert str(decision).isprintable()


def test_lanes_keep_what_they_share() -> None:
    """Replacing a lane leaves the other lanes' compiled parts in place, unless they fall back to it."""
    router = Router(LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"], "s2": ["mocka"], "s3": ["mocka"]}))
    requests_of = {lane: Request(headers=[("x-asm-prefer-tag", lane)]) for lane in ("s1", "s2", "s3")}

    def compiled() -> dict[str, list]:
        return {lane: [router.route("mocka", request), *router._compiled.rules[lane]] for lane, request in requests_of.items()}

    def same(before: dict[str, list]) -> list[str]:
        after = compiled()
        return [lane for lane in after if all(new is old for new, old in zip(after[lane], before[lane], strict=True))]

    before = compiled()
    router.replace(replace(router.group.lane("s2"), selector={"version": "v4"}))
    assert same(before) == ["s1", "s3"]
    before = compiled()
    router.replace(replace(router.group.lane("s1"), selector={"version": "v5"}))
    assert same(before) == []


@pytest.mark.parametrize("lanes", [2, 50])
def test_what_a_change_compiles(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lanes there are, replacing one compiles its rule and, when they are asked for, its plans: no other's."""
    names = [f"s{number}" for number in range(lanes)]
    router = Router(LaneGroup.simple(baseline="s0", lanes={name: ["mocka"] for name in names}))
    requests_of = [Request(headers=[("x-asm-prefer-tag", name)]) for name in names]

    def ask() -> list[Decision]:
        return [decide for each in requests_of for decide in (router.route("mocka", each), router.ingress(each))]

    before = ask()
    compiled: list[str] = []
    original = Rule.__init__, Planner.in_lane

    def rule(self: Rule, *args) -> None:
        compiled.append(f"rule {args[1]}")
        original[0](self, *args)

    def plan(self: Planner, service: Service, lane: str, *args):
        compiled.append(f"plan {lane}")
        return original[1](self, service, lane, *args)

    monkeypatch.setattr(Rule, "__init__", rule)
    monkeypatch.setattr(Planner, "in_lane", plan)
    ask()
    assert compiled == []
    router.replace(replace(router.group.lane("s1"), selector={"version": "v9"}))
    assert compiled == ["rule s1"]
    assert ask() == before
    assert compiled == ["rule s1", "plan s0", "plan s1", "plan s1"]  # the baseline's is for what no rule matches
