"""Every finding: a file that has it, the line it is reported at, and what it says. ``# HERE`` marks the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lanebaggage.routing
from lanebaggage.routing import Finding, RoutingError, load_text
from lanebaggage.routing.check import check
from lanebaggage.routing.errors import ERROR, WARNING

GROUP = """\
apiVersion: istio.alibabacloud.com/v1
kind: ASMSwimLaneGroup
metadata:
  name: test
spec:
  isPermissive: true
  permissiveModeConfiguration:
    fallbackTarget: s1
    traceHeader: x-lane
    routeHeader: x-lane
  ingress:
    gateway: {name: ingressgateway, namespace: istio-system, type: ASM}
  services:
  - {name: mocka, namespace: default}
  - {name: mockb, namespace: default}
"""
LANES = """\
---
apiVersion: istio.alibabacloud.com/v1
kind: ASMSwimLane
metadata:
  name: s1
  labels: {swimlane-group: test}
spec:
  labelSelector: {version: v1}
  services: [{name: mocka}, {name: mockb}]
  ingressRules:
  - name: r1
    online: true
    match: {uri: {exact: /mock}, headers: {x-lane: {exact: s1}}}
    route: {destination: {host: mocka}}
---
apiVersion: istio.alibabacloud.com/v1
kind: ASMSwimLane
metadata:
  name: s2
  labels: {swimlane-group: test}
spec:
  labelSelector: {version: v2}
  services: [{name: mocka}]
  ingressRules:
  - name: r2
    online: true
    match: {uri: {exact: /mock}, headers: {x-lane: {exact: s2}}}
    route: {destination: {host: mocka}}
"""
BASE = GROUP + LANES
STRICT = BASE.replace("isPermissive: true", "isPermissive: false")
WEIGHTED = re.sub(
    r"  ingressRules:\n.*\n.*\n.*\n.*\n", "  ingressWeight: {destination: {host: mocka}, weight: 50}\n", BASE
).replace("type: ASM}", "type: ASM}\n    ingressRouting:\n      ingressRoutingStrategy: weighted")
PODS = "".join(
    f"---\nkind: Deployment\nmetadata: {{name: {app}-{version}}}\n"
    f"spec: {{template: {{metadata: {{labels: {{app: {app}, version: {version}}}}}}}}}\n"
    for app, version in (("mocka", "v1"), ("mockb", "v1"), ("mocka", "v2"))
)
OTHER_GROUP = GROUP.replace("name: test", "name: other") + LANES.replace("group: test", "group: other")
ISTIO = """\
kind: DestinationRule
metadata: {name: mocka}
spec:
  host: mocka
  subsets: [{name: s1, labels: {version: v1}}, {name: s2, labels: {version: v2}}]
---
kind: VirtualService
metadata: {name: mocka}
spec:
  hosts: [mocka]
  http:
  - name: two
    match:
    - headers: {x-lane: {exact: s2}}
    route:
    - destination: {host: mocka, subset: s2}
  - name: rest
    route:
    - destination: {host: mocka, subset: s1}
"""
HTTP_ROUTE = """\
kind: HTTPRoute
metadata: {name: mocka}
spec:
  parentRefs: [{kind: Service, name: mocka}]
  rules:
  - matches:
    - path: {type: Exact, value: /mock}
      headers: [{name: x-lane, value: s2}]
    backendRefs: [{name: mocka-s2, port: 80}]
  - backendRefs: [{name: mocka-s1, port: 80}]
