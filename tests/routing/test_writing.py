"""Writing: ASM's resources read back to the same group, Istio's and Gateway API's decide as the router does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lanebaggage.routing import (
    Decision,
    IngressRule,
    IngressWeight,
    Lane,
    LaneGroup,
    Match,
    Request,
    Router,
    RouteTable,
    ServiceRef,
    StringMatch,
    load,
    load_text,
)
from lanebaggage.routing.asm_write import write_asm
from lanebaggage.routing.documents import documents
from lanebaggage.routing.gateway_api_write import write_gateway_api
from lanebaggage.routing.istio import read_routes
from lanebaggage.routing.istio_write import write_istio
from lanebaggage.routing.regroup import group_of
from routing.lane_groups import LANES, down, lane_groups, requests

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"
FOLDERS = ["scenario-1", "scenario-2", "scenario-3", "service-fallback", "strict"]


def table_of(text: str, route_header: str = "") -> RouteTable:
    findings: list = []
    found = read_routes(documents(text), findings, route_header)
    assert [str(finding) for finding in findings if finding.code != "header-capitals"] == []
    return found


def essence(decision: Decision) -> tuple:
    """What two routers have to agree on: an error's service is nobody's business."""
    return (decision.status, decision.target, decision.ok and decision.service)


@settings(max_examples=100)
@given(lane_groups())
def test_asm_reads_back(group: LaneGroup) -> None:
    """Every lane group reads back from ASM's resources as it was."""
    assert load_text(write_asm([group, replace(group, name="other")])) == [group, replace(group, name="other")]


@settings(max_examples=100)
@given(
    group=lane_groups(trace_headers=("x-lane", "baggage")), request=requests, source=st.sampled_from([None, *LANES]), gone=down
)
def test_istio_decides_alike(group: LaneGroup, request: Request, source: str | None, gone: set) -> None:
    """Written for Istio a lane group sends every hop where the router does; when unhealthy, with ASM's fallback only."""
    router = Router(group)
    for asm_fallback in (False, True):
        table = table_of(write_istio([group], asm_fallback=asm_fallback), group.route_header)

        def available(service: str, lane: str, health: bool = asm_fallback) -> bool:
            return not health or (service, lane) not in gone

        if set("%,") & set(request.value("baggage") or ""):
            continue  # two members, and escapes, are what a regex on baggage cannot tell apart
        for service in group.services:
            expected = router.route(str(service), request, source=source, available=available)
            found = table.route(str(service), request, source=source, available=available)
            if any(lane.has(service) for lane in group.lanes):
                assert essence(found) == essence(expected), f"{expected} | {found}"
                lane = expected.lane if expected.lane in table.lanes else None
                assert group.mode != "custom header" or not found.ok or found.lane == lane


@settings(max_examples=100)
@given(group=lane_groups(trace_headers=("x-lane",)), request=requests, choice=st.floats(0, 1, exclude_max=True))
def test_istio_enters_alike(group: LaneGroup, request: Request, choice: float) -> None:
    """At the gateway the written routes pick the lane, the entry and the header that the router picks."""
    expected = Router(group).ingress(request, choice=choice)
    found = table_of(write_istio([group]), group.route_header).ingress(request, choice=choice)
    assert (found.status, found.target) == (expected.status, expected.target), f"{expected} | {found}"
    if expected.ok:
        assert found.set_headers == expected.set_headers


@settings(max_examples=60)
@given(group=lane_groups(permissive=True, trace_headers=("x-lane",)), request=requests)
def test_gateway_api_decides_alike(group: LaneGroup, request: Request) -> None:
    """Written for Gateway API a lane group sends every hop where the router sends it; its 503 is a 500 there."""
    table = table_of(write_gateway_api([group]), group.route_header)
    for service in group.services:
        expected = Router(group).route(str(service), request)
        found = table.route(str(service), request)
        assert (found.ok, found.target) == (expected.ok, expected.target), f"{expected} | {found}"


