"""``lanebaggage route``, ``check`` and ``convert`` on files: what they print, and their exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from lanebaggage._cli import lanebaggage
from lanebaggage.routing import load, load_routes
from lanebaggage.routing.envoy import bootstrap

if TYPE_CHECKING:
    from click.testing import Result

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"
SCENARIO_1 = str(ACCEPTANCE / "scenario-1" / "lanes.yaml")
SCENARIO_2 = str(ACCEPTANCE / "scenario-2" / "lanes.yaml")
SCENARIO_3 = str(ACCEPTANCE / "scenario-3" / "lanes.yaml")
STRICT = str(ACCEPTANCE / "strict" / "lanes.yaml")
ISTIO = str(ACCEPTANCE / "istio" / "routes.yaml")
MOCK = str(ACCEPTANCE / "mock.yaml")
LANE_S3 = ["-H", "x-asm-prefer-tag: s3"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(lanebaggage, list(arguments))


ROUTES = [
    ([SCENARIO_1, "--to", "mockb", *LANE_S3], 0, "mockb -> s3 (lane s3): lane s3"),
    ([SCENARIO_1, "--to", "mockb.default.svc:8000"], 0, "mockb -> s1 (no lane): no lane: baseline s1"),
    ([SCENARIO_1, "--to", "mockb", "--no-lane", "error"], 1, "mockb: 503 (no lane): no lane, which the settings make an error"),
    ([SCENARIO_1, "--to", "mockx"], 1, "mockx: 404 (no lane): mockx is no service of lane group test"),
    (
        [SCENARIO_1, "--to", "mockb", *LANE_S3, "--down", "mockb=s3"],
        0,
        "mockb -> s1 (lane s3, fallback): mockb has no healthy endpoint in lane s3, fell back to s1",
    ),
    (
        [SCENARIO_1, "--to", "mockb", *LANE_S3, "--down", "mockb"],
        1,
        "mockb: 503 (lane s3): mockb has no healthy endpoint in lane s3, nor in s1, which it falls back to",
    ),
    (
        [SCENARIO_1, "--path", "/mock?x=1", *LANE_S3],
        0,
        "mocka -> s1 (lane s3, fallback): rule r-s3: mocka is not in lane s3, fell back to s1",
    ),
    ([SCENARIO_1, "--unmatched", "error"], 1, ": 404 (no lane): no lane rule matches"),
    ([SCENARIO_3, "--path", "/mock", "--choice", "0.7"], 0, "mocka -> s2 (lane s2): weight 20 of 100"),
    ([STRICT, "--to", "mockb", "--from", "s2", *LANE_S3], 0, "mockb -> s2 (lane s2): lane s2"),
    ([SCENARIO_2, "--workloads", MOCK, "--to", "mockb", "-H", "my-trace-id: s3"], 0, "mockb -> s3 (lane s3): lane s3"),
    ([ISTIO, "--to", "mockb", *LANE_S3], 0, "mockb -> s3 (lane s3): route lane-s3"),
    ([ISTIO, "--path", "/mock", *LANE_S3], 0, "mocka -> s1 (lane s3, fallback): route r-s3"),
]


@pytest.mark.parametrize(("arguments", "status", "line"), ROUTES, ids=[" ".join(row[0][1:]) for row in ROUTES])
def test_route(arguments: list[str], status: int, line: str) -> None:
    """One line says where the request goes; the status is 0 if some instance serves it."""
    result = run("route", "--mesh", *arguments)
    assert (result.exit_code, result.output) == (status, line + "\n")


def test_route_explained() -> None:
    """--explain lists what was compared: the rules one by one, the headers, the lanes that have the service."""
    lines = run("route", "--mesh", SCENARIO_1, "--path", "/mock", *LANE_S3, "--explain").output.splitlines()
    assert [line.split(None, 2)[:2] for line in lines[1:]] == [
        ["lane", "group"],
        ["rule", "r-s1"],
        ["rule", "r-s2"],
        ["rule", "r-s3"],
        ["mocka", "in"],
        ["served", "by"],
        ["set", "header"],
    ]
    assert lines[2].endswith("x-asm-prefer-tag is s3, not exact s1")
    hop = run("route", "--mesh", SCENARIO_1, "--to", "mockb", "-H", "x-asm-prefer-tag: s\x1b[31m", "--explain").output
    assert "x-asm-prefer-tag: 6 characters" in hop
    assert "my-trace-id: absent" in hop
    assert "in s1, s3; falls back to s1" in hop
    strict = run("route", "--mesh", STRICT, "--to", "mockb", "--from", "s9", "--explain").output
    assert "in s1, s2, s3; no fallback in strict mode" in strict
    weights = run("route", "--mesh", SCENARIO_3, "--path", "/mock", "--explain").output
    assert "s1 60, s2 20, s3 20" in weights
    assert "does not match" in run("route", "--mesh", ISTIO, "--to", "mockb", "--explain").output


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("online: true", "online: false"), "not online"),
        (("hosts: ['*']", "hosts: [shop.example]"), "host (none) is none of shop.example"),
        (("exact: /mock", "exact: /other"), "path /mock is not exact /other"),
        (("{exact: s1}", "{exact: s3}"), "matches, taken"),
    ],
)
def test_why_a_rule_does_not_match(edit: tuple[str, str], says: str, tmp_path: Path) -> None:
    """The explanation names the condition of each rule that was not met."""
    (tmp_path / "lanes.yaml").write_text(Path(SCENARIO_1).read_text().replace(*edit, 1))
    lines = run("route", "--mesh", str(tmp_path), "--path", "/mock", *LANE_S3, "--explain").output.splitlines()
    (line,) = [line for line in lines if line.strip().startswith("rule r-s1")]
    assert line.endswith(f"lane s1: {says}")
    if says == "matches, taken":
        assert any(line.endswith("lane s3: matches too, but is not the first") for line in lines)


def test_route_as_json() -> None:
    """--format json prints the decision, and the explanation if asked for."""
    shown = json.loads(run("route", "--mesh", SCENARIO_1, "--path", "/mock", *LANE_S3, "--explain", "--format", "json").output)
    assert (shown["service"], shown["lane"], shown["target"], shown["fallback"]) == ("mocka", "s3", "s1", True)
    assert (shown["status"], shown["rule"], shown["set_headers"]) == (200, "r-s3", {"x-asm-prefer-tag": "s3"})
    assert {"what": "served by", "how": "pods of lane s1, labelled ASM_TRAFFIC_TAG=v1"} in shown["explain"]
    assert "explain" not in json.loads(run("route", "--mesh", SCENARIO_1, "--format", "json").output)


def two_groups(folder: Path) -> str:
    text = Path(SCENARIO_1).read_text()
    other = text.replace("name: test", "name: other").replace("group: test", "group: other").replace("mock", "shop")
    (folder / "lanes.yaml").write_text(f"{text}---\n{other}")
    return str(folder)


def test_several_groups(tmp_path: Path) -> None:
    """The group is the one that has the service, or the one that is named; else the error lists them."""
    mesh = two_groups(tmp_path)
    assert run("route", "--mesh", mesh, "--to", "shopb").output.startswith("shopb -> s1")
    assert run("route", "--mesh", mesh, "--group", "other", "--path", "/shop", *LANE_S3).output.startswith("shopa -> s1")
    assert "choose one of test, other by --group" in run("route", "--mesh", mesh).output
    assert "no lane group third; there are test, other" in run("route", "--mesh", mesh, "--group", "third").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["route", "--mesh", SCENARIO_1, "-H", "no header"], "'no header' is no header; write 'name: value'"),
        (["route", "--mesh", MOCK], "no ASMSwimLaneGroup, VirtualService or HTTPRoute is in there"),
        (["route", "--mesh", "missing.yaml"], "does not exist"),
        (["route", "--mesh", SCENARIO_1, "--choice", "1"], "not in the range"),
        (["convert", str(ACCEPTANCE / "README.md"), "--to", "istio"], "README.md"),
        (["convert", SCENARIO_1, "--to", "nginx"], "nginx"),
    ],
)
def test_mistakes_are_sentences(arguments: list[str], says: str) -> None:
    """A user's mistake is a sentence with the way out, and never a traceback."""
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert says in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "mockb", "-H", "x-asm-prefer-tag: s9", "--unknown-lane", "error"], "mockb: 503 (no lane): unknown lane"),
        (["--to", "mockb", "--no-lane", "error"], "mockb: 503 (no lane): no lane, which the settings"),
        (["--path", "/x", "--unmatched", "error"], ": 404 (no lane): no lane rule matches"),
        (["--to", "mockc", "-H", "my-trace-id: a=1", "--remembered", "a=1=s2"], "mockc -> s2 (lane s2): lane s2 remembered"),
        (["--path", "/mock", *LANE_S3, "-H", "x-asm-prefer-tag: s2", "--repeated", "each"], "mocka -> s2 (lane s2): rule r-s2"),
    ],
)
def test_settings(arguments: list[str], says: str) -> None:
    """Each setting of the router is an option, and counts."""
    assert run("route", "--mesh", SCENARIO_1, *arguments).output.startswith(says)


