"""The pytest plugin, as a suite of its user has it: what passes, what fails, and what a failure prints."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import pytest

import lanebaggage._pytest.session
import lanebaggage.mesh.asserting
import lanebaggage.mesh.envoy
import lanebaggage.mesh.inprocess
import lanebaggage.mesh.report
import lanebaggage.mesh.reporting
import lanebaggage.mesh.sockets
from mesh.chain import ACCEPTANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    Suite = Callable[..., pytest.RunResult]

pytest_plugins = ["pytester"]
# All of the mesh is imported above: pytester undoes the imports of a suite, and each suite would have classes of its own.

OURS = ("-p", "lanebaggage.pytest_plugin", "-p", "no:cacheprovider")

CONFTEST = """
    import time

    import pytest
    import requests
    from flask import Flask

    import lanebaggage

    lanebaggage.auto_instrument()


    def app(name, *targets):
        app = Flask(name)

        @app.get("/")
        @app.get("/slow")
        @app.get("/pay")
        def answer():
            if "slow" in __import__("flask").request.path:
                time.sleep(0.001)
            for target in targets:
                requests.get(target, timeout=5)
            return name

        return app


    A = app("a", "http://mockb/", "http://api.partner.example/")
    B = app("b", "http://mockc/")
    C = app("c")


    @pytest.fixture
    def mesh(mesh):
        mesh.service("mocka", v1=A, v2=A)
        mesh.service("mockb", v1=B, v3=B)
        mesh.service("mockc", v1=C, v2=C)
        mesh.external("api.partner.example")
        mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3")
        return mesh
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Run a suite: with its conftest.py, and with our plugin and no other unless named."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they would cost more than the tests

    def run(text: str, *options: str, conftest: str = CONFTEST, ini: str = "") -> pytest.RunResult:
        pytester.makeconftest(textwrap.dedent(conftest))
        pytester.makeini(f"[pytest]\n{textwrap.dedent(ini)}")
        pytester.makepyfile(test_it=textwrap.dedent(text))
        return pytester.runpytest_inprocess(*OURS, *options)

    return run


@pytest.mark.parametrize("mesh_engine", ["inprocess", "sockets", "envoy"])
def test_the_ideal_tests_run_as_written(suite: Suite, mesh_engine: str) -> None:
    """A path for each lane, a lane that never leaves the mesh, and concurrent lanes that stay apart."""
    text = """
    from concurrent.futures import ThreadPoolExecutor

    import pytest

    HDR = "x-asm-prefer-tag"

    @pytest.mark.parametrize(("lane", "path"), [
        ("s1", [("mocka", "v1"), ("mockb", "v1"), ("mockc", "v1")]),
        ("s2", [("mocka", "v2"), ("mockb", "v1"), ("mockc", "v2")]),
        ("s3", [("mocka", "v1"), ("mockb", "v3"), ("mockc", "v1")]),
        (None, [("mocka", "v1"), ("mockb", "v1"), ("mockc", "v1")])])
    def test_each_lane_takes_its_own_path(mesh, lane, path):
        call = mesh.get("mocka", "/", lane=lane)
        assert [hop for hop in call.path if hop[1] != "external"] == path
        assert call.lost_at is None

    def test_the_lane_never_leaves_the_mesh(mesh):
        partner = mesh.external("api.partner.example")
        mesh.get("mocka", "/pay", lane="s2")
        assert [HDR in {k.lower() for k in r} for r in partner.requests] == [False]
        assert partner.saw_lane is False

    def test_concurrent_lanes_stay_apart(mesh):
        lanes = ["s1", "s2", "s3"] * 8
        with ThreadPoolExecutor(8) as pool:
            calls = list(pool.map(lambda l: mesh.get("mocka", "/slow", lane=l), lanes))
        assert [c.path[0][1] for c in calls] == [{"s2": "v2"}.get(l, "v1") for l in lanes]
        assert all(c.lost_at is None for c in calls)
    """
    suite(text, f"--mesh-engine={mesh_engine}").assert_outcomes(passed=6)


