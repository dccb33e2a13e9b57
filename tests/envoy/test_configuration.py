"""The configuration written from lane groups: Envoy accepts it, and it says what the mode and the rules ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lanebaggage.routing import (
    IngressRule,
    IngressWeight,
    Lane,
    LaneGroup,
    Match,
    RoutingError,
    ServiceRef,
    StringMatch,
    load,
)
from lanebaggage.routing.envoy import Configuration, Endpoint, Options, Sidecar, bootstrap

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"
SCENARIOS = ("scenario-1", "scenario-2", "scenario-3", "service-fallback", "strict")
OPTIONS = {
    "plain": Options(),
    "health": Options(health=True),
    "istio": Options(flavour="istio"),
    "observed": Options(observed=True),
    "unknown lane is an error": Options(unknown_lane="error"),
    "fallback target for no lane": Options(no_lane="fallback", repeated="each", unmatched="error"),
}
MOCKA = ServiceRef("mocka")


def group_of(folder: str) -> LaneGroup:
    (group,) = load(ACCEPTANCE / folder / "lanes.yaml")
    return group


def gateway_routes(group: LaneGroup, **options: object) -> list[dict]:
    routes = Configuration(group, Options(**options)).route_configurations(())["gateway"]
    return routes["virtual_hosts"][0]["routes"]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("folder", SCENARIOS)
def test_envoy_accepts_every_mode_with_every_option(folder, options, validate) -> None:
    """Envoy finds nothing wrong, and warns of nothing, in what is written for the acceptance data."""
    validate(bootstrap(group_of(folder), options=options, admin_port=0))


def test_envoy_accepts_odd_rules_and_names(validate) -> None:
    """Empty texts, which Envoy's messages refuse, regexes, hosts and every character of a lane's name are written right."""
    conditions = [StringMatch(kind, value) for kind in ("exact", "prefix", "regex") for value in ("", "/a", "[a-z]+.*")]
    conditions.append(StringMatch("present"))
    rules = tuple(
        IngressRule(f"{uri} {header}", MOCKA, Match(uri, (("X-User", header),)), ("*.example", "a.b:80", "*"[: number % 2]))
        for number, (uri, header) in enumerate(zip(conditions, reversed(conditions), strict=True))
    )
    rules += (IngressRule("elsewhere", ServiceRef("nobody")),)
    names = ("s1", "a|b", "a.b", "-_.:/@+=~|!*", "x" * 128)
    lanes = tuple(Lane(name, {}, (MOCKA,), rules) for name in names)
    services = (MOCKA, ServiceRef("mocka", "other"))
    fallback = {services[1]: "a|b"}
    for header in ("x-lane", "baggage", "my-trace-id"):
        group = LaneGroup("g", services, lanes, True, "s1", fallback, header, "x-lane")
        validate(bootstrap(group))
        validate(bootstrap(group, options=Options(flavour="istio")))


def test_envoy_accepts_a_thousand_lanes(validate) -> None:
    """The pattern that knows every lane is not too large for Envoy's regular expressions."""
    names = [f"lane-{number}" for number in range(1000)]
    group = LaneGroup.simple(baseline="lane-0", lanes={name: ["a", "b"] for name in names})
    several = LaneGroup("g", group.services, group.lanes, True, "lane-0", {group.services[1]: "lane-1"}, "h", "h")
    validate(bootstrap(several))


def test_rules_keep_their_order_across_lanes_and_offline_ones_are_left_out() -> None:
    """The gateway's routes are the online rules of all lanes in order, then the one for what is left."""
    rules = [IngressRule(name, MOCKA, online=name != "off") for name in ("one", "off", "two")]
    lanes = (Lane("s1", rules=tuple(rules[:2])), Lane("s2", rules=tuple(rules[2:])))
    group = LaneGroup("g", (MOCKA,), lanes, permissive=True)
    assert [route["name"] for route in gateway_routes(group)] == ["one", "two", "unmatched"]