def test_settings_of_other_modes(tmp_path: Path) -> None:
    """Those of baggage mode, of traceparent, of workloads and of Istio's routes count too."""
    lanes = Path(SCENARIO_1).read_text()
    baggage, parent = tmp_path / "baggage.yaml", tmp_path / "traceparent.yaml"
    baggage.write_text(lanes.replace("traceHeader: my-trace-id", "traceHeader: baggage"))
    both = ["--mesh", str(baggage), "--to", "mockb", *LANE_S3, "-H", "baggage: x-asm-prefer-tag=s2,k=s1"]
    assert run("route", *both).output.startswith("mockb -> s3 (lane s3)")
    assert "(lane s2, fallback)" in run("route", *both, "--carrier", "baggage").output
    assert "(lane s1)" in run("route", *both, "--carrier", "baggage", "--baggage-key", "k").output
    parent.write_text(lanes.replace("traceHeader: my-trace-id", "traceHeader: traceparent"))
    traced = ["--mesh", str(parent), "--to", "mockc", "-H", "traceparent: 00-4bf9-00f0-01", "--remembered", "4bf9=s2"]
    assert "(no lane)" in run("route", *traced).output
    assert "(lane s2)" in run("route", *traced, "--traceparent", "trace-id").output
    running = ["--mesh", SCENARIO_1, "--to", "mockb", "-H", "x-asm-prefer-tag: s2", "--workloads", MOCK]
    assert run("route", *running).output.startswith("mockb -> s1")
    assert run("route", *running, "--unlisted", "present").output.startswith("mockb -> s2")
    twice = ["--mesh", ISTIO, "--to", "mockb", *LANE_S3, *LANE_S3]
    assert run("route", *twice).output.startswith("mockb -> s1")
    assert run("route", *twice, "--repeated", "each").output.startswith("mockb -> s3")
    assert "write TRACE=LANE" in run("route", "--mesh", SCENARIO_1, "--to", "mockb", "--remembered", "t1").output


