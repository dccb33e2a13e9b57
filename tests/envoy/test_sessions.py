"""Envoy in test runs of the plugin's users: one for a session or a worker, another when it was killed, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

GONE_WITHIN = 20.0

CONFTEST = """
    import os, pathlib, sys
    import pytest

    SERVER = "import http.server as s, sys; s.HTTPServer(('127.0.0.1', int(sys.argv[1])), s.SimpleHTTPRequestHandler)"

    @pytest.fixture
    def mesh(mesh, request):
        mesh.service("a", v1=[sys.executable, "-c", SERVER + ".serve_forever()", "{port}"], v2=lambda environ, start: b"")
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        mesh.start()
        (process,) = [one._process for one in mesh.engine._running._servers.values() if hasattr(one, "_process")]
        envoy = mesh.engine._envoy
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        with pathlib.Path(__file__).with_name("ran").open("a") as ran:
            print(worker, request.node.name, envoy.pid, process.pid, envoy.directory, file=ran)
        return mesh
"""


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Run a suite of its user in a process of its own."""

    def run(text: str, *arguments: str) -> subprocess.Popen[str]:
        (tmp_path / "conftest.py").write_text(textwrap.dedent(CONFTEST))
        (tmp_path / "test_lanes.py").write_text(
            "import os, pytest, signal, time\nfrom pathlib import Path\n" + textwrap.dedent(text)
        )
        command = [sys.executable, "-m", "pytest", "-q", "-p", "lanebaggage.pytest_plugin", "-p", "no:cacheprovider"]
        return subprocess.Popen(
            [*command, "--mesh-engine=envoy", "-c", os.devnull, "--rootdir=.", "--strict-markers", *arguments, "test_lanes.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def ran(directory: Path) -> list[list[str]]:
    """Worker, test, process of Envoy, process of the service, and Envoy's directory, for each test that has begun."""
    return [line.split() for line in (directory / "ran").read_text().splitlines()]


def gone(rows: list[list[str]]) -> bool:
    """Wait until every process and directory is no more."""
    pause = threading.Event()
    for _ in range(int(GONE_WITHIN / 0.02)):
        if not any(runs(row[2]) or runs(row[3]) or Path(row[4]).exists() for row in rows):
            return True
        pause.wait(0.02)
    return False


def runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


SEVERAL = """
    @pytest.mark.parametrize("number", range(8))
    def test_plain(mesh, number):
        assert mesh.get("a", "/").status == 200

    @pytest.mark.mesh(mode="strict")
    def test_strict(mesh):
        assert mesh.get("a", "/").status == 200

    @pytest.mark.mesh(engine="envoy-health")
    def test_health(mesh):
        assert mesh.get("a", "/").status == 200

    def test_plain_again(mesh):
        assert mesh.get("a", "/").status == 200
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_each_session_and_each_worker_has_one_envoy(workers: int, suite, tmp_path: Path) -> None:
    """All tests of a process share an Envoy, whatever their settings, and tests alike their services; then all of it ends."""
    run = suite(SEVERAL, *(("-p", "xdist", "-n", str(workers)) if workers else ()))
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    rows = ran(tmp_path)
    assert len(rows) == 11
    used = {(worker, envoy) for worker, _, envoy, _, _ in rows}
    assert len(used) == max(workers, 1)
    alike = {(worker, service) for worker, name, _, service, _ in rows if name.startswith("test_plain[")}
    assert len(alike) == max(workers, 1)
    assert gone(rows)


def test_after_a_killed_envoy_the_next_test_has_another(suite, tmp_path: Path) -> None:
    """One test fails with a sentence; the others do not, not even after one that left a dead Envoy without asking it again."""
    text = """
        def test_killed(mesh):
            os.kill(mesh.engine._envoy.pid, signal.SIGKILL)
            mesh.engine._envoy._process.wait()
            mesh.get("a", "/")

        def test_another(mesh):
            assert mesh.get("a", "/").status == 200

        def test_killed_afterwards(mesh):
            envoy = mesh.engine._envoy
            assert mesh.get("a", "/").status == 200
            os.kill(envoy.pid, signal.SIGKILL)
            envoy._process.wait()

        def test_yet_another(mesh):
            assert mesh.get("a", "/").status == 200
    """
    run = suite(text)
    said, _ = run.communicate(timeout=120)
    assert "1 failed, 3 passed" in said, said
    assert "Envoy has ended" in said
    assert len({envoy for _, _, envoy, _, _ in ran(tmp_path)}) == 3
    assert gone(ran(tmp_path))


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_left_of_a_killed_run(workers: int, suite, tmp_path: Path) -> None:
    """kill -9 of pytest, in the middle of a test, ends the Envoy and the services of every worker."""
    text = """
        @pytest.mark.parametrize("number", range(2))
        def test_waits(mesh, number):
            Path(f"begun-{number}").touch()
            time.sleep(600)
    """
    run = suite(text, *(("-p", "xdist", "-n", str(workers)) if workers else ()))
    while not all((tmp_path / f"begun-{number}").exists() for number in range(max(workers, 1))):
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.05)
    rows = ran(tmp_path)
    assert len(rows) == max(workers, 1)
    assert all(runs(row[2]) and runs(row[3]) for row in rows)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    assert gone(rows)
