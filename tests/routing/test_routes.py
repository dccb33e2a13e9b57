"""Deciding by Istio's and Gateway API's routes: matches, precedence, weights, headers, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lanebaggage.routing import Request, RoutingError, ServiceRef, TraceMemory, load_routes
from lanebaggage.routing.documents import documents
from lanebaggage.routing.explain import explain_routes
from lanebaggage.routing.istio import read_routes

if TYPE_CHECKING:
    from pathlib import Path

    from lanebaggage.routing import RouteTable

RULES = "".join(
    f"""\
kind: DestinationRule
metadata: {{name: {name}}}
spec:
  host: {name}.default.svc.cluster.local
  subsets: [{{name: s1, labels: {{version: v1}}}}, {{name: s2, labels: {{version: v2}}}}, {{name: s3, labels: {{version: v3}}}}]
---
"""
    for name in ("mocka", "mockb")
)
SERVICE = """\
kind: VirtualService
metadata: {name: mocka}
spec:
  hosts: [mocka]
  http:
  - name: two
    match:
    - MATCH
    route: [{destination: {host: mocka, subset: s2}}]
  - name: rest
    route: [{destination: {host: mocka, subset: s1}}]
"""


def table(text: str) -> RouteTable:
    findings: list = []
    found = read_routes(documents(text), findings)
    assert [finding for finding in findings if finding.severity == "error"] == []
    return found


def request(path: str = "/", *headers: tuple[str, str], method: str = "GET", host: str = "") -> Request:
    return Request(method, path, host, headers)


MATCHES = [
    ("headers: {x-user: {exact: dev}}", request("/", ("X-User", " dev ")), request("/", ("x-user", "Dev"))),
    ("headers: {x-user: {prefix: d}}", request("/", ("x-user", "dev")), request()),
    ("headers: {x-user: {regex: 'd.v'}}", request("/", ("x-user", "dev")), request("/", ("x-user", "devs"))),
    ("headers: {x-user: {}}", request("/", ("x-user", "")), request()),
    ("withoutHeaders: {x-user: {}}", request(), request("/", ("x-user", "dev"))),
    ("withoutHeaders: {x-user: {exact: qa}}", request("/", ("x-user", "dev")), request("/", ("x-user", "qa"))),
    (
        "headers: {cookie: {regex: '(.*;)?\\s*lane=s2(;.*)?'}}",
        request("/", ("cookie", "a=1; lane=s2")),
        request("/", ("cookie", "lane=s20")),
    ),
    ("uri: {exact: /mock}", request("/mock?x=1"), request("/mock/")),
    ("uri: {prefix: /v2}", request("/v2x"), request("/v1")),
    ("uri: {regex: '/v[0-9]'}", request("/v2"), request("/v22")),
    ("{uri: {exact: /Mock}, ignoreUriCase: true}", request("/mOCK"), request("/mocks")),
    ("queryParams: {lane: {exact: s2}}", request("/?a=1&lane=s2&lane=s3"), request("/?lane=s3&lane=s2")),
    ("queryParams: {lane: {}}", request("/?lane"), request("/?plane=1")),
    ("method: {exact: POST}", request(method="POST"), request()),
    ("authority: {exact: shop.example}", request(host="shop.example"), request(host="other.example")),
    ("{uri: {exact: /mock}, headers: {x-user: {exact: dev}}}", request("/mock", ("x-user", "dev")), request("/mock")),
    ("{gateways: [mesh], uri: {exact: /mock}}", request("/mock"), request("/")),
]


@pytest.mark.parametrize(("match", "meeting", "missing"), MATCHES, ids=[row[0][:40] for row in MATCHES])
def test_matches(match: str, meeting: Request, missing: Request) -> None:
    """Each condition of a VirtualService is met by the one request and not by the other; the first match wins."""
    router = table(RULES + SERVICE.replace("MATCH", match))
    assert router.route("mocka", meeting).target == "s2"
    assert router.route("mocka", meeting).rule == "two"
    assert router.route("mocka", missing).target == "s1"


def test_matches_are_alternatives_and_gateways_restrict_them() -> None:
    """One of several matches is enough; a match for a gateway is not one for sidecars."""
    either = SERVICE.replace(
        "- MATCH", "- {uri: {exact: /a}}\n    - {uri: {exact: /b}}\n    - {gateways: [g], uri: {exact: /c}}"
    )
    router = table(RULES + either)
    assert [router.route("mocka", request(path)).target for path in ("/a", "/b", "/c")] == ["s2", "s2", "s1"]


def test_source_labels() -> None:
    """In the mesh the caller's labels decide, given as they are or by the caller's lane; a gateway has none of them."""
    router = table(RULES + SERVICE.replace("MATCH", "sourceLabels: {version: v2}"))
    assert router.route("mocka", request(), source_labels={"version": "v2", "app": "x"}).target == "s2"
    assert router.route("mocka", request(), source="s2").target == "s2"
    assert router.route("mocka", request(), source="s1").target == "s1"
    assert router.route("mocka", request()).target == "s1"
    at_gateway = table(
        RULES + SERVICE.replace("MATCH", "sourceLabels: {version: v2}").replace("spec:", "spec:\n  gateways: [g]")
    )
    assert at_gateway.ingress(request(host="mocka")).target == "s1"


WEIGHTS = """\
kind: VirtualService
metadata: {name: entry, namespace: istio-system}
spec:
  hosts: ['*']
  gateways: [ingressgateway]
  http:
  - name: weights
    headers: {request: {set: {X-Via: gateway}, remove: [X-Debug]}}
    route:
    - {destination: {host: mocka.default, subset: s1}, weight: 60, headers: {request: {set: {x-lane: s1}}}}
    - {destination: {host: mocka.default, subset: s2}, weight: 20, headers: {request: {set: {x-lane: s2}, add: {x-seen: a}}}}
    - {destination: {host: mocka.default, subset: s1}, weight: 20, headers: {request: {set: {x-lane: s3}}}}