@pytest.mark.parametrize("engine", ["inprocess", "sockets"])
def test_a_failed_test_draws_its_calls(suite: Suite, engine: str) -> None:
    """The fixture can be redefined on top of ours, the option chooses the engine, and a path that differs is explained."""
    text = """
    def test_it(mesh, lane_mesh):
        assert mesh is lane_mesh
        call = mesh.get("mocka", lane="s2")
        assert call.path == [("mocka", "v2"), ("mockb", "v2")]
    """
    result = suite(text, f"--mesh-engine={engine}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       assert the call went  mocka@v2 > mockb@v1 > mockc@v2 > api.partner.example@external",
            "E         expected       mocka@v2 > mockb@v2",
            "E         they differ at hop 2: mockb@v1, expected mockb@v2",
            "*- Calls through the lane mesh -*",
            "GET mocka/  200 *",
            "└─ mocka v2  lane s2",
            "   ├─ mockb v1  lane s2  fallback: mockb is not in lane s2, fell back to s1",
            "   │  └─ mockc v2  lane s2",
            "   └─ api.partner.example external  no lane",
        ]
    )


ON = """
    import lanebaggage

    lanebaggage.auto_instrument()
"""

LOSING = """
    import lanebaggage, pytest, requests
    from flask import Flask

    second = Flask("second")
    second.add_url_rule("/", view_func=lambda: "b")
    first = Flask("first")

    @first.get("/")
    def call():
        with lanebaggage.lane(None):
            return requests.get("http://mockb/", timeout=5).text

    @pytest.fixture
    def mesh(mesh):
        mesh.service("mocka", v1=first, v2=first)
        mesh.service("mockb", v1=second, v2=second)
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        return mesh
"""


def test_a_lost_lane_fails_a_test_that_asserts_nothing(suite: Suite) -> None:
    """The failure is the tree, the cause and the line that fixes it, and no traceback; permitted, the test passes."""
    text = f"""{LOSING}
    def test_lost(mesh):
        mesh.get("mocka", lane="s2")

    def test_permitted(mesh):
        mesh.allow_lost()
        mesh.get("mocka", lane="s2")

    def test_permitted_there(mesh):
        mesh.allow_lost("mockb")
        mesh.get("mocka", lane="s2")

    def test_permitted_elsewhere(mesh):
        mesh.allow_lost("mockc")
        mesh.get("mocka", lane="s2")

    @pytest.mark.xfail(strict=True)
    def test_expected(mesh):
        mesh.get("mocka", lane="s2")

    def test_in_no_lane(mesh):
        mesh.get("mocka", lane=None)
    """
    result = suite(text, conftest=ON)
    result.assert_outcomes(passed=3, failed=2, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "lane s2 was lost at mockb; mesh.allow_lost('mockb') permits it",
            "GET mocka/  200 *",
            "└─ mocka v2  lane s2",
            "   └─ mockb v1  no lane  <-- lane lost: mocka was serving lane s2",
            "         cause: the code had left the lane, by lanebaggage.lane(None) (test_it.py:11 in call)",
            "         fix:   make the call outside that block",
        ],
        consecutive=True,
    )
    assert "Calls through the lane mesh" not in result.stdout.str()
    assert "Traceback" not in result.stdout.str()
    assert "--full-trace" not in result.stdout.str()


def test_background_work_that_loses_the_lane_fails_the_end_of_the_test(suite: Suite) -> None:
    """What a test leaves running may lose a lane after it has passed."""
    text = f"""{LOSING}
    @pytest.fixture
    def late(mesh):
        yield
        mesh.get("mocka", lane="s2")

    def test_it(mesh, late):
        pass
    """
    result = suite(text, conftest=ON)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "lane s2 was lost at mockb; *"])


