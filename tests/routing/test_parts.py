"""The small parts: regexes as RE2 reads them, requests as Envoy sees them, hosts, ASM's fields, workloads, pass-through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lanebaggage.routing import (
    LaneGroup,
    Request,
    RoutingError,
    ServiceRef,
    StringMatch,
    Workload,
    Workloads,
    load,
    load_text,
    load_workloads,
    plain_host,
    with_workloads,
)
from lanebaggage.routing.documents import documents
from lanebaggage.routing.matching import on_the_wire
from lanebaggage.routing.passthrough import forwarded, read_pass_through
from lanebaggage.routing.services import host_matches

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"

REFUSED = {
    r"a(?=b)": "look-ahead", r"a(?!b)": "look-ahead", r"(?<=a)b": "look-behind", r"(?<!a)b": "look-behind",
    r"(a)\1": "back-reference", r"(?P<x>a)(?P=x)": "back-reference", r"(?>a)": "atomic group", r"(?#x)a": "comment",
    r"(a)?(?(1)b)": "conditional", r"(?x)a": r"group \(\?x", r"(?u)a": r"group \(\?u", r"a(?i)b": "flag .* in the middle",
    r"a++": "repetition of a repetition", r"a{2}{3}": "repetition of a repetition", r"a{1001}": "of more than 1000",
    r"a\Z": r"escape \\Z", r"\u00e9": r"escape \\u", r"\N{BULLET}": r"escape \\N", r"[\b]": "in a class", r"[\S]": "in a class",
    r"\pL": r"\\p", "[[:foo:]]": "class", "[": "does not compile", "[a--b]": "does not compile", "a" * 1025: "1025 characters",
}  # fmt: skip
TAKEN = [
    (r"s[12]", "s2", True),
    (r"s", "s2", False),
    (r"s.*\z", "s2", True),
    (r"\d", "٣", False),
    (r"a\++", "a++", True),
    (r"[(?=]+", "(?=", True),
    (r"[]a]+", "]a", True),
    (r"[^]]+", "ab", True),
    (r"\(?=?", "(=", True),
    (r"(?i)S2", "s2", True),
    (r"[+*]+", "+*+", True),
    (r"(?P<x>a)+", "aa", True),
    (r"(?<x>a)+", "aa", True),
    (r"\\1", "\\1", True),
    (r"(?-i)a", "a", True),
    (r"\Qa.b\E?", "a.", True),
    (r"\Qa.b", "a.b", True),
    (r"\x41\x{42}\103", "ABC", True),
    (r"\0", "\0", True),
    (r"a{,3}", "a{,3}", True),
    (r"a{", "a{", True),
    (r"a{2,3}", "aaa", True),
    (r"[[:alpha:]_]+", "a_B", True),
    (r"[a-]+", "-a", True),
    (r"[-a]+", "-a", True),
    (r"[a\-c]+", "b", False),
    (r"[--a]+", "-.a", True),
    (r"[\d-]+", "1-", True),
    (r"[a-c]", "b", True),
    (r"[a&&b]+", "&", True),
    (r"[^^]", "^", False),
    (r"\s", "\v", False),
    (r"[\s2]", " ", True),
    (r"(?U)a+", "aa", True),
    (r"(?i:s)2", "S2", True),
    ("(?iU-s)A", "a", True),
    ("é.", "éx", True),
    (".", "é", False),
    ("..", "é", True),
    (r"\_\-\/", "_-/", True),
]


@pytest.mark.parametrize(("pattern", "says"), REFUSED.items())
def test_regexes_that_the_mesh_would_refuse(pattern: str, says: str) -> None:
    """What re takes and RE2 does not is refused with its name."""
    with pytest.raises(RoutingError, match=says):
        StringMatch("regex", pattern)


@pytest.mark.parametrize(("pattern", "text", "matches"), TAKEN)
def test_regexes_match_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    """A regex compares the whole text, byte by byte, with RE2's syntax; Envoy 1.40 takes each of these."""
    assert StringMatch("regex", pattern).matches(on_the_wire(text)) is matches


def test_texts_are_compared_as_bytes() -> None:
    """What is not ASCII is compared as UTF-8, a request's characters being bytes; another encoding is another text."""
    for kind in ("exact", "prefix", "regex"):
        assert StringMatch(kind, "é").matches("Ã©")
        assert not StringMatch(kind, "é").matches("é")


PATHS = {
    "/mock?x=/../y": "/mock", "/mock#x": "/mock", "/a/../mock": "/mock", "/a/./b": "/a/b", "/..": "/", "/a/..": "/",
    "/a/b/..": "/a/", "/%6Dock": "/mock", "/%2fmock": "/%2fmock", "/%zz": "/%zz", "\\a\\b": "/a/b",
    "/%2e%2e/mock": "/mock", "/a|{b}": "/a%7C%7Bb%7D", "": "", "/.well": "/.well",
}  # fmt: skip


