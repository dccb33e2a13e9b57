"""The router's words and settings: what a decision says, and what each setting changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lanebaggage import LanebaggageError
from lanebaggage.routing import (
    Decision,
    IngressRule,
    IngressWeight,
    Lane,
    LaneGroup,
    Match,
    Request,
    Router,
    RoutingError,
    ServiceRef,
    StringMatch,
    TraceMemory,
)

LANES = {"s1": ["mocka", "mockb", "mockc"], "s2": ["mocka", "mockc"], "s3": ["mockb"]}
GROUP = LaneGroup.simple(baseline="s1", lanes=LANES, trace_header="x-lane", route_header="x-lane")
STRICT = replace(GROUP, permissive=False, trace_header="", route_header="")
BAGGAGE = replace(GROUP, trace_header="baggage")
TRACE = replace(GROUP, trace_header="my-trace-id")


def request(*headers: tuple[str, str], path: str = "/", host: str = "") -> Request:
    return Request("GET", path, host, headers)


def down(*gone: str):
    return lambda service, lane: f"{service}={lane}" not in gone


SAYS: list[tuple[Decision, str]] = [
    (Router(GROUP).route("mockc", request(("x-lane", "s2"))), "mockc -> s2 (lane s2): lane s2"),
    (
        Router(GROUP).route("mockb", request(("x-lane", "s2"))),
        "mockb -> s1 (lane s2, fallback): mockb is not in lane s2, fell back to s1",
    ),
    (
        Router(GROUP).route("mockc", request(("x-lane", "s2")), available=down("mockc=s2")),
        "mockc -> s1 (lane s2, fallback): mockc has no healthy endpoint in lane s2, fell back to s1",
    ),
    (
        Router(GROUP).route("mockc", request(("x-lane", "s2")), available=down("mockc=s2", "mockc=s1")),
        "mockc: 503 (lane s2): mockc has no healthy endpoint in lane s2, nor in s1, which it falls back to",
    ),
    (
        Router(GROUP).route("mockc", request(("x-lane", "s1")), available=down("mockc=s1")),
        "mockc: 503 (lane s1): mockc has no healthy endpoint in lane s1, and it falls back to no other lane",
    ),
    (Router(GROUP).route("mockb", request()), "mockb -> s1 (no lane): no lane: baseline s1"),
    (Router(GROUP).route("mockb", request(("x-lane", "<script>"))), "mockb -> s1 (no lane): unknown lane: baseline s1"),
    (
        Router(GROUP).route("mockb", request(), available=down("mockb=s1")),
        "mockb: 503 (no lane): no lane, and mockb has no healthy endpoint in s1",
    ),
    (
        Router(GROUP).route("shop.example", request()),
        "shop.example: 404 (no lane): shop.example is no service of lane group lanes",
    ),
    (Router(GROUP).route("<x>\r\n", request()), ": 404 (no lane): a host of 5 characters is no service of lane group lanes"),
    (
        Router(STRICT).route("mockb", request(("x-lane", "s3")), source="s2"),
        "mockb: 503 (lane s2): mockb is not in lane s2; strict mode has no fallback",
    ),
    (Router(STRICT).route("mockb", request(("x-lane", "s3")), source="s3"), "mockb -> s3 (lane s3): lane s3"),
    (Router(STRICT).route("mockb", request()), "mockb: 503 (no lane): no lane of the caller; strict mode routes by it"),
    (
        Router(BAGGAGE).route("mockc", request(("baggage", "a=1,x-lane=s2"))),
        "mockc -> s2 (lane s2): lane s2 from baggage",
    ),
    (
        Router(BAGGAGE).route("mockb", request(("baggage", "a=1,x-lane=s2"))),
        "mockb -> s1 (lane s2, fallback): lane s2 from baggage: mockb is not in lane s2, fell back to s1",
    ),
    (Router(GROUP).ingress(request(("x-lane", "s2"))), "mocka -> s2 (lane s2): rule r-s2"),
    (
        Router(GROUP).ingress(request(("x-lane", "s3"))),
        "mocka -> s1 (lane s3, fallback): rule r-s3: mocka is not in lane s3, fell back to s1",
    ),
    (Router(GROUP).ingress(request()), "mocka -> s1 (lane s1): no lane rule matches, so baseline s1"),
    (Router(STRICT).ingress(request()), ": 404 (no lane): no lane rule matches"),
]


@pytest.mark.parametrize(("decision", "line"), SAYS, ids=[line[:30] for _, line in SAYS])
def test_a_decision_prints_as_one_line(decision: Decision, line: str) -> None:
    """A decision says where to, the lane, a fallback, and why; an error names lane and service."""
    assert str(decision) == line
    assert decision.ok == ("-> " in line)


def test_trace_memory_restores_the_lane() -> None:
    """In trace-ID mode a sidecar that saw the trace ID arrive in a lane restores the route header; another one does not."""
    router = Router(TRACE)
    mine, other = TraceMemory(), TraceMemory(ttl=1.0)
    arriving = request(("X-Lane", "s2"), ("my-trace-id", "t1"))
    router.arrived(arriving, mine, now=0.0)
    router.arrived(request(("my-trace-id", "t1")), other, now=0.0)
    leaving = request(("My-Trace-Id", "t1"))
    decision = router.route("mockc", leaving, memory=mine, now=1.0)
    assert str(decision) == "mockc -> s2 (lane s2): lane s2 remembered for its trace ID"
    assert decision.set_headers == {"x-lane": "s2"}
    assert router.route("mockc", leaving, memory=other, now=1.0).lane is None
    assert router.route("mockc", leaving).lane is None
    assert router.route("mockb", request(("my-trace-id", "t1"), ("x-lane", "s3")), memory=mine, now=1.0).target == "s3"


def test_only_lanes_of_the_group_are_remembered() -> None:
    """A trace ID that arrives with two lanes, or an unknown one, is not remembered."""
    router = Router(TRACE)
    memory = TraceMemory()
    router.arrived(request(("x-lane", "s9"), ("my-trace-id", "t1")), memory, now=0.0)
    router.arrived(request(("x-lane", "s2"), ("x-lane", "s3"), ("my-trace-id", "t2")), memory, now=0.0)
    router.arrived(request(("x-lane", "s2")), memory, now=0.0)
    assert len(memory) == 0


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01"


@pytest.mark.parametrize(("setting", "lane"), [("whole", None), ("trace-id", "s2")])
def test_setting_traceparent(setting: str, lane: str | None) -> None:
    """By its trace ID a traceparent is known again after a hop changed its span part; as a whole it is not."""
    router = Router(replace(GROUP, trace_header="traceparent"), traceparent=setting)
    memory = TraceMemory()
    router.arrived(request(("x-lane", "s2"), ("traceparent", PARENT.format("00f067aa0ba902b7"))), memory, now=0.0)
    same = router.route("mockc", request(("traceparent", PARENT.format("00f067aa0ba902b7"))), memory=memory)
    later = router.route("mockc", request(("traceparent", PARENT.format("53995c3f42cd8ad8"))), memory=memory)
    assert (same.lane, later.lane) == ("s2", lane)


@pytest.mark.parametrize(("setting", "lane"), [("header", "s2"), ("baggage", "s3")])
def test_setting_carrier(setting: str, lane: str) -> None:
    """In baggage mode the route header counts first, or the baggage member; either counts alone."""
    router = Router(BAGGAGE, carrier=setting)
    assert router.route("mockb", request(("x-lane", "s2"), ("baggage", "x-lane=s3"))).lane == lane
    assert router.route("mockb", request(("x-lane", "s2"))).lane == "s2"
    assert router.route("mockb", request(("baggage", "x-lane=s3"))).lane == "s3"


def test_setting_baggage_key() -> None:
    """The member's key can be another than the route header's name, in reading and in writing."""
    router = Router(BAGGAGE, baggage_key="OpenSergo-Label")
    assert router.route("mockb", request(("baggage", "OpenSergo-Label=s3,x-lane=s2"))).lane == "s3"
    set_headers = router.ingress(request(("x-lane", "s2"), ("baggage", "a=1,OpenSergo-Label=s3"))).set_headers
    assert set_headers == {"x-lane": "s2", "baggage": "a=1,OpenSergo-Label=s2"}


FALLBACK = replace(GROUP, service_fallback={ServiceRef("mocka"): "s2"})


@pytest.mark.parametrize(
    ("setting", "target", "status"), [("baseline", "s1", 200), ("fallback", "s2", 200), ("error", None, 503)]
)
@pytest.mark.parametrize(("name", "headers"), [("no_lane", []), ("unknown_lane", [("x-lane", "s9")])])
def test_settings_for_requests_outside_lanes(name: str, headers: list, setting: str, target: str | None, status: int) -> None:
    """A request without lane, or with an unknown one, goes to the baseline, to the service's fallback, or is an error."""
    decision = Router(FALLBACK, **{name: setting}).route("mocka", request(*headers))
    assert (decision.target, decision.status) == (target, status)
    other = Router(FALLBACK, **{name: setting}).route("mocka", request(("x-lane", "s1")))
    assert other.target == "s1"