"""


def test_weights_and_headers() -> None:
    """A number picks by weight; what the route and the destination change of the headers is in the decision."""
    router = table(RULES + WEIGHTS)
    picked = [router.ingress(request(), choice=choice / 100) for choice in range(100)]
    assert [decision.lane for decision in picked] == ["s1"] * 60 + ["s2"] * 20 + ["s3"] * 20
    assert [decision.target for decision in picked[79:81]] == ["s2", "s1"]
    assert picked[60].set_headers == {"x-lane": "s2", "x-via": "gateway"}
    assert picked[60].add_headers == {"x-seen": "a"}
    assert picked[60].remove_headers == ("x-debug",)
    assert (picked[99].fallback, picked[60].fallback) == (True, False)
    assert router.route_header == "x-lane"
    assert router.ingress(request(), gateway="istio-system/ingressgateway").ok
    assert router.ingress(request(), gateway="other/gateway").status == 404


def test_health_and_the_fallback_of_asm() -> None:
    """A subset without healthy endpoint is 503, unless ASM's fallback names another, or several in order."""
    plain = table(RULES + SERVICE.replace("MATCH", "headers: {x-lane: {exact: s2}}"))
    sent = request("/", ("x-lane", "s2"))
    gone: set[str] = {"s2"}

    def available(service: str, lane: str) -> bool:
        assert service == "mocka"
        return lane not in gone

    refused = plain.route("mocka", sent, available=available)
    assert (refused.status, refused.target, refused.lane) == (503, None, "s2")
    assert refused.reason == "route two: mocka has no healthy endpoint in s2"
    target = "destination: {host: mocka, subset: s2}, fallback: {target: {host: mocka, subset: s1}}"
    fallback = SERVICE.replace("MATCH", "headers: {x-lane: {exact: s2}}").replace(
        "destination: {host: mocka, subset: s2}", target
    )
    decision = table(RULES + fallback).route("mocka", sent, available=available)
    assert (decision.target, decision.fallback, decision.lane) == ("s1", True, "s2")
    assert decision.reason == "route two: mocka has no healthy endpoint in s2, fell back to s1"
    targets = "fallback: {targets: [{destination: {host: mocka, subset: s3}}, {destination: {host: mocka, subset: s1}}]}"
    several = table(RULES + fallback.replace("fallback: {target: {host: mocka, subset: s1}}", targets))
    assert several.route("mocka", sent, available=available).target == "s3"
    gone.add("s3")
    assert several.route("mocka", sent, available=available).target == "s1"
    gone.add("s1")
    assert several.route("mocka", sent, available=available).status == 503


