"""How fast lane tests are: calls through a mesh in this process, a thousand tests of the pytest plugin, stopping an engine."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .cases.servers import BareWSGI
from .cases.unconnected import urllib3_pool
from .grid import Grid
from .rounds import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = 1000
CALLS = 20
"""Calls of one batch."""

CONFTEST = """
import pytest
from benchmarks.lane_tests import declare

import lanebaggage

lanebaggage.auto_instrument()

@pytest.fixture
def mesh(mesh):
    declare(mesh)
    return mesh
"""
TEST = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_a_call_stays_in_its_lane(mesh, number):
    call = mesh.get("mocka", "/", lane="s2")
    mesh.assert_path(call, "mocka v2 > mockb v1 > mockc v2")
"""


class Asking:
    """A service that asks another one, with requests, before it answers."""

    def __init__(self, service: str) -> None:
        from requests import Session

        self._session = Session()
        self._url = f"http://{service}:8000/"

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        body = self._session.get(self._url, timeout=10).content
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


def declare(mesh: Any) -> None:
    """Three services, each asking the next one; the lane lacks the middle one."""
    mesh.service("mocka", v1=Asking("mockb"), v2=Asking("mockb"))
    mesh.service("mockb", v1=Asking("mockc"))
    mesh.service("mockc", v1=BareWSGI(), v2=BareWSGI())
    mesh.lanes(baseline="s1", s1="v1", s2="v2")


def measure(*, quick: bool) -> Grid:
    """Milliseconds, medians and quartiles."""
    grid = Grid(("what", "median", "IQR"))
    batches = 5 if quick else 25
    calls = _calls(batches)
    for what, took in calls.items():
        grid.rows.append((what, *_words(took, "ms")))
    runs = [_pytest(TESTS // 10 if quick else TESTS) for _ in range(1 if quick else 3)]
    grid.rows.append(
        (f"{TESTS // 10 if quick else TESTS:,} lane tests of three hops each, a whole run of pytest", *_words(runs, "s"))
    )
    for engine in ("inprocess", "sockets"):
        stops = [_stop(engine) for _ in range(5 if quick else 15)]
        grid.rows.append((f"stopping the `{engine}` engine with five instances", *_words(stops, "ms")))
    return grid


def _words(took: list[float], unit: str) -> tuple[str, str]:
    low, _, high = quantiles(took, n=4) if len(took) > 1 else (took[0],) * 3
    return f"{median(took):.2f} {unit}", f"{low:.2f}-{high:.2f}"


def _calls(batches: int) -> dict[str, list[float]]:
    """Milliseconds of a call of one hop and of three, by turns."""
    import lanebaggage
    from lanebaggage.mesh import Mesh

    session = _answered_at_once()
    lanebaggage.auto_instrument()
    took: dict[str, list[float]] = {}
    with Mesh(engine="inprocess") as mesh:
        declare(mesh)

        def alone() -> None:
            for service in ("mockb", "mockc"):
                session.get(f"http://{service}:8000/", timeout=10)

        ways: dict[str, Callable[[], Any]] = {
            "two calls of requests that are answered at once, without a mesh": alone,
            "a call of one hop, in process": lambda: mesh.get("mockc", "/", lane="s2"),
            "a call of three hops, in process": lambda: mesh.get("mocka", "/", lane="s2"),
        }
        for call in ways.values():
            call()
        for _ in range(batches):
            for what, call in ways.items():
                start = perf_counter()
                for _ in range(CALLS):
                    call()
                took.setdefault(what, []).append((perf_counter() - start) / CALLS * 1e3)
    lanebaggage.uninstrument()
    return took


def _answered_at_once() -> Any:
    """A session of requests below which no request reaches a mesh or a network."""
    from requests import Session
    from requests.adapters import HTTPAdapter

    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"http": urllib3_pool()}
    session = Session()
    session.mount("http://", adapter)
    return session


def _pytest(tests: int) -> float:
    """Seconds that pytest says it took."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        (Path(directory) / "test_lanes.py").write_text(TEST.format(tests=tests), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-c", "/dev/null", "--rootdir", directory, directory]
        done = subprocess.run([*command, "--mesh-engine=inprocess"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = re.search(rf"^{tests} passed in ([\d.]+)s", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pytest: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return float(found[1])


def _stop(engine: str) -> float:
    """Milliseconds to close a mesh that served a call."""
    from lanebaggage.mesh import Mesh

    mesh = Mesh(engine=engine)
    declare(mesh)
    mesh.get("mockc", "/", lane="s2")
    start = perf_counter()
    mesh.close()
    return (perf_counter() - start) * 1e3