def test_setting_unmatched() -> None:
    """What no rule matches goes to the baseline's entry, or is a 404; without any entry it always is."""
    unmatched = request(("x-lane", "s9"))
    assert Router(GROUP).ingress(unmatched).set_headers == {"x-lane": "s1"}
    assert Router(GROUP, unmatched="error").ingress(unmatched).status == 404
    bare = replace(GROUP, lanes=tuple(replace(lane, rules=()) for lane in GROUP.lanes))
    assert Router(bare).ingress(unmatched).status == 404


def test_setting_repeated() -> None:
    """A repeated header meets a rule by one of its values only if the mesh compares each."""
    twice = request(("x-lane", "s3"), ("X-Lane", "s2"))
    assert Router(GROUP).ingress(twice).rule is None
    assert Router(GROUP, repeated="each").ingress(twice).rule == "r-s2"


@pytest.mark.parametrize("setting", ["unknown_lane", "no_lane", "unmatched", "repeated", "carrier", "traceparent"])
def test_settings_have_known_values(setting: str) -> None:
    """Another value is refused, with the setting's name and what it may be."""
    with pytest.raises(RoutingError, match=f"{setting} is one of .*, not 'x'"):
        Router(GROUP, **{setting: "x"})


def test_the_gateway_replaces_what_the_client_says() -> None:
    """A rule's lane replaces the client's header and its member of baggage; other members keep their bytes."""
    rule = IngressRule("dev", ServiceRef("mocka"), Match(headers=(("x-user", StringMatch("exact", "dev")),)))
    lanes = (replace(GROUP.lane("s2"), rules=(rule,)), *(lane for lane in GROUP.lanes if lane.name != "s2"))
    router = Router(replace(BAGGAGE, lanes=lanes))
    sent = request(("x-user", "dev"), ("x-lane", "s3"), ("baggage", "a=1;p, x-lane=s3 ,b=%20"), ("baggage", "x-lane=s1"))
    assert router.ingress(sent).set_headers == {"x-lane": "s2", "baggage": "a=1;p,b=%20,x-lane=s2"}
    too_long = request(("x-user", "dev"), ("baggage", "a=" + "x" * 9000))
    assert router.ingress(too_long).set_headers["baggage"] == "x-lane=s2"