def test_destinations_without_subset_or_route() -> None:
    """Without a route, or without a subset, any instance serves; an unknown subset is 503, an unknown host 404."""
    router = table(RULES + SERVICE.replace("MATCH", "uri: {exact: /x}").replace(", subset: s2}", "}").replace("s1}}]", "s9}}]"))
    anyone = router.route("mocka", request("/x"))
    assert (anyone.ok, anyone.target, str(anyone)) == (True, None, "mocka -> any instance (no lane): route two")
    assert router.route("mocka", request("/x"), available=lambda _, lane: lane == "s3").ok
    assert router.route("mocka", request("/x"), available=lambda *_: False).status == 503
    assert router.route("mocka", request()).reason == "route rest: mocka has no subset s9"
    assert router.route("mockb.default.svc:80", request()).reason == "no route for mockb"
    assert router.route("mockx", request()).status == 404
    router.arrived(request(), TraceMemory(), 0.0)


def test_no_match() -> None:
    """What no route matches is 404; a route may answer by itself."""
    only = SERVICE.replace("MATCH", "uri: {exact: /x}").replace(
        "  - name: rest\n    route: [{destination: {host: mocka, subset: s1}}]\n", ""
    )
    assert table(RULES + only).route("mocka", request()).status == 404
    for action, status in [
        ("directResponse: {status: 418}", 418),
        ("redirect: {uri: /y}", 301),
        ("redirect: {redirectCode: 308}", 308),
    ]:
        answered = SERVICE.replace("MATCH", "uri: {exact: /x}").replace(
            "route: [{destination: {host: mocka, subset: s2}}]", action
        )
        decision = table(RULES + answered).route("mocka", request("/x"))
        assert (decision.status, decision.reason) == (status, f"route two answers {status}")
    unweighted = WEIGHTS.replace("60", "0").replace("20", "0")
    assert table(RULES + unweighted).ingress(request()).reason == "route weights has no destination with a weight"


def entry(name: str, host: str, subset: str, match: str = "") -> str:
    return (
        f"---\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  hosts: ['{host}']\n  gateways: [g]\n  http:\n"
        f"  - name: {name}\n    {match}\n    route: [{{destination: {{host: mocka, subset: {subset}}}}}]\n"
    )


def test_hosts_at_a_gateway() -> None:
    """The closest host wins whatever the order; of one host, routes without condition come last."""
    text = RULES + entry("star", "*", "s1") + entry("suffix", "*.example", "s2") + entry("exact", "shop.example", "s3")
    router = table(text)
    for host, rule in [("shop.example:80", "exact"), ("api.example", "suffix"), ("", "star"), ("example", "star")]:
        assert router.ingress(request(host=host)).rule == rule
    merged = table(RULES + entry("all", "*", "s1") + entry("some", "*", "s2", "match: [{uri: {exact: /x}}]"))
    assert merged.ingress(request("/x")).rule == "some"
    assert table(RULES + entry("exact", "shop.example", "s3")).ingress(request(host="other")).status == 404


def test_repeated_headers(tmp_path: Path) -> None:
    """Joined by commas a repeated header meets no exact match; value by value it does."""
    text = RULES + SERVICE.replace("MATCH", "headers: {x-lane: {exact: s2}}")
    twice = request("/", ("x-lane", "s3"), ("x-lane", "s2"))
    assert table(text).route("mocka", twice).target == "s1"
    (tmp_path / "routes.yaml").write_text(text)
    assert load_routes(tmp_path, repeated="each").route("mocka", twice).target == "s2"


