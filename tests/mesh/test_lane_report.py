"""The lane report: what a picture of a test holds and leaves out, and what each format makes of the pictures."""

from __future__ import annotations

import json
import logging
import re
from enum import Enum
from html.parser import HTMLParser
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from execnet.gateway_base import dumps, loads

import lanebaggage
from lanebaggage import MeshError
from lanebaggage.mesh import Call, Hop, Mesh
from lanebaggage.mesh.hops import BY_HEADER
from lanebaggage.mesh.reporting import LaneReport, check, snapshot
from lanebaggage.mesh.reporting.picture import MOST_CALLS, MOST_DEEP, MOST_HEADERS, MOST_HOPS
from mesh.chain import ACCEPTANCE, declare
from mesh.lane_report_run import FILE, RUN, pictures, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECEIPT = "test_the_receipt_is_sent_in_the_lane"
EVIL = "<script>alert('\"&`|\n%%{#</script>"
VOID = {"meta", "link", "input", "br"}


@pytest.fixture(scope="module")
def report() -> LaneReport:
    """The realistic run."""
    logging.disable()
    found = run()
    logging.disable(logging.NOTSET)
    return found


def hop(mesh: Mesh, origin: Hop | Call, service: str, **more: Any) -> Hop:
    """A hop as an engine fills it, already over."""
    found = mesh.recorder.open(origin, BY_HEADER, "GET", "/")
    found.routed = True
    found.service, found.version = service, "v1"
    for name, value in more.items():
        setattr(found, name, value)
    mesh.recorder.close(found, 200)
    return found


