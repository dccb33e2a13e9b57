"""Istio's routes against a plain version that reads the YAML once more, looping over everything at each request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lanebaggage.routing import Request, RouteTable
from lanebaggage.routing.documents import documents
from lanebaggage.routing.istio import read_routes
from lanebaggage.routing.overlap import hides_route
from routing.reference import header

if TYPE_CHECKING:
    from lanebaggage.routing import Decision

SUBSETS = {"s1": {"version": "v1"}, "s2": {"version": "v2", "tier": "b"}}
HOST = "mocka.default.svc.cluster.local"

# --- random resources, as YAML has them

texts = st.one_of(
    st.builds(lambda text: {"exact": text}, st.sampled_from(["s1", "s2", "S2", "dev", ""])),
    st.builds(lambda text: {"prefix": text}, st.sampled_from(["s", "S", "d"])),
    st.builds(lambda text: {"regex": text}, st.sampled_from(["s[12]", ".*", "dev|qa"])),
    st.just({}),
)
paths = st.sampled_from([{"exact": "/mock"}, {"exact": "/Mock"}, {"prefix": "/m"}, {"prefix": "/"}, {"regex": "/v[0-9]"}])
headers = st.dictionaries(st.sampled_from(["x-lane", "x-lane", "x-user"]), texts, min_size=1, max_size=2)
conditions = st.one_of(
    st.builds(lambda path: {"uri": path}, paths),
    st.builds(lambda path: {"uri": path, "ignoreUriCase": True}, paths),
    st.builds(lambda condition: {"method": condition}, st.sampled_from([{"exact": "GET"}, {"regex": "P.*"}])),
    st.builds(lambda each: {"headers": each}, headers),
    st.builds(lambda each: {"withoutHeaders": each}, headers),
    st.builds(lambda condition: {"queryParams": {"lane": condition}}, texts),
    st.builds(lambda labels: {"sourceLabels": labels}, st.sampled_from([{"version": "v1"}, {"tier": "b"}, {}])),
    st.builds(lambda each: {"gateways": each}, st.sampled_from([["mesh"], ["g"], ["mesh", "g"], ["istio-system/g"]])),
)
matches = st.lists(conditions, min_size=1, max_size=2).map(
    lambda each: {name: value for one in each for name, value in one.items()}
)
targets = st.fixed_dictionaries(
    {"host": st.sampled_from(["mocka", HOST])}, optional={"subset": st.sampled_from(["s1", "s2", "s9"])}
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "set": st.dictionaries(st.sampled_from(["x-lane", "X-Via"]), st.sampled_from(["s1", "s2"]), max_size=2),
        "add": st.dictionaries(st.sampled_from(["x-seen"]), st.just("a"), max_size=1),
        "remove": st.lists(st.sampled_from(["X-Debug"]), max_size=1),
    },
).map(lambda request: {"request": request})
fallbacks = st.one_of(
    st.builds(lambda target: {"target": target}, targets),
    st.lists(targets, min_size=1, max_size=2).map(lambda each: {"targets": [{"destination": target} for target in each]}),
)
destinations = st.fixed_dictionaries(
    {"destination": targets},
    optional={"weight": st.sampled_from([0, 20, 80]), "headers": changes, "fallback": fallbacks},
)
routes = st.fixed_dictionaries(
    {"route": st.lists(destinations, min_size=1, max_size=2), "match": st.lists(matches, min_size=1, max_size=2)},
    optional={"headers": changes},
)
others = st.fixed_dictionaries({"route": st.lists(destinations, min_size=1, max_size=3)})
"""Of every request; rare, since it hides all that comes after it."""
route_lists = st.builds(
    lambda some, last: [{"name": f"r{at}", **route} for at, route in enumerate([*some, *last])],
    st.lists(routes, min_size=2, max_size=6),
    st.lists(others, max_size=1),
)
requests = st.builds(
    Request,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/mock", "/MOCK", "/v2", "/mock?lane=s2", "/?Lane=dev&lane=s1"]),
    st.just("shop.example"),
    st.lists(
        st.tuples(
            st.sampled_from(["x-lane", "X-Lane", "x-user"]),
            st.sampled_from(["s1", "s2", "S2", " s2\t", "", "dev", "qa", "s1,s2"]),
        ),
        max_size=3,
    ),
)
healthy = st.sets(st.sampled_from(["s1", "s2"]))


def table(http: list[dict[str, Any]], gateways: list[str]) -> RouteTable:
    virtual = {"hosts": ["mocka", "shop.example"], "gateways": gateways, "http": http}
    rule = {"host": "mocka", "subsets": [{"name": name, "labels": labels} for name, labels in SUBSETS.items()]}
    objects = [
        {"kind": kind, "metadata": {"name": "a"}, "spec": spec}
        for kind, spec in (("VirtualService", virtual), ("DestinationRule", rule))
    ]
    findings: list = []
    found = read_routes(documents(yaml.safe_dump_all(objects)), findings, "x-lane")
    assert [finding for finding in findings if finding.severity == "error"] == []
    return found


# --- the plain version


def meets(condition: dict[str, str], text: str | None) -> bool:
    if text is None:
        return False
    for kind, value in condition.items():
        if kind == "exact":
            return text == value
        return text.startswith(value) if kind == "prefix" else re.fullmatch(value, text) is not None
    return True


def parameter(request: Request, name: str) -> str | None:
    for pair in request.path.partition("?")[2].split("&"):
        if pair.split("=")[0] == name:
            return pair.partition("=")[2]
    return None


def wanted(match: dict[str, Any], request: Request, labels: dict[str, str] | None) -> bool:
    path = request.path.split("?")[0]
    uri = match.get("uri", {})
    if match.get("ignoreUriCase") and not uri.get("regex"):
        path, uri = path.lower(), {kind: value.lower() for kind, value in uri.items()}
    here = ["mesh"] if labels is not None else ["default/g"]
    if "gateways" in match and not any(
        (each if "/" in each or each == "mesh" else f"default/{each}") in here for each in match["gateways"]
    ):
        return False
    wants = match.get("sourceLabels", {})
    if wants and (labels is None or any(labels.get(name) != value for name, value in wants.items())):
        return False
    return (
        meets(uri, path)
        and meets(match.get("method", {}), request.method)
        and all(meets(condition, header(request, name)) for name, condition in match.get("headers", {}).items())
        and not any(meets(condition, header(request, name)) for name, condition in match.get("withoutHeaders", {}).items())
        and all(meets(condition, parameter(request, name)) for name, condition in match.get("queryParams", {}).items())
    )


def is_catch_all(match: dict[str, Any]) -> bool:
    plain = {name: value for name, value in match.items() if value not in ({}, False)}
    return plain in ({}, {"uri": {"prefix": "/"}})


def decided(http: list[dict[str, Any]], request: Request, labels: dict[str, str] | None, up: set[str], choice: float) -> tuple:
    """Status, target, rule and the changes of headers."""
    for route in http:
        if "match" in route and not any(wanted(match, request, labels) for match in route["match"]):
            if any(map(is_catch_all, route["match"])):
                break
            continue
        shares = route["route"]
        slots = [each for each in shares for _ in range(each.get("weight", 0))] if len(shares) > 1 else shares
        if not slots:
            return 503, None, route["name"], {}, {}, []
        chosen = slots[int(choice * len(slots))]
        fallback = chosen.get("fallback", {})
        others = [fallback["target"]] if "target" in fallback else [each["destination"] for each in fallback.get("targets", [])]
        status, target = 503, None
        for each in (chosen["destination"], *others):
            subset = each.get("subset")
            if (subset is None and up) or subset in up:
                status, target = 200, subset
                break
        asked = [each.get("headers", {}).get("request", {}) for each in (chosen, route)]
        sets = {name.lower(): value for each in asked for name, value in each.get("set", {}).items()}
        adds = {name: value for each in asked for name, value in each.get("add", {}).items()}
        return status, target, route["name"], sets, adds, [name.lower() for each in asked for name in each.get("remove", [])]
    return 404, None, None, {}, {}, []


def essence(found: Decision) -> tuple:
    changed = dict(found.set_headers), dict(found.add_headers), list(found.remove_headers)
    return (found.status, found.target, found.rule, *changed)


@settings(max_examples=400)
@given(route_lists, requests, st.sampled_from([{}, *SUBSETS.values()]), healthy, st.floats(0, 1, exclude_max=True))
def test_hop(http: list[dict[str, Any]], request: Request, labels: dict[str, str], up: set[str], choice: float) -> None:
    """A hop takes the first route that matches, the destination of its number, and ASM's fallback where that is down."""
    router = table(http, ["mesh"])
    found = router.route("mocka", request, source_labels=labels, available=lambda _, lane: lane in up, choice=choice)
    assert essence(found) == decided(http, request, labels, up, choice), str(found)


@settings(max_examples=200)
@given(route_lists, requests, healthy, st.floats(0, 1, exclude_max=True))
def test_gateway(http: list[dict[str, Any]], request: Request, up: set[str], choice: float) -> None:
    """The same at a gateway, which has no caller's labels."""
    router = table(http, ["g"])
    found = router.ingress(request, available=lambda _, lane: lane in up, choice=choice, gateway="default/g")
    assert essence(found) == decided(http, request, None, up, choice), str(found)


@settings(max_examples=500)
@given(matches, matches, st.lists(requests, min_size=30, max_size=30))
def test_hiding(first: dict[str, Any], more: dict[str, Any], many: list[Request]) -> None:
    """A route that is said to hide another matches every request that the other matches."""
    for second in (more, {**more, **first}):
        http = [{"match": [match], "redirect": {}} for match in (first, second)]
        hidden = hides_route(*table(http, ["mesh"]).hosts[0].routes)
        for request in many if hidden else ():
            for labels in ({}, *SUBSETS.values()):
                assert wanted(first, request, labels) or not wanted(second, request, labels)