# --- check


def broken(folder: Path) -> str:
    path = folder / "la,n:es%.yaml"
    path.write_text(
        Path(SCENARIO_1).read_text().replace("    online: true\n", "", 1).replace("fallbackTarget: s1", "fallbackTarget: s9")
    )
    return str(path)


def test_check_for_people(tmp_path: Path) -> None:
    """Findings in the order of lines, each with place, severity, code, why and fix; a count at the end."""
    path = broken(tmp_path)
    result = run("check", path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{path}:8: error: the baseline (fallbackTarget) s9 is no lane of the group [missing-baseline]",
        "    why: a fallback ends in 503",
        "    fix: Write one of s1, s2, s3",
        f"{path}:30: warning: rule r-s1 of lane s1 is not online [rule-offline]",
        "    why: it is kept, and never applied",
        "    fix: Write online: true",
        "1 error, 1 warning in 1 file",
    ]
    good = run("check", str(ACCEPTANCE / "strict"), MOCK)
    assert (good.exit_code, good.output) == (0, "nothing wrong in 2 files\n")


def test_check_for_programs(tmp_path: Path) -> None:
    """--format json is a list with every field."""
    path = broken(tmp_path)
    first, second = json.loads(run("check", path, "--format", "json").output)
    assert first == {
        "file": path,
        "line": 8,
        "code": "missing-baseline",
        "severity": "error",
        "what": "the baseline (fallbackTarget) s9 is no lane of the group",
        "why": "a fallback ends in 503",
        "fix": "Write one of s1, s2, s3",
    }
    assert second["code"] == "rule-offline"


def test_check_for_github(tmp_path: Path) -> None:
    """--format github is a workflow command per finding, with what would end a property or a line escaped."""
    lines = run("check", broken(tmp_path), "--format", "github").output.splitlines()
    name = f"{tmp_path}/la%2Cn%3Aes%25.yaml"
    assert lines[0].startswith(
        f"::error file={name},line=8,title=missing-baseline::the baseline (fallbackTarget) s9 is no lane"
    )
    assert lines[1].startswith(f"::warning file={name},line=30,title=rule-offline::")
    (tmp_path / "large.yaml").write_bytes(b"\xff")
    assert run("check", str(tmp_path / "large.yaml"), "--format", "github").output.startswith(
        f"::error file={tmp_path}/large.yaml,title=yaml::"
    )