HTTP_ROUTES = """\
kind: Service
metadata: {name: mocka}
spec: {selector: {app: mocka}}
---
kind: Service
metadata: {name: mocka-s2}
spec: {selector: {app: mocka, version: v2}}
---
kind: HTTPRoute
metadata: {name: mocka}
spec:
  parentRefs: [{group: "", kind: Service, name: mocka, port: 8000}]
  rules:
  - backendRefs: [{name: mocka-s1, port: 8000}]
  - matches: [{path: {type: PathPrefix, value: /v2}}]
    backendRefs: [{name: mocka-s2, port: 8000}]
  - matches: [{path: {value: /v2/deep}}]
    backendRefs: [{name: mocka-s3, port: 8000}]
  - matches: [{path: {type: Exact, value: /v2}}]
    backendRefs: [{name: mocka-s4, port: 8000}]
  - matches: [{headers: [{name: X-Lane, value: s5}]}]
    backendRefs: [{name: mocka-s5, port: 8000}]
  - matches: [{headers: [{name: x-lane, value: s5}, {name: x-user, value: 'd.*', type: RegularExpression}]}]
    backendRefs: [{name: mocka-s6, port: 8000}]
  - matches: [{method: POST}]
    backendRefs: [{name: mocka-s7, port: 8000}]
  - matches: [{queryParams: [{name: lane, value: s8}]}]
    backendRefs: [{name: mocka-s8, port: 8000}]
  - matches: [{path: {type: RegularExpression, value: '/r[0-9]'}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: X-A, value: '1'}], add: [{name: b, value: '2'}], remove: [C]}
    backendRefs: [{name: mocka-s9, port: 8000}, {name: other, weight: 0}]
  - matches: [{path: {value: /gone}}]
  - matches: [{path: {value: /moved}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301}}]
"""


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        (request("/"), "s1"),
        (request("/v2/x"), "s2"),
        (request("/v2x"), "s1"),
        (request("/v2/deep/er"), "s3"),
        (request("/v2", ("x-lane", "s5")), "s4"),
        (request("/", ("x-lane", "s5")), "s5"),
        (request("/", ("x-lane", "s5"), ("x-user", "dev")), "s6"),
        (request("/", ("x-lane", "s5"), method="POST"), "s7"),
        (request("/?lane=s8"), "s8"),
        (request("/r1"), "s9"),
    ],
)
def test_the_most_specific_rule_of_gateway_api(sent: Request, target: str) -> None:
    """Rules go by how specific they are, not by their order; prefixes by whole path elements."""
    assert table(HTTP_ROUTES).route("mocka", sent).target == target


def test_gateway_api_answers() -> None:
    """Filters change headers, a redirect answers by itself, and a rule without backend is the 500 of the specification."""
    router = table(HTTP_ROUTES)
    decision = router.route("mocka", request("/r1"))
    assert (decision.set_headers, decision.add_headers, decision.remove_headers) == ({"x-a": "1"}, {"b": "2"}, ("c",))
    assert router.route("mocka", request("/gone")).status == 500
    assert router.route("mocka", request("/moved")).status == 301
    assert router.lanes["s2"] == {"version": "v2"}


def test_gateway_api_at_a_gateway() -> None:
    """An HTTPRoute for a gateway decides by hostname, then rule; weights count, 1 where none is given."""
    text = HTTP_ROUTES + (
        "---\nkind: HTTPRoute\nmetadata: {name: entry}\nspec:\n  parentRefs: [{name: g, namespace: istio-system}]\n"
        "  hostnames: [shop.example]\n  rules:\n"
        "  - backendRefs: [{name: mocka-s1}, {name: mocka-s2, weight: 3}]\n"
    )
    router = table(text)
    shop = request(host="shop.example")
    assert [router.ingress(shop, choice=choice / 4).target for choice in range(4)] == ["s1", "s2", "s2", "s2"]
    assert router.ingress(request(host="other.example")).status == 404


def test_services_of_other_namespaces() -> None:
    """A short host means a service of the resource's namespace; one name in two namespaces needs its namespace."""
    other = (RULES.split("---\n")[0] + "---\n" + SERVICE).replace(
        "metadata: {name: mocka}", "metadata: {name: mocka, namespace: shop}"
    )
    other = other.replace("mocka.default.svc", "mocka.shop.svc").replace("MATCH", "uri: {exact: /x}")
    router = table(RULES + other)
    assert router.route("mocka.shop", request("/x")).service == "shop/mocka"
    assert router.route("mocka", request("/x")).status == 404
    assert ServiceRef("mocka", "shop") in router.subsets