@pytest.mark.parametrize(("path", "plain"), PATHS.items())
def test_paths_as_envoy_normalises_them(path: str, plain: str) -> None:
    """Rules compare the path without query, with dot segments and needless escapes resolved."""
    assert Request(path=path).plain_path == plain


def test_requests() -> None:
    """Names have any case, values lose the blanks around them, the host may be a header, parameters stay as they are."""
    request = Request("GET", "/?lane=s%32&lane=s3&flag&=x", "", [("HOST", "Shop.Example:80"), ("X-A", " 1\t"), ("x-a", "2")])
    assert request.values("x-A") == ["1", "2"]
    assert request.value("X-a") == "1,2"
    assert request.value("x_a") is None
    assert request.host == "Shop.Example:80"
    assert (request.query("lane"), request.query("flag"), request.query("none")) == ("s%32", "", None)
    assert "1" not in repr(request)


def test_hosts() -> None:
    """A service is meant by its names in the cluster, in any case, with or without port; others are refused."""
    meant = ["mocka", "MOCKA.default", "mocka.default.svc", "mocka.default.svc.cluster.local.:8000", "default/mocka"]
    assert {ServiceRef.parse(text) for text in meant} == {ServiceRef("mocka")}
    assert ServiceRef.parse("mocka", "shop") == ServiceRef("mocka", "shop")
    assert plain_host("[::1]:80") == "::1"
    for patterns, host, matches in [
        (("*",), "", True), ((), "x", True), (("a.example",), "A.Example:80", True), (("*.example",), "a.b.example", True),
        (("*.example",), "example", False), (("a.example", "b"), "c", False),
    ]:  # fmt: skip
        assert host_matches(patterns, host) is matches


# --- ASM's fields


def read(text: str) -> LaneGroup:
    (group,) = load_text(text)
    return group


SCENARIO = (ACCEPTANCE / "scenario-1" / "lanes.yaml").read_text()


def test_both_spellings_of_the_strategy() -> None:
    """The Go constants and the console spell the strategies in two ways."""
    weighted = (ACCEPTANCE / "scenario-3" / "lanes.yaml").read_text()
    assert read(weighted).strategy == "weighted"
    for spelling in ("rule_based", "rule-based", "''"):
        assert read(weighted.replace("Strategy: weighted", f"Strategy: {spelling}")).strategy == "rule_based"


def test_the_baseline_is_the_lane_created_first() -> None:
    """Without fallbackTarget the oldest lane is the baseline where the cluster says the age, else the first in the file."""
    unnamed = SCENARIO.replace("    fallbackTarget: s1\n", "")
    assert read(unnamed).baseline == "s1"
    aged = unnamed
    for name, year in (("s1", 2024), ("s2", 2023), ("s3", 2025)):
        aged = aged.replace(
            f"metadata:\n  name: {name}\n", f"metadata:\n  name: {name}\n  creationTimestamp: {year}-01-01T00:00:00Z\n"
        )
    group = read(aged)
    assert group.baseline == "s2"
    assert [lane.name for lane in group.lanes] == ["s2", "s1", "s3"]
    assert read(aged.replace("  creationTimestamp: 2023-01-01T00:00:00Z\n", "")).baseline == "s1"


def test_fields_that_asm_leaves_out() -> None:
    """Unknown fields are ignored; a rule is off unless online; empty lists mean all, or any."""
    text = SCENARIO.replace("spec:\n", "spec:\n  autoUpdate: true\n  status: {x: [1]}\n").replace("    online: true\n", "", 1)
    text = text.replace("    hosts: ['*']\n", "").replace(
        "  services:\n  - {name: mockb, namespace: default}\n  ingress", "  services: []\n  ingress"
    )
    group = read(text)
    assert [rule.online for lane in group.lanes for rule in lane.rules] == [False, True, True]
    assert group.lane("s2").rules[0].hosts == ()
    assert group.lane("s3").services is None
    assert group.lane("s3").has(ServiceRef("mocka"))


@pytest.mark.parametrize("key", ["default/mockc", "mockc", "mockc.default", "mockc.default.svc.cluster.local"])
def test_keys_of_the_fallback_per_service(key: str) -> None:
    """Which separator a namespaced name has is not documented, so each that can be told apart is read."""
    text = (ACCEPTANCE / "service-fallback" / "lanes.yaml").read_text().replace("default/mockc:", f"{key}:")
    assert read(text).service_fallback == {ServiceRef("mockc"): "s2"}


def test_places() -> None:
    """Groups, lanes, rules and their fields know where they stand."""
    (group,) = load(ACCEPTANCE / "scenario-1" / "lanes.yaml")
    lines = SCENARIO.splitlines()
    assert lines[group.place.line - 1] == "  name: test"
    assert lines[group.place_of("traceHeader").line - 1] == "    traceHeader: my-trace-id"
    assert lines[group.lane("s3").place_of("services").line - 1] == "  services:"
    assert lines[group.lane("s2").rules[0].place.line - 1] == "  - name: r-s2"