def test_rules_of_the_gateway_keep_their_order() -> None:
    """The first rule in the order of lanes and rules wins, however the rules are indexed."""
    user = ("x-user", StringMatch("exact", "dev"))
    rules = [
        IngressRule("prefix", ServiceRef("mocka"), Match(StringMatch("prefix", "/m"), (user,))),
        IngressRule("header", ServiceRef("mocka"), Match(headers=(user,))),
        IngressRule("path", ServiceRef("mocka"), Match(StringMatch("exact", "/mock"))),
        IngressRule("rest", ServiceRef("mocka")),
    ]
    for order in (rules, rules[::-1], [rules[2], rules[0], rules[3], rules[1]]):
        lanes = (replace(GROUP.lane("s1"), rules=tuple(order)),)
        router = Router(replace(GROUP, lanes=lanes))
        for sent in (request(("x-user", "dev"), path="/mock"), request(path="/mock"), request(("x-user", "dev")), request()):
            expected = next(rule.name for rule in order if rule.match.matches(sent))
            assert router.ingress(sent).rule == expected


def test_weights() -> None:
    """A number from 0 up to 1 picks by weight through sum; a single weight gets all; a zero gets nothing."""

    def weighted(**weights: int) -> Router:
        lanes = tuple(
            replace(GROUP.lane(name), rules=(), weight=IngressWeight(ServiceRef("mocka"), weight))
            for name, weight in weights.items()
        )
        return Router(replace(GROUP, lanes=lanes, strategy="weighted", weighted_hosts=("shop.example",)))

    shop = request(host="shop.example")
    router = weighted(s1=60, s2=20, s3=0)
    picked = [router.ingress(shop, choice=choice / 80).lane for choice in range(80)]
    assert picked == ["s1"] * 60 + ["s2"] * 20
    assert str(router.ingress(shop, choice=0.8)) == "mocka -> s2 (lane s2): weight 20 of 80"
    assert router.ingress(shop).lane == "s1"
    assert router.ingress(request(), choice=0.99).reason == "the weights are not for this request, so baseline s1"
    assert weighted(s1=0).ingress(shop, choice=0.5).lane == "s1"
    assert weighted(s1=0, s2=0).ingress(shop, choice=0.5).status == 404