@settings(max_examples=60)
@given(data=st.data(), group=lane_groups(trace_headers=("x-lane",)), request=requests, choice=st.floats(0, 1, exclude_max=True))
def test_gateway_api_enters_lanes(data: st.DataObject, group: LaneGroup, request: Request, choice: float) -> None:
    """At the gateway, HTTPRoutes pick what disjoint rules or weights pick; their order, where it matters, cannot be said."""
    paths = st.sampled_from([None, StringMatch("exact", "/mock"), StringMatch("prefix", "/")])

    def disjoint(lane: Lane) -> Lane:
        match = Match(data.draw(paths), (("x-lane", StringMatch("exact", lane.name)),))
        rule = IngressRule(lane.name, data.draw(st.sampled_from(group.services)), match, ("*",), data.draw(st.booleans()))
        return replace(lane, rules=() if group.strategy == "weighted" else (rule,))

    group = replace(group, lanes=tuple(map(disjoint, group.lanes)), weighted_matches=())
    for lane in group.lanes:  # a Service that is not there is an error of the cluster, which is not in the file
        entry = lane.weight.destination if lane.weight is not None else None
        assume(entry is None or lane.has(entry) or group.lane(group.fallback(entry)).has(entry))
    expected = Router(group).ingress(request, choice=choice)
    found = table_of(write_gateway_api([group]), group.route_header).ingress(request, choice=choice)
    if group.permissive or expected.ok:  # in strict mode a lane is no Service's parent there, only its backend
        assert found.ok == expected.ok, f"{expected} | {found}"
        assert not found.ok or found.set_headers == expected.set_headers
    if group.permissive:
        assert found.target == expected.target, f"{expected} | {found}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_gateway_api_enters_alike(folder: str) -> None:
    """The acceptance groups enter their lanes by HTTPRoutes as by lane rules."""
    (group,) = load(ACCEPTANCE / folder / "lanes.yaml")
    table = table_of(write_gateway_api([group]), group.route_header)
    for lane in (*group.lanes, None):
        request = Request(path="/mock", headers=[(group.route_header or "x-asm-prefer-tag", lane.name)] if lane else [])
        for choice in (0.1, 0.7, 0.9):
            expected = Router(group).ingress(request, choice=choice)
            found = table.ingress(request, choice=choice)
            assert found.status == expected.status
            assert group.mode == "strict" or (found.target, found.lane) == (expected.target, expected.lane)


@settings(max_examples=60)
@given(lane_groups(permissive=True, trace_headers=("x-lane",)))
def test_a_group_comes_back_from_istio(group: LaneGroup) -> None:
    """Services, lanes, labels and the baseline of a group come back from the routes that were written of it."""
    table = table_of(write_istio([group]), "x-lane")
    assume(table.lanes)
    found = group_of(table, [], "test")
    assert set(found.services) == set(group.services)
    for lane in group.lanes:
        if any(lane.has(service) for service in group.services):
            again = found.lane(lane.name)
            assert again.selector == lane.selector
            assert all(again.has(service) == lane.has(service) for service in group.services)


@pytest.mark.parametrize("folder", ["scenario-2", "scenario-3", "service-fallback", "strict"])
def test_an_acceptance_group_comes_back_whole(folder: str) -> None:
    """Rules, weights, fallbacks and headers come back too where lanes have no condition that only regexes can say."""
    (group,) = load(ACCEPTANCE / folder / "lanes.yaml")
    findings: list = []
    listed = tuple(replace(lane, services=lane.services or group.services) for lane in group.lanes)
    assert group_of(table_of(write_istio([group])), findings, "test") == replace(group, lanes=listed)
    assert findings == []


def test_what_no_lane_group_can_say_is_a_finding() -> None:
    """A route with a condition that lane rules do not have is left out, and said so."""
    (group,) = load(ACCEPTANCE / "scenario-2" / "lanes.yaml")
    text = write_istio([group]).replace(
        "    - uri:\n        exact: /mock\n      headers:\n        my-trace-id:\n          exact: s2\n",
        "    - method: {exact: POST}\n",
    )
    findings: list = []
    found = group_of(table_of(text), findings)
    assert found.lane("s2").rules == ()
    (finding,) = findings
    assert (finding.code, finding.severity) == ("lost", "warning")
    assert "route r-s2 has a condition on method" in str(finding)


ROUTE = "    match:\n    - headers:\n        x-asm-prefer-tag:\n          exact: s2\n"
CALLER = "    match:\n    - sourceLabels:\n        ASM_TRAFFIC_TAG: s2\n"
REFUSAL = "    directResponse:\n      status: 503\n      body:\n        string: mocka is not in this lane\n"


@pytest.mark.parametrize(
    ("permissive", "old", "new", "says"),
    [
        (
            True,
            ROUTE,
            ROUTE + "      uri: {prefix: /v2}\n      method: {exact: GET}\n",
            "route lane-s2 of lanes-mocka is about uri, method",
        ),
        (True, ROUTE, ROUTE.replace("x-asm-prefer-tag:", "x-user: {}\n        x-asm-prefer-tag:"), "about other headers"),
        (
            True,
            ROUTE,
            ROUTE + "      queryParams: {a: {}}\n      sourceLabels: {a: b}\n",
            "about query parameters, source labels",
        ),
        (False, CALLER, CALLER + "      authority: {exact: a}\n", "about authority"),
        (False, REFUSAL, "    route: [{destination: {host: mocka, subset: s1}}]\n", "about callers outside every lane"),
    ],
)
def test_what_sidecars_go_by_besides_the_lane_is_a_finding(permissive: bool, old: str, new: str, says: str) -> None:
    """Conditions inside the mesh that a lane group does not have are not dropped in silence."""
    group = LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"], "s2": ["mocka"]}, permissive=permissive)
    text = write_istio([group])
    assert old in text
    findings: list = []
    assert group_of(table_of(text.replace(old, new, 1)), findings).permissive is permissive
    (finding,) = findings
    assert says in str(finding)