# --- workloads


def test_membership_by_workloads() -> None:
    """A lane keeps the services that it lists and has pods for; what it does not list is a setting."""
    (group,) = load(ACCEPTANCE / "scenario-2" / "lanes.yaml")
    workloads = load_workloads(ACCEPTANCE / "mock.yaml")
    names = {lane.name: [str(each) for each in lane.services] for lane in with_workloads(group, workloads).lanes}
    assert names == {
        "s1": ["default/mocka", "default/mockb", "default/mockc"],
        "s2": ["default/mocka", "default/mockc"],
        "s3": ["default/mockb"],
    }
    everything = with_workloads(group, workloads, unlisted="present")
    assert all(len(lane.services) == 3 for lane in everything.lanes)
    plain = [Workload({"ASM_TRAFFIC_TAG": "v2"}, "mocka"), Workload({"ASM_TRAFFIC_TAG": "v2"}, "mockc", replicas=0)]
    assert with_workloads(group, plain).lane("s2").services == (ServiceRef("mocka"),)


def test_which_pods_belong_to_a_service() -> None:
    """By the Service's selector, else by an app label, always in its namespace; zero replicas are no pods."""
    found = load_workloads(ACCEPTANCE / "mock.yaml")
    assert [each.name for each in found.of(ServiceRef("mocka"))] == ["mocka-v1", "mocka-v2", "mocka-v3"]
    mocka = ServiceRef("mocka")
    for labels, selectors, belongs in [
        ({"app": "mocka"}, {}, True),
        ({"app.kubernetes.io/name": "mocka"}, {}, True),
        ({"app": "other"}, {}, False),
        ({"app": "mocka"}, {mocka: {"run": "a"}}, False),
        ({"run": "a"}, {mocka: {"run": "a"}}, True),
    ]:
        assert bool(Workloads((Workload(labels),), selectors).of(mocka)) is belongs
        assert Workloads((Workload(labels, namespace="shop"),), selectors).of(mocka) == []
        assert Workloads((Workload(labels, replicas=0),), selectors).of(mocka) == []


def test_kinds_of_workloads(tmp_path: Path) -> None:
    """Anything with a pod template counts, a Pod by its own labels, a DaemonSet without replicas, a plain list."""
    template = "template: {metadata: {labels: {app: a}}}"
    text = "".join(
        f"---\nkind: {kind}\nmetadata: {{name: {kind}}}\nspec: {{replicas: {replicas}, {template}}}\n"
        for kind, replicas in [("Deployment", 2), ("StatefulSet", 0), ("Rollout", 1), ("DaemonSet", 0), ("Job", 1)]
    )
    text += "---\nkind: Pod\nmetadata: {name: Pod, labels: {app: a}}\n---\n- {service: a}\n"
    (tmp_path / "all.yaml").write_text(text)
    found = load_workloads(tmp_path).of(ServiceRef("a"))
    assert [each.name for each in found] == ["Deployment", "Rollout", "DaemonSet", "Pod", ""]
    (tmp_path / "all.yaml").write_text("- {labels: {}}")
    with pytest.raises(RoutingError, match="names no service"):
        load_workloads(tmp_path)


# --- which headers matter


PASS_THROUGH = """\
kind: TrafficLabel
metadata: {name: asm-swimlane-test-mocka}
spec:
  workloadSelector: {labels: {app: mocka}}
  rules:
  - labels:
    - name: asm-label
      valueFrom:
      - $getExternalInboundRequestHeader(X-Asm-Prefer-Tag, my-trace-id)
      - $getLabel(version)
      - $(localLabel)
      - $getContext(x-request-id)
---
kind: ASMHeaderPropagation
metadata: {name: version-propagation, namespace: shop}
spec:
  headers: [Version]
  headerPrefix: [appver]
"""


def test_pass_through_resources() -> None:
    """TrafficLabel and ASMHeaderPropagation say which headers sidecars use; both arguments of a function count."""
    findings: list = []
    label, propagation = read_pass_through(documents(PASS_THROUGH), findings)
    assert label.headers == ("x-asm-prefer-tag", "my-trace-id", "x-request-id")
    assert label.workload == {"app": "mocka"}
    assert (propagation.name, propagation.headers, propagation.prefixes) == (
        "shop/version-propagation",
        ("version",),
        ("appver",),
    )
    assert propagation.covers("APPVER-2")
    assert not propagation.covers("other")
    assert findings == []
    groups = [read(SCENARIO), replace(read(SCENARIO), permissive=False, trace_header="", route_header="")]
    assert forwarded(groups) == ("my-trace-id", "x-asm-prefer-tag")
    assert forwarded([], [propagation]) == ("baggage", "version", "appver*")