def test_unmatched_requests_go_to_the_baseline_or_nowhere() -> None:
    """What no rule matches gets the baseline lane, or 404 where the options or strict mode say so."""
    assert gateway_routes(group_of("scenario-2"))[-1]["request_headers_to_add"][0]["header"]["value"] == "s1"
    assert gateway_routes(group_of("scenario-2"), unmatched="error")[-1]["direct_response"]["status"] == 404
    assert gateway_routes(group_of("strict"))[-1]["direct_response"]["status"] == 404


def test_a_rule_replaces_the_lane_that_the_client_sent() -> None:
    """A lane rule sets the route header in the place of every value that stands there."""
    for route in gateway_routes(group_of("scenario-2")):
        (added,) = route["request_headers_to_add"]
        assert added["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"


def test_weights_are_random_unless_observed() -> None:
    """A client can choose its share only where the mesh asked for it; a single weight of 0 gets all."""
    weighted = gateway_routes(group_of("scenario-3"))[0]["route"]["weighted_clusters"]
    assert [one["weight"] for one in weighted["clusters"]] == [60, 20, 20]
    assert "header_name" not in weighted
    assert "header_name" in gateway_routes(group_of("scenario-3"), observed=True)[0]["route"]["weighted_clusters"]
    one = Lane("s1", weight=IngressWeight(MOCKA, 0))
    group = LaneGroup("g", (MOCKA,), (one,), permissive=True, strategy="weighted")
    assert [each["weight"] for each in gateway_routes(group)[0]["route"]["weighted_clusters"]["clusters"]] == [1]


def test_the_plain_engine_runs_no_script_for_a_custom_header() -> None:
    """Envoy's own filters are enough for ASM's custom-header mode and for strict mode; the others need Lua."""
    scripted = {folder: "lua" in json.dumps(bootstrap(group_of(folder))) for folder in SCENARIOS}
    assert scripted == {
        "scenario-1": True,
        "scenario-2": False,
        "scenario-3": True,
        "service-fallback": False,
        "strict": False,
    }


def test_sidecars_are_as_many_as_the_mode_needs() -> None:
    """One for all, one for each lane in strict mode, one for each instance where they remember trace IDs."""
    numbers = {}
    for folder in SCENARIOS:
        listeners = bootstrap(group_of(folder))["static_resources"]["listeners"]
        numbers[folder] = [one["address"]["socket_address"]["port_value"] for one in listeners]
    assert numbers["scenario-2"] == [8080, 15001]
    assert numbers["strict"] == [8080, 15001, 15002, 15003]
    assert numbers["scenario-1"] == [8080, *range(15001, 15007)]


def test_a_sidecar_without_application_says_what_it_needs() -> None:
    """In trace-ID mode a sidecar must know what it stands before; otherwise it reports no cluster for it."""
    configuration = Configuration(group_of("scenario-1"))
    names = [one["name"] for one in configuration.clusters([], [Sidecar("a", application=("127.0.0.1", 1)), Sidecar("b")])]
    assert names == ["mocka", "mockb", "mockc", "application|a"]


def test_services_outside_the_group_are_in_no_lane() -> None:
    """A further service is routed to whatever the request carries, and by its full name where the short one is taken."""
    group = group_of("scenario-2")
    other = ServiceRef("mocka", "elsewhere")
    configuration = Configuration(group, outside=(other,))
    assert configuration.labels[other] == "elsewhere/mocka"
    made = {one["name"]: one for one in configuration.clusters([Endpoint(other, (), "127.0.0.1", 1)])}
    assert "lb_subset_config" in made["mocka"]
    assert "lb_subset_config" not in made["elsewhere/mocka"]


@pytest.mark.parametrize("wrong", [{"flavour": "linkerd"}, {"flavour": "istio", "health": True}])
def test_options_that_do_not_fit_are_refused(wrong) -> None:
    """A flavour that is not there, and fallback by health from upstream Istio, are errors that say what to write."""
    with pytest.raises(RoutingError, match="istio"):
        Options(**wrong)