def comments(text: str) -> str:
    return " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))


SERVICES = (ServiceRef("mocka"), ServiceRef("mockb"))
SIMPLE = LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"], "s2": ["mocka"], "s3": ["mockb"]})
PREFIX = replace(SIMPLE.lane("s2").rules[0], match=Match(StringMatch("prefix", "/v2")))
WEIGHT = IngressWeight(ServiceRef("mockb"), 100)
NAMED = LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"], "A.b": ["mocka"]})
NOT_SAID = [
    (write_istio, SIMPLE, "fall back where a subset has no healthy endpoint"),
    (write_istio, replace(SIMPLE, trace_header="t"), "remember the lane of a trace ID"),
    (write_istio, replace(SIMPLE, trace_header="baggage"), "replace one member of baggage"),
    (
        write_istio,
        replace(SIMPLE, permissive=False, lanes=(replace(SIMPLE.lane("s1"), selector={}),)),
        "who is in lane s1, which has no labelSelector",
    ),
    (write_gateway_api, SIMPLE, "fall back where a lane has no healthy endpoint"),
    (write_gateway_api, replace(SIMPLE, trace_header="t"), "remember the lane of a trace ID"),
    (write_gateway_api, replace(SIMPLE, trace_header="baggage"), "replace one member of baggage"),
    (write_gateway_api, replace(SIMPLE, trace_header="baggage"), "read baggage only where the route header is absent"),
    (write_gateway_api, replace(SIMPLE, permissive=False), "route by the lane of the caller"),
    (write_gateway_api, SIMPLE, "first rule first"),
    (write_gateway_api, SIMPLE, "503 for lane s2, which lacks mockb"),
    (write_gateway_api, replace(SIMPLE, lanes=(replace(SIMPLE.lane("s1"), rules=(PREFIX,)),)), "a prefix of text. /v2"),
    (
        write_gateway_api,
        replace(
            SIMPLE, permissive=False, strategy="weighted", lanes=(SIMPLE.lane("s1"), replace(SIMPLE.lane("s2"), weight=WEIGHT))
        ),
        "503 for lane s2, which lacks mockb",
    ),
    (write_istio, NAMED, "a subset named A.b"),
    (write_gateway_api, NAMED, "a Service named mocka-A.b"),
]


@pytest.mark.parametrize(("write", "group", "says"), NOT_SAID, ids=[f"{row[0].__name__} {row[2][:30]}" for row in NOT_SAID])
def test_what_cannot_be_said_is_a_comment(write, group: LaneGroup, says: str) -> None:
    """Where the format cannot say a thing, a comment stands there."""
    assert says in comments(write([group]))


def test_what_can_be_said_has_no_comment() -> None:
    """With ASM's fallback, and nothing that a sidecar must remember or edit, all is said."""
    assert comments(write_istio([SIMPLE], asm_fallback=True)) == ""
    assert comments(write_istio([replace(SIMPLE, permissive=False)])) == ""
    alone = LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"]})
    assert comments(write_gateway_api([alone])).count("cannot say") == 1


def test_what_is_written_for_istio() -> None:
    """Subsets are the lanes that have the service; routes of others go to the fallback target, and 503 where none has it."""
    group = replace(SIMPLE, service_fallback={ServiceRef("mocka"): "s2"})
    written = {
        (each["kind"], each["metadata"]["name"]): each["spec"]
        for each in yaml.safe_load_all(write_istio([group], asm_fallback=True))
    }
    assert [subset["name"] for subset in written["DestinationRule", "lanes-mockb"]["subsets"]] == ["s3"]
    routes = {route["name"]: route for route in written["VirtualService", "lanes-mocka"]["http"]}
    assert routes["lane-s3"]["route"][0]["destination"]["subset"] == "s2"
    assert routes["baseline"]["route"][0]["fallback"]["target"]["subset"] == "s2"
    routes = {route["name"]: route for route in written["VirtualService", "lanes-mockb"]["http"]}
    assert routes["lane-s2"] == {
        "name": "lane-s2",
        "match": [{"headers": {"x-asm-prefer-tag": {"exact": "s2"}}}],
        "directResponse": {"status": 503, "body": {"string": "mockb is not in this lane"}},
    }
    assert written["VirtualService", "lanes-ingress"]["gateways"] == ["istio-system/ingressgateway"]