def walk(hops: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in hops:
        yield one
        yield from walk(one["hops"])


# --- pictures


def test_a_picture_shows_what_a_test_did() -> None:
    """Lane group, calls and hops; where the lane was lost, why, and what fixes it; as JSON and between xdist's processes."""
    picture = pictures((RECEIPT,))[RECEIPT]
    assert json.loads(json.dumps(picture)) == picture == loads(dumps(picture))
    assert picture["engine"] == "inprocess"
    assert picture["totals"] == {"calls": 1, "hops": 6, "fallbacks": 2, "lost": 1, "permitted": 0}
    [call] = picture["calls"]
    assert (call["title"], call["lane"], call["status"], call["lost_at"]) == ("GET checkout/receipt", "s2", 200, "mockb")
    [checkout] = call["hops"]
    assert [(one["service"], one["version"], one["lane"]) for one in walk([checkout])] == [
        ("checkout", "v2", "s2"),
        ("mockb", "v3", "s3"),
        ("mockc", "v1", "s3"),
        ("mocka", "v2", "s2"),
        ("mockb", "v1", "s2"),
        ("mockc", "v2", "s2"),
    ]
    lost, kept = checkout["hops"]
    assert lost["lost"]["serving"] == "checkout"
    assert lost["lost"]["lane"] == "s2"
    assert not lost["lost"]["permitted"]
    assert "x-asm-prefer-tag of its own: s3" in lost["lost"]["cause"]
    assert lost["lost"]["fix"].startswith("take x-asm-prefer-tag out")
    assert kept["lost"] is None
    fallen = kept["hops"][0]
    assert (fallen["fallback"], fallen["target"], fallen["reason"]) == (True, "s1", "mockb is not in lane s2, fell back to s1")
    assert (kept["method"], kept["path"], kept["host"]) == ("GET", "/stock?item=42", "mocka")
    assert kept["headers"] == [["x-asm-prefer-tag", "s2"]]
    assert 0 == checkout["at"] < kept["at"] <= fallen["at"] < checkout["duration"]
    assert f"cause: {lost['lost']['cause']}" in call["drawn"]


def test_a_permitted_loss_is_told_apart() -> None:
    """What a test permits is shown, and counted by itself."""
    name = "test_mail_may_leave_the_lane"
    picture = pictures((name,))[name]
    assert picture["totals"]["lost"] == 0
    assert picture["totals"]["permitted"] == 1
    assert [one["lost"]["permitted"] for one in walk(picture["calls"][0]["hops"]) if one["lost"]] == [True]


def test_a_picture_holds_plain_types_alone() -> None:
    """Versions, lanes and statuses may be given as members of an enumeration, which xdist does not carry."""

    class Name(str, Enum):
        FIRST = "v1"
        LANE = "s1"

    with Mesh() as mesh:
        mesh.service("mocka", {Name.FIRST: _nothing})
        mesh.lanes({Name.LANE: Name.FIRST}, baseline=Name.LANE)
        with mesh.fail("mocka", HTTPStatus.IM_A_TEAPOT):
            mesh.get("mocka", "/", lane=Name.LANE)
        picture = snapshot(mesh)
    assert loads(dumps(picture)) == picture
    [call] = picture["calls"]
    assert (call["lane"], call["status"], call["hops"][0]["version"], call["hops"][0]["status"]) == ("s1", 418, "v1", 418)


def test_faults_and_hosts_outside_are_shown() -> None:
    """The fault that a hop met, the service that nothing served, and the partner that got no lane."""
    faults, paths = "test_an_outage_is_told", "test_each_lane_takes_its_own_path"
    found = pictures((faults, paths))
    hops = [one for call in found[faults]["calls"] for one in walk(call["hops"])]
    assert [one["note"] for one in hops if one["note"]] == ["fault: answers 503"]
    assert [(one["service"], one["status"]) for one in hops if one["version"] is None] == [("mockc", 503)]
    outside = [one for call in found[paths]["calls"] for one in walk(call["hops"]) if one["external"]]
    assert [(one["service"], one["lane"], one["left_mesh"], one["lost"]) for one in outside] == [
        ("api.partner.example", None, False, None)
    ] * 3
    assert found[paths]["lanes"]["elsewhere"] == [{"name": "api.partner.example", "versions": ["external"], "external": True}]


def test_a_mesh_without_lanes_or_calls_has_a_picture() -> None:
    """No lanes declared, lanes that do not fit, no call: nothing is raised, and the picture is as plain."""
    with Mesh() as mesh:
        nothing = {"calls": 0, "hops": 0, "fallbacks": 0, "lost": 0, "permitted": 0}
        expected = {"engine": "inprocess", "lanes": None, "totals": nothing, "calls": [], "left_out": 0}
        assert snapshot(mesh) == expected
        call = mesh.recorder.begin("GET mocka/", "s2")
        hop(mesh, hop(mesh, call, "mocka", lane="s2"), "mockb", lane=None)
        for _ in range(2):
            picture = snapshot(mesh)
            assert picture["lanes"] is None
            assert picture["calls"][0]["hops"][0]["hops"][0]["lost"]["cause"] == ""
            mesh.lanes(baseline="s9", s1="v1")


@pytest.mark.parametrize(
    ("scenario", "cells"),
    [
        (
            "service-fallback",
            {
                "mocka": (["v1"], ["v2"], ("s1", ["v1"])),
                "mockb": (["v1"], ("s1", ["v1"]), ["v3"]),
                "mockc": (["v1"], ["v2"], ("s2", ["v2"])),
            },
        ),
        ("strict", {name: (["v1"], ["v2"], ["v3"]) for name in ("mocka", "mockb", "mockc")}),
    ],
)
def test_a_matrix_shows_what_exists_and_what_falls_back(scenario: str, cells: dict[str, Any]) -> None:
    """By service and lane: the lane's own versions, or the lane that the service falls back to and what serves there."""
    with Mesh() as mesh:
        declare(mesh)
        mesh.load(ACCEPTANCE / scenario / "lanes.yaml")
        hop(mesh, mesh.recorder.begin("GET /", None), "mocka")
        lanes = snapshot(mesh)["lanes"]
    assert lanes["lanes"] == ["s1", "s2", "s3"]
    assert lanes["mode"] == ("strict" if scenario == "strict" else "custom header")
    seen = {
        service["name"]: tuple(cell["versions"] or (cell["fallback"], cell["served_by"]) for cell in service["cells"])
        for service in lanes["services"]
    }
    assert seen == cells
    fallbacks = {service["name"]: service["fallback"] for service in lanes["services"]}
    assert fallbacks == (dict.fromkeys(cells) if scenario == "strict" else {"mocka": "s1", "mockb": "s1", "mockc": "s2"})


@pytest.mark.parametrize(
    ("permissive", "missing"),
    [
        (False, ["strict mode has no fallback", "", "strict mode has no fallback"]),
        (True, ["nothing falls back from here", "", "it falls back to s1, which has none"]),
    ],
)
def test_a_matrix_shows_what_is_missing(permissive: bool, missing: list[str]) -> None:
    """A service that neither the lane has nor the baseline, and why that is the end."""
    with Mesh() as mesh:
        mesh.service("mocka", v1=_nothing, v2=_nothing, v3=_nothing)
        mesh.service("mockb", v2=_nothing)
        mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3", permissive=permissive)
        hop(mesh, mesh.recorder.begin("GET /", None), "mocka")
        [_, mockb] = snapshot(mesh)["lanes"]["services"]
    assert [cell["missing"] for cell in mockb["cells"]] == missing


def _nothing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return []


def test_a_picture_stays_small() -> None:
    """Calls, hops, depth, texts and headers have a limit; what is left out is counted, and a lost lane goes before others."""
    with Mesh() as mesh:
        for number in range(MOST_CALLS + 10):
            call = mesh.recorder.begin(f"GET /{number}" + "x" * 5000, "s2")
            first = hop(mesh, call, "mocka", lane="s2")
            first.request_headers.extend([("x-asm-prefer-tag", "s2" * 500)] * 20 + [("authorization", "secret")])
            if number == 3:
                hop(mesh, first, "mockb", lane=None)
        wide = mesh.recorder.begin("GET /wide", None)
        top = hop(mesh, wide, "mocka")
        for _ in range(MOST_HOPS + 5):
            hop(mesh, top, "mockb")
        deep = mesh.recorder.begin("GET /deep", None)
        below: Hop | Call = deep
        for _ in range(1500):
            below = hop(mesh, below, "mocka")
        picture = snapshot(mesh)
    text = json.dumps(picture)
    assert "secret" not in text
    assert len(text) < 2000 * sum(len(list(walk(call["hops"]))) for call in picture["calls"])
    assert picture["totals"]["calls"] == MOST_CALLS + 12
    assert picture["left_out"] == 12
    titles = [call["title"].rstrip("x…") for call in picture["calls"]]
    assert titles == ["GET /3", *(f"GET /{number}" for number in range(13, MOST_CALLS + 10)), "GET /wide", "GET /deep"]
    assert len(picture["calls"][0]["title"]) == 400
    assert len(picture["calls"][0]["hops"][0]["headers"]) == MOST_HEADERS
    last, deepest = picture["calls"][-2:]
    assert (len(list(walk(last["hops"]))), last["left_out"]) == (MOST_HOPS, 6)
    assert (len(list(walk(deepest["hops"]))), deepest["left_out"]) == (MOST_DEEP, 1500 - MOST_DEEP)
    assert deepest["drawn"] == ""


def test_a_picture_of_wide_calls_stays_small() -> None:
    """The hops of all calls together have a limit too: the latest calls are there."""
    with Mesh() as mesh:
        for number in range(10):
            top = hop(mesh, mesh.recorder.begin(f"GET /{number}", None), "mocka")
            for _ in range(MOST_HOPS - 1):
                hop(mesh, top, "mockb")
        picture = snapshot(mesh)
    assert [call["title"] for call in picture["calls"]] == [f"GET /{number}" for number in range(5, 10)]
    assert picture["left_out"] == 5
    assert picture["totals"]["hops"] == 10 * MOST_HOPS


# --- where it goes


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("html", "lane-report.html"),
        ("json", "lane-report.json"),
        ("junit", "lane-report.xml"),
        ("mermaid", "lane-report.md"),
        ("out/new/x.HTML", "out/new/x.HTML"),
        ("x.mmd", "x.mmd"),
    ],
)
def test_a_target_is_a_word_or_a_file(
    report: LaneReport, target: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words mean a file in the current directory; directories on the way are made."""
    monkeypatch.chdir(tmp_path)
    assert str(check(target)) == file
    assert not list(tmp_path.iterdir())
    assert str(report.write(target)) == file
    assert (tmp_path / file).stat().st_size > 1000


def test_a_wrong_target_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Unknown words and endings name the choices; a directory and an unwritable path are sentences."""
    for wrong in ("pdf", "report.txt", "", "html.", "report"):
        with pytest.raises(
            MeshError, match=r"is no lane report; write html, json, junit or mermaid, or .*\.html, \.json, \.xml, \.md or \.mmd"
        ):
            check(wrong)
    (tmp_path / "x.html").mkdir()
    with pytest.raises(MeshError, match="it is a directory; name a file"):
        check(str(tmp_path / "x.html"))
    (tmp_path / "file").write_text("")
    with pytest.raises(MeshError, match=r"cannot be written to .*page\.html: (Not a directory|File exists)"):
        LaneReport().write(str(tmp_path / "file" / "page.html"))


# --- formats


def test_json_holds_the_whole_run(report: LaneReport, tmp_path: Path) -> None:
    """Totals, outcomes, each lane group once, and of each test the picture by the group's number."""
    document = json.loads(report.write(str(tmp_path / "x.json")).read_text())
    assert document == {**report.document, "created": document["created"]}
    assert (document["format"], document["version"]) == ("lanebaggage lane report", 1)
    assert document["made_by"] == f"lanebaggage {lanebaggage.__version__}"
    assert document["totals"] == {
        "tests": 8,
        "failed": 3,
        "calls": 10,
        "hops": sum(test["totals"]["hops"] for test in document["tests"]),
        "fallbacks": 12,
        "lost": 2,
        "permitted": 1,
    }
    assert document["outcomes"] == {"passed": 4, "failed": 3, "skipped": 1}
    assert [(group["group"], group["mode"]) for group in document["lane_groups"]] == [
        ("lanes", "custom header"),
        ("test", "custom header"),
        ("test", "strict"),
    ]
    assert [test["nodeid"] for test in document["tests"]] == [f"{FILE}::{name}" for name in RUN]
    assert [test["lane_group"] for test in document["tests"]] == [0, 0, 0, 1, 0, 0, 2, None]


def test_junit_has_a_case_per_test(report: LaneReport, tmp_path: Path) -> None:
    """A suite per file with counts that add up; lost lanes with cause and fix as failure, every call drawn."""
    report.write(str(tmp_path / "x.xml"))
    root = ET.parse(tmp_path / "x.xml").getroot()
    [suite] = root
    for counts in (root, suite):
        assert [counts.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["8", "3", "0", "1"]
    assert suite.get("name") == FILE
    cases = {case.get("name"): case for case in suite}
    assert cases["test_a_stopped_service_falls_back[mockc-s2]"].get("classname") == "tests.shop.test_lanes.TestFallback"
    failure = cases[RECEIPT].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("lane lost at mockb", "lane lost")
    assert "checkout was serving lane s2, and its request to mockb arrived in lane s3\ncause: the request" in failure.text
    assert "\nfix:   take x-asm-prefer-tag out" in failure.text
    other = cases["test_an_outage_is_told"].find("failure")
    assert other is not None
    assert other.get("message") == "assert 503 == 200"
    assert "<-- lane lost: checkout was serving lane s2" in (cases[RECEIPT].findtext("system-out") or "")
    permitted = cases["test_mail_may_leave_the_lane"]
    assert permitted.find("failure") is None
    assert "<-- lane lost" in (permitted.findtext("system-out") or "")
    skipped = cases["test_a_page_without_calls"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "no database"


def test_a_test_that_was_expected_to_lose_a_lane_needs_no_look(tmp_path: Path) -> None:
    """pytest's xfail: no failure in JUnit XML, and no check mark that is none elsewhere."""
    report = LaneReport()
    report.add(f"{FILE}::{RECEIPT}", "xfailed", 0.1, pictures((RECEIPT,))[RECEIPT])
    root = ET.parse(report.write(str(tmp_path / "x.xml"))).getroot()
    assert [root.get(name) for name in ("failures", "skipped")] == ["0", "1"]
    assert "\N{CROSS MARK}" not in report.write(str(tmp_path / "x.md")).read_text()


def test_markdown_has_a_chart_per_call(report: LaneReport, tmp_path: Path) -> None:
    """Counts, a table per lane group, and for each call a Mermaid flowchart with lanes, fallbacks and where one was lost."""
    text = report.write(str(tmp_path / "x.md")).read_text()
    assert text.startswith("# Lane report\n\n8 tests, 10 calls, ")
    assert "2 lost lanes; 3 tests failed." in text
    assert "| `s2` | **`v2`** | ↩ `s1`: `v1` | **`v2`** |" in text
    charts = re.findall(r"^```mermaid\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert len(charts) == 10
    titles = re.findall("^## (.) `(.*)`$", text, re.MULTILINE)
    assert titles[:3] == [("❌", f"{FILE}::{name}") for name in (RECEIPT, "test_before_lanebaggage", "test_an_outage_is_told")]
    first = charts[0].splitlines()
    assert first[:3] == [
        "flowchart LR",
        '  h(["GET checkout/receipt 200"])',
        '  h -->|"s2"| hn0["checkout v2"]',
    ]
    assert first[3].startswith('  hn0 ==>|"LANE LOST: s3"| hn1["mockb v3<br>checkout was serving lane s2, ')
    assert "\n\n**Lane lost at `mockb`**: `the request has an x-asm-prefer-tag of its own: s3; " in text
    assert "<br>Fix: `take x-asm-prefer-tag out of the request's headers; lanebaggage adds the right one`" in text
    assert '  hn3 -.->|"s2, falls back to s1"| hn4["mockb v1"]' in first
    assert "  linkStyle 1 stroke:#c8102e,stroke-width:2px" in first
    assert "  class hn1 bad" in first


def test_one_chart_stays_within_what_mermaid_draws(report: LaneReport, tmp_path: Path) -> None:
    """A box for each call, bad tests first; calls that no longer fit are counted in a comment."""
    text = report.write(str(tmp_path / "x.mmd")).read_text()
    assert text.count("subgraph ") == text.count("  end\n") == 10
    boxes = set(re.findall(r"subgraph (\w+) ", text))
    assert len(boxes) == 10
    assert boxes.isdisjoint(re.findall(r"(?:> \|.*\| |^  )(\w+)[(\[]", text, re.MULTILINE))
    assert text.startswith(f'flowchart LR\n  subgraph b0 ["test_lanes.py::{RECEIPT}: GET checkout/receipt"]')
    many = LaneReport()
    picture = pictures((RECEIPT,))[RECEIPT]
    for number in range(200):
        many.add(f"test_many.py::test_{number}", "passed", 0.1, picture)
    text = many.write(str(tmp_path / "y.mmd")).read_text()
    drawn = text.count("subgraph ")
    assert 30 < drawn < 100
    assert f"%% {200 - drawn} calls left out" in text
    assert len(text) < 50_000
    charts = many.write(str(tmp_path / "y.md")).read_text()
    assert charts.count("```mermaid") == 150
    assert charts.count("1 call left out.") == 50


class Page(HTMLParser):
    """A page, taken apart: its tests with their text, its tags, and whether every tag is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def words(self) -> str:
        """What can be read, in one line."""
        return " ".join(" ".join(text for tag, text in self.texts if tag not in ("style", "script")).split())


def page_of(report: LaneReport, directory: Path) -> Page:
    return Page(report.write(str(directory / "page.html")).read_text(encoding="utf-8"))


def test_the_page_shows_the_run(report: LaneReport, tmp_path: Path) -> None:
    """Counts, a matrix per lane group, each test with its calls; bad tests first and open; well-formed."""
    page = page_of(report, tmp_path)
    assert "2 lanes lost, 3 tests failed" in page.words
    assert page.words.index("Lane group 1: lanes") < page.words.index("Lane group 3: test") < page.words.index(RECEIPT)
    for text in (
        "checkout was serving lane s2, and its request to mockb arrived in lane s3.",
        "Cause the request has an x-asm-prefer-tag of its own: s3",
        "Fix take x-asm-prefer-tag out of the request's headers",
        "Lane lost here, as this test permits",
        "api.partner.example outside the mesh",
        "mockc no instance",
        "mockc has no healthy endpoint in lane s2, nor in s1, which it falls back to",
        "fault: answers 503",
        "mockb v1 s2 fell back to s1 GET / 200",
    ):
        assert text in page.words
    tests = [attributes for tag, attributes in page.tags if tag == "details" and "test" in (attributes["class"] or "").split()]
    assert [("open" in test, test["class"]) for test in tests] == [(True, "test bad")] * 3 + [(False, "test")] * 5
    assert [tag for tag, _ in page.tags].count("table") == 3
    assert not [name for tag, attributes in page.tags for name in attributes if name.startswith("on") or name == "srcset"]


def test_the_page_loads_nothing(report: LaneReport, tmp_path: Path) -> None:
    """No address but the page's own parts is in it, and its policy forbids what would load or run."""
    page = page_of(report, tmp_path)
    addresses = [
        value or "" for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src", "action")
    ]
    assert all(address.startswith(("#", "data:image/svg+xml,")) for address in addresses)
    [policy] = [attributes["content"] or "" for tag, attributes in page.tags if attributes.get("http-equiv")]
    assert policy.startswith("default-src 'none'; ")
    assert re.search("script-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    styles = "".join(text for tag, text in page.texts if tag == "style")
    assert "url(" not in styles
    assert "@import" not in styles


def evil() -> LaneReport:
    """A report in which everything that comes from outside is hostile."""
    report = LaneReport()
    with Mesh() as mesh:
        call = mesh.recorder.begin(EVIL, EVIL)
        first = hop(mesh, call, EVIL, lane=EVIL, version=EVIL, target=EVIL, fallback=True, reason=EVIL, note=EVIL)
        hop(mesh, first, EVIL, lane=None, error=f"{EVIL}\x1b[31m", path=f"/{EVIL}\ud800\x00\x1b", host=EVIL, reason=EVIL)
        first.request_headers.add("x-asm-prefer-tag", EVIL)
        picture = snapshot(mesh)
    picture["lanes"] = {
        "group": EVIL, "mode": "custom header", "route_header": EVIL, "trace_header": EVIL * 2,
        "baseline": EVIL, "lanes": [EVIL],
        "services": [
            {"name": EVIL, "fallback": EVIL * 2, "cells": [cell]}
            for cell in (
                {"versions": [EVIL], "fallback": None, "served_by": [], "missing": ""},
                {"versions": [], "fallback": EVIL, "served_by": [EVIL], "missing": ""},
                {"versions": [], "fallback": None, "served_by": [], "missing": EVIL},
            )
        ],
        "elsewhere": [{"name": EVIL, "versions": [EVIL], "external": False}],
        "left_out": {"lanes": 0, "services": 0},
    }  # fmt: skip
    report.add(f"{EVIL}.py::{EVIL}::test[{EVIL}]", "failed", 0.1, picture, message=EVIL)
    return report


def test_the_page_escapes_what_comes_from_tests(tmp_path: Path) -> None:
    """A name with a script in it is text, in attributes too; what no file can hold is replaced."""
    page = page_of(evil(), tmp_path)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert page.words.count(" ".join(EVIL.split())) > 20
    services = [attributes["data-services"] for tag, attributes in page.tags if "data-services" in attributes]
    assert services == [EVIL]
    assert not {name for _, attributes in page.tags for name in attributes if not re.fullmatch("[a-z-]+", name)}


def test_the_other_formats_escape_too(tmp_path: Path) -> None:
    """XML stays XML, Markdown stays one line a heading, Mermaid's labels hold numbers for what has a meaning."""
    report = evil()
    report.write(str(tmp_path / "x.xml"))
    [[case]] = ET.parse(tmp_path / "x.xml").getroot()
    assert EVIL in (case.findtext("failure") or "")
    assert "\N{REPLACEMENT CHARACTER}[31m" in (case.findtext("system-out") or "")
    assert json.loads(report.write(str(tmp_path / "x.json")).read_text())["tests"][0]["message"] == EVIL
    for name in ("x.md", "x.mmd"):
        lines = report.write(str(tmp_path / name)).read_text(encoding="utf-8").splitlines()
        labelled = [line for line in lines if line.startswith(("  h", "  c0", "  subgraph"))]
        assert len(labelled) >= 3
        for line in labelled:
            assert re.fullmatch(r'[^"<]*("([^"`|<]|<br>)*"[^"<]*)+', line)
            assert "#60;script#62;alert#40;" in line
        spans = [re.sub("`[^`]*`", "", line) for line in lines if line not in labelled]
        assert not [line for line in spans if "<script" in line]