def test_each_test_has_its_own_state_and_shares_what_runs(suite: Suite) -> None:
    """Calls, externals, faults and permissions are a test's own; in any order; a process is started once for all tests."""
    text = """
    import sys

    SERVICE = '''
    import os, sys
    from wsgiref.simple_server import make_server
    host, port = sys.argv[1].split(":")
    def app(environ, start_response):
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
    make_server(host, int(port), app).serve_forever()
    '''
    pids = set()

    def check(mesh):
        import textwrap
        assert not mesh.calls
        assert mesh.external("api.partner.example").requests == []
        mesh.service("pid", v1=[sys.executable, "-c", textwrap.dedent(SERVICE), "{bind}"])
        pids.add(mesh.get("pid").text)
        assert mesh.get("mocka", lane="s2").lost_at is None
        mesh.fail("mockc")
        mesh.allow_lost()
        assert len(pids) == 1

    def test_one(mesh):
        check(mesh)

    def test_two(mesh):
        check(mesh)
    """
    suite(text, "--mesh-engine=sockets", "test_it.py::test_two", "test_it.py::test_one").assert_outcomes(passed=2)


def test_markers_set_the_mesh_up_and_repeat_tests(suite: Suite) -> None:
    """Engines, modes and carriers, one or a list of each; the closest marker wins; an argument that is parametrized is left."""
    text = """
    import pytest

    pytestmark = pytest.mark.mesh(carrier="baggage", seed=7)

    @pytest.mark.mesh(engine=["inprocess", "sockets"], carrier=("header", "trace-id"))
    def test_repeated(mesh, mesh_engine, mesh_carrier):
        assert mesh.engine_name == mesh_engine
        assert mesh.topology.current.group.mode == {"header": "custom header", "trace-id": "trace ID"}[mesh_carrier]

    def test_module(mesh):
        assert mesh.topology.current.group.mode == "baggage"

    @pytest.mark.mesh(mode="strict", timeout=2.5)
    def test_strict(mesh):
        assert mesh.topology.current.group.mode == "strict"
        assert mesh.timeout == 2.5

    @pytest.mark.parametrize("mesh_engine", ["sockets"])
    @pytest.mark.mesh(engine=["inprocess"])
    def test_own(mesh):
        assert mesh.engine_name == "sockets"
    """
    suite(text).assert_outcomes(passed=7)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("mesh(transport='sockets')", "*@pytest.mark.mesh takes engine=, mode=, *, not transport"),
        ("mesh('sockets')", "*@pytest.mark.mesh takes engine=, mode=, *, not 'sockets'"),
        ("lane()", "*@pytest.mark.lane needs the name of a lane, such as @pytest.mark.lane('s2')"),
        ("mesh(engine='enovy')", "no engine is called 'enovy'; engines are *inprocess*"),
        ("mesh(carrier='cookie')", "no carrier is called 'cookie'; write header, trace-id or baggage"),
        ("mesh(yaml='nowhere.yaml')", "*nowhere.yaml*"),
        ("lane('s9')", "no lane is called 's9'; the lane group has s1, s2, s3"),
    ],
)
def test_a_mistake_in_a_marker_is_a_sentence(suite: Suite, marker: str, message: str) -> None:
    """Each says what is there instead, without a traceback."""
    open_before = list(lanebaggage.mesh._intercept._open)
    result = suite(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it(mesh):\n    pass\n")
    assert result.ret != 0
    assert lanebaggage.mesh._intercept._open == open_before
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


def test_lanes_by_marker_and_option(suite: Suite) -> None:
    """A marker names the lane of requests that name none, several repeat the test, the option is for tests without a marker."""
    text = """
    import pytest

    def first(call):
        return call.path[0][1], call.lane

    @pytest.mark.lane("s2")
    def test_one(mesh, mesh_lane):
        assert mesh_lane == "s2"
        assert first(mesh.get("mocka")) == ("v2", "s2")
        assert first(mesh.get("mocka", lane="s3")) == ("v1", "s3")
        assert first(mesh.get("mocka", lane=None)) == ("v1", None)
        with mesh.lane("s1"):
            assert first(mesh.get("mocka")) == ("v1", "s1")

    @pytest.mark.lane("s2", None)
    def test_two(mesh, mesh_lane):
        assert mesh.get("mocka").lane == mesh_lane

    def test_option(mesh):
        assert mesh.get("mocka").lane == "s3"
    """
    suite(text, "--lane=s3").assert_outcomes(passed=4)


ALL = """
    import pytest

    seen = []

    @pytest.mark.all_lanes{arguments}
    def test_all(mesh, mesh_lane):
        call = mesh.get("mocka")
        assert call.lane == mesh_lane
        seen.append(mesh_lane)

    def test_seen():
        assert seen == {expected}
"""


@pytest.mark.parametrize(
    ("arguments", "options", "expected", "count"),
    [
        ("", [], ["s1", "s2", "s3"], 1),
        ("", ["--lane=s2", "--lane=s3"], ["s2", "s3"], 2),
        ("('s1', 's3')", [], ["s1", "s3"], 2),
        ("('s1', 's3')", ["--lane=s3"], ["s3"], 1),
    ],
)
def test_a_test_in_all_lanes(suite: Suite, arguments: str, options: list[str], expected: list[str], count: int) -> None:
    """It is repeated for each lane: as tests of their own where the lanes are known when they are collected, else in one."""
    result = suite(ALL.format(arguments=arguments, expected=expected), *options)
    result.assert_outcomes(passed=count + 1)


def test_all_lanes_of_a_file(suite: Suite) -> None:
    """The lane group of an ini key is in force in every mesh, and its lanes are tests of their own."""
    conftest = CONFTEST.replace('        mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3")\n', "")
    ini = f"mesh_yaml = {ACCEPTANCE / 'scenario-2' / 'lanes.yaml'}\nmesh_engine = sockets"
    result = suite(ALL.format(arguments="", expected=["s1", "s2", "s3"]), "-v", conftest=conftest, ini=ini)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::test_all[[]s1[]] PASSED*", "*::test_all[[]s2[]] PASSED*", "*::test_all[[]s3[]] PASSED*"])


def test_a_lane_that_fails_ends_a_test_in_all_lanes(suite: Suite) -> None:
    """The failing lane's call is the last one drawn."""
    text = """
    import pytest

    @pytest.mark.all_lanes
    def test_all(mesh):
        assert mesh.get("mocka").path[0] == ("mocka", "v1")
    """
    result = suite(text)
    result.assert_outcomes(failed=1)
    assert "mocka v2  lane s2" in result.stdout.str()
    assert "lane s3" not in result.stdout.str()


def test_unittest_classes(suite: Suite) -> None:
    """A class takes the mesh from an autouse fixture; lanes lost in its methods fail them; all_lanes says what to write."""
    text = f"""{LOSING}
    import unittest

    class TestLanes(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _mesh(self, mesh):
            self.mesh = mesh

        @pytest.mark.lane("s2")
        def test_lost(self):
            self.mesh.get("mocka")

        def test_kept(self):
            self.mesh.get("mockb", lane="s2")

        @pytest.mark.all_lanes
        def test_all(self):
            pass
    """
    result = suite(text, conftest=ON)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "lane s2 was lost at mockb; *",
            "@pytest.mark.all_lanes cannot repeat a method of unittest; use mesh.lane(...) in a subTest",
        ]
    )


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_coroutines(suite: Suite, plugin: str) -> None:
    """Coroutine tests of pytest-asyncio and anyio, in all lanes too: requests do not hold their event loop up."""
    text = """
    import asyncio, pytest

    seen = []

    @pytest.mark.MARK
    @pytest.mark.all_lanes
    async def test_all(mesh):
        calls = await asyncio.gather(mesh.aget("mocka"), mesh.aget("mocka", lane="s1"))
        seen.append(calls[0].lane)
        assert calls[1].lane == "s1"
        with mesh.lane("s3"):
            assert (await mesh.aget("mocka")).path[1] == ("mockb", "v3")
        async with mesh.client.httpx_async as client:
            assert (await client.get("http://mockb/")).text == "b"

    def test_seen():
        assert seen == ["s1", "s2", "s3"]
    """.replace("MARK", plugin)
    options = {"asyncio": ("-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=strict"), "anyio": ("-p", "anyio")}[plugin]
    more = "\n    @pytest.fixture\n    def anyio_backend():\n        return 'asyncio'\n"
    suite(text, *options, conftest=CONFTEST + more).assert_outcomes(passed=2)