def test_hosts_of_rules() -> None:
    """Rules with hosts of their own keep them: as authority for Istio, as routes of their own for Gateway API."""
    rule = replace(SIMPLE.lane("s2").rules[0], hosts=("*.shop.example", "shop.example"))
    group = replace(SIMPLE, lanes=(SIMPLE.lane("s1"), replace(SIMPLE.lane("s2"), rules=(rule,))))
    for write in (write_istio, write_gateway_api):
        table = table_of(write([group]), group.route_header)
        for host, lane in [("shop.example:80", "s2"), ("API.shop.example", "s2"), ("other.example", "s1")]:
            request = Request(path="/", host=host, headers=[("x-asm-prefer-tag", "s2")])
            assert table.ingress(request).lane == Router(group).ingress(request).lane == lane


def test_services_of_gateway_api() -> None:
    """Each lane of a service is a Service that selects the service's pods with the lane's labels."""
    text = write_gateway_api([SIMPLE], selectors={ServiceRef("mocka"): {"run": "a"}})
    services = {
        each["metadata"]["name"]: each["spec"]["selector"] for each in yaml.safe_load_all(text) if each["kind"] == "Service"
    }
    assert services == {
        "mocka-s1": {"run": "a", "ASM_TRAFFIC_TAG": "s1"},
        "mocka-s2": {"run": "a", "ASM_TRAFFIC_TAG": "s2"},
        "mockb-s3": {"app": "mockb", "ASM_TRAFFIC_TAG": "s3"},
    }


@pytest.mark.parametrize("lanes", [16, 17, 200])
@pytest.mark.parametrize("trace_header", ["x-lane", "baggage"])
def test_many_lanes_in_gateway_api(lanes: int, trace_header: str) -> None:
    """An HTTPRoute has 16 rules at most, so many lanes need several; they decide as one, whatever order they are read in."""
    names = [f"s{number}" for number in range(lanes)]
    services = {name: ["mocka"] if number % 3 else ["mocka", "mockb"] for number, name in enumerate(names)}
    group = LaneGroup.simple(baseline="s0", lanes=services, trace_header=trace_header, route_header="x-lane")
    objects = list(yaml.safe_load_all(write_gateway_api([group])))
    routes = [each for each in objects if each["kind"] == "HTTPRoute"]
    assert all(len(each["spec"]["rules"]) <= 16 for each in routes)
    assert len({(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in objects}) == len(objects)
    router, table = Router(group), table_of(yaml.safe_dump_all(reversed(objects)), "x-lane")
    for name in (*names, "s999"):
        other = names[-1 if name == "s0" else 0]
        for headers in (
            [("x-lane", name)],
            [("x-lane", name), ("baggage", f"x-lane={other}")],
            [("baggage", f"x-lane={name}")],
        ):
            request = Request(headers=headers)
            for service in ("mocka", "mockb"):
                if name != "s999":  # a route header that names no lane gives way to baggage there
                    assert table.route(service, request).target == router.route(service, request).target
        entering = Request(headers=[("x-lane", name)])
        assert table.ingress(entering).lane == router.ingress(entering).lane


def test_the_gateway_may_send_to_services_of_other_namespaces() -> None:
    """Each namespace with an entry service grants it to the gateway's namespace; that one itself needs no grant."""
    entry = {"mocka": ServiceRef("mocka"), "mockb": ServiceRef("mockb", "istio-system")}
    rules = {
        lane: replace(SIMPLE.lane(lane).rules[0], destination=entry[name]) for lane, name in (("s1", "mocka"), ("s2", "mockb"))
    }
    lanes = tuple(replace(SIMPLE.lane(lane), rules=(rule,), services=None) for lane, rule in rules.items())
    group = replace(SIMPLE, services=tuple(entry.values()), lanes=lanes)
    granted = [each for each in yaml.safe_load_all(write_gateway_api([group])) if each["kind"] == "ReferenceGrant"]
    assert [(each["metadata"]["namespace"], each["spec"]["from"][0]["namespace"]) for each in granted] == [
        ("default", "istio-system")
    ]


def test_conditions_that_istio_refuses() -> None:
    """A prefix or a regex without a character is refused by Istio's webhook, so what it means is written otherwise."""
    match = Match(StringMatch("prefix", ""), (("a", StringMatch("prefix", "")), ("b", StringMatch("regex", ""))))
    rule = replace(SIMPLE.lane("s2").rules[0], match=match)
    group = replace(SIMPLE, lanes=(SIMPLE.lane("s1"), replace(SIMPLE.lane("s2"), rules=(rule,))))
    (ingress,) = [each for each in yaml.safe_load_all(write_istio([group])) if each["metadata"]["name"] == "lanes-ingress"]
    assert ingress["spec"]["http"][1]["match"] == [{"headers": {"a": {}, "b": {"exact": ""}}}]