def test_a_rule_to_a_foreign_service_is_an_error() -> None:
    """A rule that sends to a service outside the group ends in 404, with its name."""
    rule = IngressRule("out", ServiceRef("shop", "web"))
    router = Router(replace(GROUP, lanes=(replace(GROUP.lane("s1"), rules=(rule,)),)))
    decision = router.ingress(request())
    assert (decision.status, decision.reason) == (404, "rule out: web/shop is no service of lane group lanes")


def test_services_of_two_namespaces() -> None:
    """A name that two namespaces have means neither; with its namespace it is found, and decisions carry it."""
    services = (ServiceRef("mocka"), ServiceRef("mocka", "shop"), ServiceRef("mockb", "shop"))
    router = Router(LaneGroup("test", services, (Lane("s1"),), permissive=True))
    assert router.route("mocka", request()).status == 404
    assert router.route("MockA.shop:80", request()).service == "shop/mocka"
    assert router.route("default/mocka", request()).service == "default/mocka"
    assert router.route("mockb", request()).service == "mockb"
    asked: list[str] = []
    router.route("mocka.shop.svc.", request(), available=lambda service, _: asked.append(service) or True)
    assert asked == ["shop/mocka"]


def test_back_at_the_next_request() -> None:
    """A lane's service that is healthy again is served by its lane at the very next request."""
    gone = {"mockc=s2"}
    router = Router(GROUP)
    sent = request(("x-lane", "s2"))
    available = lambda service, lane: f"{service}={lane}" not in gone  # noqa: E731
    assert router.route("mockc", sent, available=available).target == "s1"
    gone.clear()
    assert router.route("mockc", sent, available=available).target == "s2"


def test_changing_while_others_decide() -> None:
    """Every decision taken while a lane comes and goes is one of the two that are right, and nothing is left behind."""
    router = Router(GROUP)
    sent = request(("x-lane", "s2"))
    narrow = replace(GROUP.lane("s2"), services=(ServiceRef("mocka"),))

    def change() -> None:
        for _ in range(300):
            router.replace(narrow)
            router.replace(GROUP.lane("s2"))

    def decide() -> set[str]:
        return {str(router.route("mockc", sent)) for _ in range(3000)}

    with ThreadPoolExecutor(4) as pool:
        changing = pool.submit(change)
        seen = set().union(*(task.result() for task in [pool.submit(decide) for _ in range(3)]))
        changing.result()
    assert seen <= {
        "mockc -> s2 (lane s2): lane s2",
        "mockc -> s1 (lane s2, fallback): mockc is not in lane s2, fell back to s1",
    }
    assert router.route("mockc", sent).target == "s2"
    router.remove("s2")
    assert router.route("mockc", sent).reason == "unknown lane: baseline s1"


def test_what_cannot_be_removed() -> None:
    """The baseline lane, and a lane that is not there, cannot be removed; the router stays as it was."""
    router = Router(GROUP)
    for name in ("s1", "s9"):
        with pytest.raises(RoutingError, match=name):
            router.remove(name)
    assert router.group is GROUP


BAD = [
    (lambda: LaneGroup("g", (), ()), "has no lane"),
    (lambda: LaneGroup("g", (), (Lane("a"), Lane("a"))), "two lanes of one name"),
    (lambda: replace(GROUP, baseline="s9"), "falls back to 's9'"),
    (lambda: replace(GROUP, service_fallback={ServiceRef("mocka"): "s9"}), "falls back to 's9'"),
    (lambda: replace(GROUP, strategy="random"), "rule_based or weighted"),
    (lambda: replace(GROUP, route_header="baggage"), "route_header cannot be 'baggage'"),
    (lambda: replace(GROUP, trace_header="x y"), "trace_header must be a header name"),
    (lambda: LaneGroup.simple(baseline="s9", lanes=LANES), "none of the lanes"),
    (lambda: Lane("s 2"), "no lane's name"),
    (lambda: ServiceRef("a.b"), "no name of a service"),
    (lambda: ServiceRef.parse("api.partner.example"), "no host of a cluster service"),
    (lambda: StringMatch("suffix", "x"), "exact, prefix or regex"),
    (lambda: IngressWeight(ServiceRef("mocka"), -1), "a weight of -1"),
    (lambda: GROUP.lane("s9"), "its lanes are s1, s2, s3"),
]


@pytest.mark.parametrize(("make", "says"), BAD, ids=[says for _, says in BAD])
def test_what_does_not_fit_together_is_refused(make, says: str) -> None:
    """A part of the model that cannot be is refused when it is made, with an error of ours that says what to write."""
    with pytest.raises(RoutingError, match=says) as raised:
        make()
    assert isinstance(raised.value, LanebaggageError)