def test_loading(tmp_path: Path) -> None:
    """Files and directories are read; errors come all at once, with file and line."""
    (tmp_path / "a.yaml").write_text(RULES)
    (tmp_path / "b.yaml").write_text(SERVICE.replace("MATCH", "uri: {exact: /x}"))
    assert load_routes(tmp_path, route_header="X-Lane").route_header == "x-lane"
    (tmp_path / "b.yaml").write_text(SERVICE.replace("MATCH", "uri: {exacts: /x}").replace("hosts: [mocka]", "hosts: mocka"))
    with pytest.raises(
        RoutingError,
        match=r"b\.yaml:4: spec\.hosts is a text.*\n(.*\n)*.*b\.yaml:8: spec\.http\[0\]\.match\[0\]\.uri has exacts",
    ):
        load_routes(tmp_path)


def test_explanation() -> None:
    """Each route is listed with its conditions and whether it matched, then what serves and what is set."""
    router = table(
        RULES
        + SERVICE.replace("MATCH", "{uri: {exact: /x}, withoutHeaders: {a: {}}, sourceLabels: {version: v2}}")
        + "---\n"
        + WEIGHTS
    )
    decision = router.route("mocka", request("/x"), source="s2")
    assert explain_routes(router, request("/x"), decision, "mocka", "s2") == [
        ("route two", "path exact /x and not a any value and caller version=v2: matches, taken"),
        ("route rest", "any request: matches too, but is not the first"),
        ("served by", "pods of lane s2, labelled version=v2"),
    ]
    decision = router.ingress(request(), choice=0.7)
    assert explain_routes(router, request(), decision)[-2:] == [("set header", "x-lane: s2"), ("set header", "x-via: gateway")]
    assert explain_routes(router, request(), router.route("nobody", request()), "nobody") == []


def test_a_lane_group_of_routes() -> None:
    """Without any subset there is no lane group to make."""
    with pytest.raises(RoutingError, match="no subset"):
        table("kind: VirtualService\nspec: {hosts: [a], http: []}\n").group()


def test_hosts_in_the_mesh() -> None:
    """A VirtualService for a pattern is for the services that no other names; the closest pattern counts."""
    named = SERVICE.replace("MATCH", "uri: {exact: /x}")
    wide = (
        named.replace("[mocka]", "['*.svc.cluster.local']")
        .replace("subset: s1", "subset: s2")
        .replace("name: mocka", "name: w")
    )
    closer = wide.replace("*.svc", "*.default.svc").replace("subset: s2}}]\n", "subset: s3}}]\n")
    router = table("---\n".join((RULES + wide, closer, named)))
    assert router.route("mocka", request()).target == "s1"
    assert router.route("mockb", request()).target == "s3"


def test_rules_and_routes_of_one_host() -> None:
    """Subsets of several DestinationRules are put together, the first of a name counts; the oldest VirtualService does too."""
    more = RULES.split("---\n")[0].replace("name: s1, labels: {version: v1}", "name: s4, labels: {version: v4}")
    more = more.replace("v2", "v9")
    router = table(RULES + more)
    assert router.subsets[ServiceRef("mocka")] == {
        "s1": {"version": "v1"}, "s2": {"version": "v2"}, "s3": {"version": "v3"}, "s4": {"version": "v4"},
    }  # fmt: skip
    routes = [
        SERVICE.replace("MATCH", "uri: {exact: /x}").replace("name: mocka", f"name: v, creationTimestamp: '{year}-01-01'")
        for year in (2024, 2023)
    ]
    routes[1] = routes[1].replace("subset: s1", "subset: s3")
    assert table(RULES + "---\n".join(routes)).route("mocka", request()).target == "s3"


def test_destinations_outside_the_cluster() -> None:
    """A route to a host outside takes its requests, and is no instance of a lane."""
    outside = SERVICE.replace("MATCH", "uri: {exact: /x}").replace("{host: mocka, subset: s2}", "{host: api.partner.example}")
    decision = table(RULES + outside).route("mocka", request("/x"))
    assert (decision.status, decision.reason) == (503, "route two has no destination in the cluster")
    assert table(RULES + outside).route("mocka", request()).target == "s1"