def test_what_fails_a_check(tmp_path: Path) -> None:
    """An error fails; a warning only if asked; so does a file that cannot be read, and the others are still checked."""
    warned = tmp_path / "warned.yaml"
    warned.write_text(Path(SCENARIO_1).read_text().replace("    online: true\n", "", 1))
    assert run("check", str(warned)).exit_code == 0
    assert run("check", str(warned), "--fail-on", "warning").exit_code == 1
    assert run("check", SCENARIO_1, "--fail-on", "warning").exit_code == 0
    both = run("check", str(tmp_path / "missing.yaml"), broken(tmp_path))
    assert both.exit_code == 1
    assert "missing.yaml: error: no such file" in both.output
    assert "[missing-baseline]" in both.output


def test_standard_input() -> None:
    """What kubectl prints can be piped in; what is no UTF-8 is refused as in a file."""
    lanes = Path(SCENARIO_1).read_bytes()
    invoke = CliRunner().invoke
    assert invoke(lanebaggage, ["check", "-"], input=lanes).output == "nothing wrong in 1 file\n"
    assert invoke(lanebaggage, ["convert", "-", "--to", "asm"], input=lanes).output.count("kind: ASMSwimLane\n") == 3
    wrong = invoke(lanebaggage, ["check", "-"], input=lanes.replace(b"fallbackTarget: s1", b"fallbackTarget: s9"))
    assert wrong.output.startswith("<stdin>:8: error: the baseline")
    assert "<stdin>: error: half a character [yaml]" in invoke(lanebaggage, ["check", "-"], input=b"a: \xff").output


# --- convert


def test_convert_to_asm(tmp_path: Path) -> None:
    """ASM's resources read back to the same group, from a file too."""
    path = tmp_path / "again.yaml"
    assert run("convert", SCENARIO_1, "--to", "asm", "-o", str(path)).output == ""
    assert load(path) == load(SCENARIO_1)


@pytest.mark.parametrize("target", ["istio", "gateway-api"])
def test_convert_to_routes(target: str, tmp_path: Path) -> None:
    """What is written is correct to ``check``, and decides as the lane file."""
    path = tmp_path / "routes.yaml"
    path.write_text(run("convert", SCENARIO_1, MOCK, "--to", target).output)
    assert run("check", str(path)).output == "nothing wrong in 1 file\n"
    assert load_routes(path).lanes.keys() == {"s1", "s2", "s3"}
    hop = ["--to", "mockb", *LANE_S3]
    assert run("route", "--mesh", str(path), *hop).output.startswith("mockb -> s3 (lane s3)")


def test_convert_with_the_fallback_of_asm() -> None:
    """The extension is written only if asked for."""
    assert "fallback:" not in run("convert", SCENARIO_1, "--to", "istio").output
    assert "fallback:" in run("convert", SCENARIO_1, "--to", "istio", "--asm-fallback").output


def test_convert_to_envoy() -> None:
    """Envoy's configuration is that of ``lanebaggage.routing.envoy``."""
    (group,) = load(SCENARIO_1)
    assert json.loads(run("convert", SCENARIO_1, "--to", "envoy").output) == json.loads(json.dumps(bootstrap(group)))


def test_convert_one_of_several_groups(tmp_path: Path) -> None:
    """All groups are written, or the one that is named; Envoy takes one."""
    mesh = two_groups(tmp_path)
    assert run("convert", mesh, "--to", "asm").output.count("kind: ASMSwimLaneGroup") == 2
    assert run("convert", mesh, "--to", "asm", "--group", "other").output.count("kind: ASMSwimLaneGroup") == 1
    assert "by --group" in run("convert", mesh, "--to", "envoy").output
    assert run("convert", mesh, "--to", "envoy", "--group", "other").exit_code == 0


def test_convert_from_istio(tmp_path: Path) -> None:
    """Routes become a lane group; what it cannot say is a warning beside the output."""
    path = tmp_path / "routes.yaml"
    path.write_text(
        Path(ISTIO)
        .read_text()
        .replace("    - uri:\n        exact: /mock", "    - method: {exact: GET}\n      uri:\n        exact: /mock", 1)
    )
    result = run("convert", str(path), "--to", "asm", "--group", "mine")
    assert "name: mine" in result.stdout
    assert "route r-s1 has a condition on method" in result.stderr
    assert "warning" not in result.stdout
