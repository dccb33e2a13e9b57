"""Random lane groups and requests for them, small enough that every case meets every other."""

from __future__ import annotations

from hypothesis import strategies as st

from lanebaggage.routing import IngressRule, IngressWeight, Lane, LaneGroup, Match, Request, ServiceRef, StringMatch

SERVICES = [*(ServiceRef(name) for name in ("mocka", "mockb", "mockc")), ServiceRef("mocka", "shop")]
LANES = ["s1", "s2", "s3", "S2"]
PATHS = ["/", "/mock", "/mock/x", "/mock?lane=s2", "/v2"]
HOSTS = ["", "shop.example", "api.shop.example:8080", "other.example"]
PATTERNS = ["*", "shop.example", "*.shop.example"]

conditions = st.one_of(
    st.builds(StringMatch, st.just("exact"), st.sampled_from([*LANES, "dev", ""])),
    st.builds(StringMatch, st.just("prefix"), st.sampled_from(["s", "S2", ""])),
    st.builds(StringMatch, st.just("regex"), st.sampled_from(["s[12]", ".*", "dev|qa", "s.?"])),
    st.just(StringMatch("present")),
)
uris = st.one_of(
    st.none(),
    st.builds(StringMatch, st.just("exact"), st.sampled_from(["/mock", "/"])),
    st.builds(StringMatch, st.just("prefix"), st.sampled_from(["/", "/mock", "/v"])),
    st.builds(StringMatch, st.just("regex"), st.sampled_from(["/mock/?.*", "/v[0-9]"])),
)
some_services = st.lists(st.sampled_from(SERVICES), unique=True).map(tuple)


def matches_for(headers: list[str]) -> st.SearchStrategy[Match]:
    return st.builds(
        Match, uris, st.dictionaries(st.sampled_from(headers), conditions, max_size=2).map(lambda each: tuple(each.items()))
    )


def lanes(name: str, services: list[ServiceRef], *, weighted: bool = False) -> st.SearchStrategy[Lane]:
    """A lane of this name with any services of its group, and rules or a weight."""
    rules = st.builds(
        IngressRule,
        st.sampled_from(["r1", "r2"]),
        st.sampled_from(services),
        matches_for(["x-lane", "X-User"]),
        st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple),
        st.booleans(),
        st.sampled_from([None, 8000]),
    )
    weights = st.none() | st.builds(IngressWeight, st.sampled_from(services), st.sampled_from([0, 1, 20, 60]))
    return st.builds(
        Lane,
        st.just(name),
        st.just({"version": name}),
        st.none() | some_services.filter(bool),
        st.just(()) if weighted else st.lists(rules, max_size=3).map(tuple),
        weights if weighted else st.none(),
    )


@st.composite
def lane_groups(
    draw: st.DrawFn,
    *,
    permissive: bool | None = None,
    trace_headers: tuple[str, ...] = ("x-lane", "my-trace-id", "baggage"),
) -> LaneGroup:
    """A lane group of one to four services, two of which share a name, and one to four lanes, in any mode."""
    services = draw(st.lists(st.sampled_from(SERVICES), min_size=1, unique=True))
    names = draw(st.lists(st.sampled_from(LANES), min_size=1, unique=True))
    is_permissive = draw(st.booleans()) if permissive is None else permissive
    weighted = draw(st.booleans())
    fallbacks = st.dictionaries(st.sampled_from(services), st.sampled_from(names), max_size=2)
    return LaneGroup(
        name="test",
        services=tuple(services),
        lanes=tuple(draw(lanes(name, services, weighted=weighted)) for name in names),
        permissive=is_permissive,
        baseline=draw(st.sampled_from(names)) if is_permissive else "",
        service_fallback=draw(fallbacks) if is_permissive else {},
        trace_header=draw(st.sampled_from(trace_headers)) if is_permissive else "",
        route_header="x-lane" if is_permissive else "",
        strategy="weighted" if weighted else "rule_based",
        weighted_hosts=tuple(draw(st.lists(st.sampled_from(PATTERNS), max_size=1))) if weighted else (),
        weighted_matches=tuple(draw(st.lists(matches_for(["x-lane"]), max_size=2))) if weighted else (),
    )


values = st.sampled_from([*LANES, "", "s1,s2", " s2\t", "s20", "'s2'", "s%32", "x" * 200, "é", "dev", "qa"])
baggages = st.lists(
    st.sampled_from(
        ["x-lane=s2", " x-lane = s3 ;p=1", "x-lane=s%32", "xx-lane=s1", "X-Lane=s1", "a=1", "", "x-lane", "k=x-lane=s1"]
    ),
    max_size=4,
).map(",".join)
header_lists = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["x-lane", "X-LANE", "x_lane", "x-user", "X-User"]), values),
        st.tuples(st.sampled_from(["my-trace-id", "My-Trace-Id"]), st.sampled_from(["t1", "t2", ""])),
        st.tuples(st.sampled_from(["baggage", "Baggage"]), baggages),
    ),
    max_size=5,
)
requests = st.builds(Request, st.just("GET"), st.sampled_from(PATHS), st.sampled_from(HOSTS), header_lists)
down = st.sets(
    st.tuples(st.sampled_from([*{service.name: "" for service in SERVICES}, *map(str, SERVICES)]), st.sampled_from(LANES))
)