def test_a_suite_may_have_another_mesh(suite: Suite) -> None:
    """A ``mesh`` of a suite's own hides ours, and ``lane_mesh`` is still there."""
    conftest = """
    import pytest

    @pytest.fixture
    def mesh():
        return "triangles"
    """
    text = """
    def test_both(mesh, lane_mesh):
        assert mesh == "triangles"
        assert lane_mesh.calls == []
    """
    suite(text, conftest=conftest).assert_outcomes(passed=1)


def test_workers_of_xdist(suite: Suite) -> None:
    """Each worker has meshes of its own; failures come back drawn."""
    text = f"""{LOSING}
    @pytest.mark.parametrize("number", range(4))
    def test_kept(mesh, number):
        mesh.get("mockb", lane="s2")

    def test_lost(mesh):
        mesh.get("mocka", lane="s2")
    """
    result = suite(text, "-p", "xdist", "-n", "2", conftest=ON)
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["lane s2 was lost at mockb; *"])


def test_nothing_is_imported_for_suites_without_a_mesh(suite: Suite) -> None:
    """The plugin is loaded into every pytest of an environment, most of which have no lanes."""
    text = """
    import subprocess, sys

    def test_imports():
        names = "[name for name in sys.modules if name.startswith('lanebaggage.mesh')]"
        code = f"import sys, lanebaggage.pytest_plugin; print({names})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
    """
    suite(text, conftest="").assert_outcomes(passed=1)


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")])
def test_the_lane_report_has_every_test_of_a_run(suite: Suite, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Those that passed, failed, lost a lane or ended badly; from workers of xdist too; and the run says where it is."""
    text = f"""{LOSING}
    @pytest.fixture
    def late(mesh):
        yield
        mesh.get("mocka", lane="s2")

    def test_kept(mesh):
        mesh.get("mockb", lane="s2")

    def test_lost(mesh):
        mesh.get("mocka", lane="s2")

    def test_late(late):
        pass

    @pytest.mark.xfail
    def test_expected(mesh):
        mesh.get("mocka", lane="s2")

    def test_without_a_mesh():
        pass
    """
    result = suite(text, "--lane-report=json", "--lane-report=lanes.html", *workers, conftest=ON)
    result.assert_outcomes(passed=3, failed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["lane report: *lane-report.json", "lane report: *lanes.html"])
    report = json.loads((pytester.path / "lane-report.json").read_text(encoding="utf-8"))
    assert {test["nodeid"].partition("::")[2]: test["outcome"] for test in report["tests"]} == {
        "test_kept": "passed",
        "test_lost": "failed",
        "test_late": "error",
        "test_expected": "xfailed",
    }
    [lost] = [test for test in report["tests"] if test["outcome"] == "failed"]
    assert "lane s2 was lost at mockb" in lost["message"]
    assert "lane lost" in (pytester.path / "lanes.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["report.pdf", "pictures"])
def test_a_lane_report_of_an_unknown_kind_is_refused_at_once(suite: Suite, target: str) -> None:
    """Before any test has run, with the kinds that there are."""
    result = suite("def test_it():\n    pass\n", f"--lane-report={target}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --lane-report: *html*"])


def test_an_error_while_drawing_is_no_error_of_the_session(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failed test is reported all the same."""
    monkeypatch.setattr(lanebaggage.mesh.report, "explained", None)
    result = suite("def test_it(mesh):\n    mesh.get('mocka')\n    assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the calls cannot be drawn: TypeError*"])