"""
PROPAGATION = "---\nkind: ASMHeaderPropagation\nmetadata: {name: p}\nspec:\n  headers: [version]\n"
LABEL = (
    "---\nkind: TrafficLabel\nmetadata: {name: t}\nspec:\n  rules: [{labels: [{name: l, valueFrom: ['$getContext(x-id)']}]}]\n"
)


def change(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def row(code: str, says: str, text: str, *changes: tuple[str, str], severity: str = ERROR, after: str = "") -> tuple:
    return code, severity, change(text, *changes) + after, says


ROWS = [
    row("yaml", "not YAML", "a: [1\nb: 2  # HERE\n"),
    row("yaml", "a tag", "kind: A\nspec: !!python/object:os.system {}  # HERE\n"),
    row("yaml", "'kind' stands here twice", "kind: A\nkind: B  # HERE\n"),
    row("yaml", "a key that is no text", "kind: A\n? [a]  # HERE\n: b\n"),
    row("yaml", "stands for nothing", "kind: A\nspec: *unknown  # HERE\n"),
    row("yaml", "no Kubernetes object", "just text  # HERE\n"),
    row("yaml", "illegal characters", "kind: A\nspec: \x01\n"),
    row("yaml", "half a character", "kind: A\nspec: \ud800\n"),
    row("nothing", "no ASMSwimLaneGroup", "kind: ConfigMap\nmetadata: {name: a}\n"),
    row("shape", "expected true or false", BASE, ("isPermissive: true", "isPermissive: 'yes'  # HERE")),
    row("shape", "name: '2'", BASE, ("name: r2", "name: 2  # HERE")),
    row("shape", "name: 'true'", BASE, ("name: r2", "name: on  # HERE")),
    row(
        "shape",
        "expected a whole number",
        BASE,
        ("{destination: {host: mocka}}", "{destination: {host: mocka, portNum: http}}  # HERE"),
    ),
    row(
        "shape",
        "expected a whole number",
        BASE,
        ("{destination: {host: mocka}}", "{destination: {host: mocka, portNum: 80.5}}  # HERE"),
    ),
    row("shape", "route is a text; expected a mapping", BASE, ("{destination: {host: mocka}}", "mocka  # HERE")),
    row("shape", "services is a text; expected a list", BASE, ("[{name: mocka}]", "mocka  # HERE")),
    row("shape", "services[0] is a text; expected a mapping", BASE, ("[{name: mocka}]", "[mocka]  # HERE")),
    row("shape", "spec.services[0] has no name", BASE, ("[{name: mocka}]", "[{namespace: a}]  # HERE")),
    row("shape", "hosts[0] is a number", BASE, ("    match:", "    hosts: [1]  # HERE\n    match:")),
    row("shape", "version: '2'", BASE, ("{version: v2}", "{version: 2}  # HERE")),
    row("shape", "one of exact, prefix, regex", BASE, ("{exact: s2}", "{suffix: s2}")),
    row("shape", "exact, prefix", BASE, ("{exact: s2}", "{exact: a, prefix: b}")),
    row("shape", "destination.host is missing", BASE, ("{destination: {host: mocka}}", "{}  # HERE")),
    row("shape", "without name", BASE, ("metadata:\n  name: test", "metadata:  # HERE\n  labels: {a: b}")),
    row(
        "shape",
        "services is empty",
        GROUP.replace("  - {name: mocka, namespace: default}\n  - {name: mockb, namespace: default}\n", "").replace(
            "services:", "services: []  # HERE"
        ),
        after=LANES,
    ),
    row("shape", "item 2 of the list names no service", "- {service: mocka}\n- {labels: {a: b}}  # HERE\n"),
    row("shape", "names no header", BASE, after=PROPAGATION.replace("headers: [version]", "workloadSelector: {}")),
    row("value", "no name of a service", BASE, ("{name: mockb, namespace: default}", "{name: mock.b}  # HERE")),
    row("value", "no lane's name", BASE, ("name: s2\n", "name: s 2  # HERE\n")),
    row("value", "look-ahead", BASE, ("{exact: s2}", "{regex: 's(?=2)'}")),
    row("value", "does not compile", BASE, ("{exact: s2}", "{regex: 's['}")),
    row(
        "value",
        "no host of a cluster service",
        BASE,
        ("{destination: {host: mocka}}", "{destination: {host: mocka.example.com}}  # HERE"),
    ),
    row("value", "a weight of -1", WEIGHTED, ("weight: 50", "weight: -1")),
    row("value", "Write rule_based or weighted", WEIGHTED, ("Strategy: weighted", "Strategy: random  # HERE")),
    row("value", "traceHeader: baggage", BASE, ("routeHeader: x-lane", "routeHeader: baggage  # HERE")),
    row("lane-without-group", "has none", BASE, ("labels: {swimlane-group: test}", "labels: {}  # HERE")),
    row("lane-without-group", "in none", BASE, ("labels: {swimlane-group: test}", "labels: {swimlane-group: x}  # HERE")),
    row("no-lane", "has no lane", GROUP, ("spec:", "spec:  # HERE")),
    row("duplicate", "a second lane group", BASE, after="---\n" + change(GROUP, ("metadata:", "metadata:  # HERE"))),
    row("duplicate", "two lanes s1", BASE, ("name: s2", "name: s1"), ("metadata:", "metadata:  # HERE")),
    row("header-missing", "traceHeader", BASE, ("    traceHeader: x-lane\n", ""), ("Configuration:", "Configuration:  # HERE")),
    row("header-missing", "routeHeader", BASE, ("    routeHeader: x-lane\n", ""), ("Configuration:", "Configuration:  # HERE")),
    row("header-capitals", "Write x-lane", BASE, ("routeHeader: x-lane", "routeHeader: X-Lane  # HERE"), severity=WARNING),
    row(
        "header-capitals", "has capitals", BASE, ("{x-lane: {exact: s2}}}", "{X-Lane: {exact: s2}}}  # HERE"), severity=WARNING
    ),
    row("missing-baseline", "s9 is no lane", BASE, ("fallbackTarget: s1", "fallbackTarget: s9  # HERE")),
    row(
        "missing-baseline",
        "created first",
        BASE,
        ("    fallbackTarget: s1\n", ""),
        ("Configuration:", "Configuration:  # HERE"),
        severity=WARNING,
    ),
    row(
        "missing-baseline",
        "fallback of default/mocka is s9",
        BASE,
        ("fallbackTarget: s1", "fallbackTarget: s1\n    serviceLevelFallbackTarget:\n      default/mocka: s9  # HERE"),
    ),
    row(
        "not-in-group",
        "no such service",
        BASE,
        ("fallbackTarget: s1", "fallbackTarget: s1\n    serviceLevelFallbackTarget:\n      default/x: s1  # HERE"),
        severity=WARNING,
    ),
    row("not-in-group", "lists default/x", BASE, ("[{name: mocka}]", "[{name: mocka}, {name: x}]  # HERE"), severity=WARNING),
    row("patch", "not documented", BASE, ("spec:", "spec:\n  defaultHttpRoutePatch: {timeout: 1s}  # HERE"), severity=WARNING),
    row("empty-selector", "of every lane", BASE, ("name: s2", "name: s2  # HERE"), ("  labelSelector: {version: v2}\n", "")),
    row("same-selector", "lanes s1 and s2", BASE, ("{version: v2}", "{version: v1}  # HERE")),
    row(
        "service-in-two-groups",
        "default/mocka is in",
        BASE,
        after="---\n" + change(OTHER_GROUP, ("services:", "services:  # HERE")),
    ),
    row(
        "traceparent",
        "changes at every hop",
        BASE,
        ("traceHeader: x-lane", "traceHeader: traceparent  # HERE"),
        severity=WARNING,
    ),
    row(
        "strict-lane-incomplete",
        "does not list default/mockb",
        STRICT,
        ("services: [{name: mocka}]\n", "services: [{name: mocka}]  # HERE\n"),
    ),
    row(
        "strict-lane-incomplete",
        "has no workload of default/mockb labelled version=v2",
        STRICT,
        ("  services: [{name: mocka}]\n", ""),
        ("name: s2", "name: s2  # HERE"),
        after=PODS,
    ),
    row(
        "lane-without-workload",
        "pods labelled version=v9",
        BASE,
        ("{version: v2}", "{version: v9}  # HERE"),
        after=PODS,
    ),
    row(
        "service-without-workload",
        "lists default/mockb",
        BASE,
        ("[{name: mocka}]\n", "[{name: mocka}, {name: mockb}]  # HERE\n"),
        severity=WARNING,
        after=PODS,
    ),
    row("baseline-incomplete", "has no default/mockb", BASE, ("[{name: mocka}, {name: mockb}]", "[{name: mocka}]  # HERE")),
    row(
        "baseline-incomplete",
        "has no default/mockb",
        BASE,
        ("[{name: mocka}, {name: mockb}]", "[{name: mocka}, {name: mockb}]  # HERE"),
        after=PODS.replace("app: mockb", "app: other"),
    ),
    row(
        "baseline-incomplete",
        "default/mockb falls back to lane s2, which does not have it",
        BASE,
        ("fallbackTarget: s1", "fallbackTarget: s1\n    serviceLevelFallbackTarget: {default/mockb: s2}  # HERE"),
    ),
    row(
        "mode-unused",
        "the group is strict",
        BASE,
        ("  isPermissive: true\n", ""),
        ("Configuration:", "Configuration:  # HERE"),
        severity=WARNING,
    ),
    row(
        "misspelt", "isPermisive; there is no such", BASE, ("isPermissive: true", "isPermisive: true  # HERE"), severity=WARNING
    ),
    row("misspelt", "Write online", BASE, ("    online: true", "    onlin: true  # HERE"), severity=WARNING),
    row("misspelt", "kind ASMSwimlane", BASE, after="---\nkind: ASMSwimlane\nspec: {}\n", severity=WARNING),
    row("lane-name", "A.b", BASE, ("name: s2\n", "name: A.b  # HERE\n"), severity=WARNING),
    row(
        "rule-offline",
        "r2 of lane s2 is not online",
        BASE,
        ("  - name: r2", "  - name: r2  # HERE"),
        (
            "    online: true\n    match: {uri: {exact: /mock}, headers: {x-lane: {exact: s2",
            "    match: {uri: {exact: /mock}, headers: {x-lane: {exact: s2",
        ),
        severity=WARNING,
    ),
    row(
        "rule-destination",
        "sends to default/mockx",
        BASE,
        ("  - name: r1", "  - name: r1  # HERE"),
        ("{host: mocka}", "{host: mockx}"),
    ),
    row(
        "unreachable-rule",
        "r2 of lane s2 is never reached",
        BASE,
        ("  - name: r2", "  - name: r2  # HERE"),
        (", headers: {x-lane: {exact: s1}}", ""),
    ),
    row(
        "overlapping-rules",
        "r1 of lane s1 and r2",
        BASE,
        ("  - name: r2", "  - name: r2  # HERE"),
        ("{x-lane: {exact: s2}}", "{x-user: {exact: dev}}"),
        severity=WARNING,
    ),
    row(
        "rules-unused",
        "strategy weighted",
        BASE,
        ("type: ASM}", "type: ASM}\n    ingressRouting: {ingressRoutingStrategy: weighted}"),
        ("  - name: r1", "  - name: r1  # HERE"),
        severity=WARNING,
    ),
    row(
        "weight-unused",
        "not weighted",
        BASE,
        ("{version: v2}", "{version: v2}\n  ingressWeight: {destination: {host: mocka}, weight: 5}  # HERE"),
        severity=WARNING,
    ),
    row(
        "weights",
        "add up to 90",
        WEIGHTED,
        ("weight: 50", "weight: 40"),
        ("Strategy: weighted", "Strategy: weighted  # HERE"),
        severity=WARNING,
    ),
    row(
        "weights",
        "all weights are 0",
        WEIGHTED,
        ("weight: 50", "weight: 0"),
        ("weight: 50", "weight: 0"),
        ("Strategy: weighted", "Strategy: weighted  # HERE"),
    ),
    row(
        "weights",
        "no ingressWeight",
        WEIGHTED,
        ("name: s1\n", "name: s1  # HERE\n"),
        ("  ingressWeight: {destination: {host: mocka}, weight: 50}\n", ""),
        severity=WARNING,
    ),
    row(
        "rule-destination",
        "weight of lane s1",
        WEIGHTED,
        ("{destination: {host: mocka}, weight: 50}", "{destination: {host: x}, weight: 50}  # HERE"),
    ),
    row(
        "propagation",
        "no ASMHeaderPropagation names x-lane",
        BASE,
        ("traceHeader: x-lane", "traceHeader: baggage"),
        severity=WARNING,
        after=change(PROPAGATION, ("kind", "# HERE\nkind")).replace("# HERE\n", ""),
    ),
    row(
        "propagation",
        "no TrafficLabel names x-lane",
        BASE,
        ("traceHeader: x-lane", "traceHeader: x-id"),
        severity=WARNING,
        after=LABEL,
    ),
    row("shape", "VirtualService mocka has no hosts", ISTIO, ("  hosts: [mocka]\n", "")),
    row("shape", "DestinationRule mocka has no host", ISTIO, ("  host: mocka\n", "")),
    row("shape", "destination.host is missing", ISTIO, ("{host: mocka, subset: s2}", "{subset: s2}  # HERE")),
    row("shape", "fallback has no target", ISTIO, ("subset: s2}\n", "subset: s2}\n      fallback: {}  # HERE\n")),
    row(
        "not-modelled",
        "destination.host is api.partner.example",
        ISTIO,
        ("{host: mocka, subset: s2}", "{host: api.partner.example}  # HERE"),
        severity=WARNING,
    ),
    row("value", "no name of a service", ISTIO, ("{host: mocka, subset: s2}", "{host: mo_ck@}  # HERE")),
    row(
        "host-not-full",
        "neither short nor full",
        ISTIO,
        ("  host: mocka\n", "  host: mocka.default.svc  # HERE\n"),
        severity=WARNING,
    ),
    row(
        "host-not-full",
        "Write mocka.default.svc.cluster.local",
        ISTIO,
        ("[mocka]", "[mocka.default]  # HERE"),
        severity=WARNING,
    ),
    row(
        "host-not-full",
        "mocka.shop",
        ISTIO.replace("metadata: {name: mocka}", "metadata: {name: mocka, namespace: shop}"),
        ("{host: mocka, subset: s2}", "{host: mocka.shop, subset: s2}  # HERE"),
        severity=WARNING,
    ),
    row(
        "shape",
        "http[0] has none of route, redirect",
        ISTIO,
        ("  - name: two\n", "  - name: two  # HERE\n"),
        ("    route:\n    - destination: {host: mocka, subset: s2}\n", ""),
    ),
    row(
        "weights",
        "route two of mocka add up to 90",
        ISTIO,
        ("  - name: two", "  - name: two  # HERE"),
        ("subset: s2}\n", "subset: s2}\n      weight: 30\n    - destination: {host: mocka, subset: s1}\n      weight: 60\n"),
        severity=WARNING,
    ),
    row(
        "unreachable-rule",
        "route again of mocka is never reached",
        ISTIO,
        (
            "  - name: rest",
            "  - {name: again, match: [{headers: {X-Lane: {exact: s2}}, method: {}}], redirect: {}}  # HERE\n  - name: rest",
        ),
    ),
    row(
        "unreachable-rule",
        "route 3 of mocka is never reached",
        HTTP_ROUTE,
        (
            "  - backendRefs: [{name: mocka-s1, port: 80}]\n",
            "  - backendRefs: [{name: mocka-s1, port: 80}]\n  - backendRefs: [{name: mocka-s2, port: 80}]  # HERE\n",
        ),
    ),
    row("header-capitals", "has capitals", ISTIO, ("{x-lane: {exact: s2}}", "{X-Lane: {exact: s2}}  # HERE"), severity=WARNING),
    row("not-modelled", "port", ISTIO, ("- headers: {x-lane: {exact: s2}}", "- port: 80  # HERE"), severity=WARNING),
    row(
        "not-modelled",
        "another VirtualService",
        ISTIO,
        ("  - name: rest\n", "  - name: rest\n    delegate: {name: x}  # HERE\n"),
        severity=WARNING,
    ),
    row(
        "not-modelled",
        "dynamic subsets",
        ISTIO,
        ("  host: mocka\n", "  host: mocka\n  dynamicSubset: {}  # HERE\n"),
        severity=WARNING,
    ),
    row(
        "unknown-subset",
        "subset s9 of default/mocka",
        ISTIO,
        ("  - name: two", "  - name: two  # HERE"),
        ("subset: s2}", "subset: s9}"),
    ),
    row(
        "unreachable-rule",
        "route rest of mocka is never reached",
        ISTIO,
        ("    match:\n    - headers: {x-lane: {exact: s2}}\n", ""),
        ("  - name: rest", "  - name: rest  # HERE"),
    ),
    row(
        "weights",
        "all weights of route two",
        ISTIO,
        ("  - name: two", "  - name: two  # HERE"),
        ("subset: s2}\n", "subset: s2}\n    - destination: {host: mocka, subset: s1}\n"),
    ),
    row(
        "no-default-route",
        "no route without condition",
        ISTIO,
        ("kind: VirtualService", "kind: VirtualService"),
        ("  - name: rest\n    route:", "  - name: rest\n    match: [{uri: {exact: /}}]\n    route:"),
        severity=WARNING,
    ),
    row(
        "host-in-two-routes",
        "mocka and again",
        ISTIO,
        after="---\n" + ISTIO.split("---\n")[1].replace("name: mocka}", "name: again}"),
    ),
    row("shape", "has no parentRefs", HTTP_ROUTE, ("  parentRefs: [{kind: Service, name: mocka}]\n", "")),
    row("shape", "backendRefs[0] has no name", HTTP_ROUTE, ("[{name: mocka-s2, port: 80}]", "[{port: 80}]  # HERE")),
    row(
        "shape",
        "Exact, PathPrefix or RegularExpression",
        HTTP_ROUTE,
        ("{type: Exact, value: /mock}", "{type: Fuzzy, value: /mock}  # HERE"),
    ),
    row("shape", "type Like", HTTP_ROUTE, ("{name: x-lane, value: s2}", "{type: Like, name: x-lane, value: s2}")),
]


def found_in(text: str, code: str) -> list[Finding]:
    return [finding for finding in check([(text, "lanes.yaml")]) if finding.code == code]


@pytest.mark.parametrize(
    ("code", "severity", "text", "says"), ROWS, ids=[f"{number}-{row[0]}" for number, row in enumerate(ROWS)]
)
def test_finding(code: str, severity: str, text: str, says: str) -> None:
    """Each mistake is found once, where it stands, with what, why and fix; loading refuses exactly the errors of reading."""
    (finding,) = [each for each in found_in(text, code) if says in str(each)]
    assert finding.severity == severity
    assert finding.place.file == "lanes.yaml"
    marked = [number for number, line in enumerate(text.split("\n"), 1) if "# HERE" in line]
    if marked:
        assert [finding.place.line] == marked
    assert finding.what
    assert finding.why
    assert finding.fix[0].isupper()
    assert str(finding).isprintable()


def test_nothing_wrong() -> None:
    """Correct files have no finding at all: nothing is cried out without need."""
    strict = change(STRICT, ("  services: [{name: mocka}]\n", ""))
    elsewhere = (
        "---\nkind: DestinationRule\nspec: {host: api.partner.example}\n---\nkind: DestinationRule\nspec: {host: '*.x'}\n"
    )
    other_mesh = "---\napiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualService\nspec: {provider: {}}\n"
    parts = change(ISTIO, (", {name: s2, labels: {version: v2}}]", "]"))
    parts += "---\nkind: DestinationRule\nspec: {host: mocka, subsets: [{name: s2}, {name: s1, labels: {version: v9}}]}\n"
    thirds = change(HTTP_ROUTE, ("[{name: mocka-s2, port: 80}]", "[{name: mocka-s2, weight: 2}, {name: mocka-s3}]"))
    good = [BASE, WEIGHTED, strict, BASE + PODS, ISTIO, ISTIO + elsewhere + other_mesh, parts, HTTP_ROUTE, thirds]
    good.append(change(BASE, ("traceHeader: x-lane", "traceHeader: baggage")) + PROPAGATION.replace("version", "x-lane"))
    for text in good:
        assert check([(text, "lanes.yaml")]) == []


def test_all_errors_at_once() -> None:
    """Loading reports every error of the files in one exception, each on a line of its own with file and line."""
    text = change(BASE, ("isPermissive: true", "isPermissive: 1"), ("name: r2", "name: 2"), ("{version: v2}", "{version: 2}"))
    with pytest.raises(RoutingError) as raised:
        load_text(text, "deploy/lanes.yaml")
    lines = str(raised.value).splitlines()
    assert len(lines) == len(raised.value.findings) == 3
    assert all(re.match(r"deploy/lanes\.yaml:\d+: ", line) for line in lines)


def test_every_code_is_tested_and_documented() -> None:
    """No finding exists without a row here and an entry in the guide."""
    source = "".join(path.read_text() for path in Path(lanebaggage.routing.__path__[0]).glob("*.py"))
    codes = set(re.findall(r'(?:error|warning)\(\s*"([a-z-]+)",', source)) | {"value"}
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "check-lane-yaml.md").read_text()
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE))
    assert {row[0] for row in ROWS} | {"lost"} == codes == documented
