"""The demo and the example behind it: as a user starts them, interrupted, and where a chain differs."""

from __future__ import annotations

import io
import os
import re
import secrets
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from lanebaggage._cli import demo as command
from lanebaggage._cli import lanebaggage as cli
from lanebaggage.mesh import Mesh
from lanebaggage.mesh.demo import Demo
from mesh.chain import ACCEPTANCE, EXAMPLE, declare, instrument

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = [sys.executable, "-c", "from lanebaggage.cli import main; main()", "demo"]
SECONDS = 120


@pytest.fixture
def mark() -> Iterator[str]:
    """A text in the environment of every process that a demo starts; none may be left."""
    found = secrets.token_hex(8)
    yield found
    assert marked(found) == []


def marked(mark: str) -> list[str]:
    """Command lines of the processes that have the text in their environment."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return lines


def test_the_demo_shows_every_scenario_and_where_the_lane_is_lost(mark: str) -> None:
    """Both frameworks, all chains as documented, plain text where output is no terminal, status 0."""
    ended = subprocess.run(DEMO, env={**os.environ, "MARK": mark}, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert "\x1b" not in ended.stdout
    assert re.search(r"All 30 chains are as documented, in [\d.]+ s\n$", ended.stdout)
    for shown in (
        "Flask and requests",
        "FastAPI and httpx",
        "Starting 9 services with lanebaggage ...",
        "scenario-3: baggage, weighted 60/20/20",
        "   └─ mockb v1  lane s2  fallback: mockb is not in lane s2, fell back to s1",
        "   └─ mockb v1  no lane  <-- lane lost: mocka was serving lane s2",
        "   with lanebaggage: mocka@v2 > mockb@v1 > mockc@v2",
    ):
        assert shown in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["Starting 9 services", "scenario-1: trace ID"])
def test_an_interrupted_demo_leaves_nothing_running(mark: str, number: signal.Signals, moment: str) -> None:
    """Whether services are being started or requests are under way: everything ends, and the status says so."""
    env = {**os.environ, "MARK": mark, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*DEMO, "--framework", "flask"], env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if moment in line:
                break
        running.send_signal(number)
        running.stdout.read()
        assert running.wait(SECONDS) != 0


def test_a_difference_is_shown_and_is_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong chain, a lane that is lost elsewhere, a share that is off, a chain of no lane: each is one difference."""
    out = io.StringIO()
    demo = Demo(Console(file=out, width=200))
    right = [["mocka", "v2"], ["mockb", "v1"], ["mockc", "v2"]]
    headers = {"x-asm-prefer-tag": "s2", "my-trace-id": "x"}
    with Mesh.from_yaml(ACCEPTANCE / "scenario-1" / "lanes.yaml") as mesh:
        declare(mesh)
        instrument(mesh)
        demo._case(mesh, {"headers": headers, "chain": right})
        assert demo.differences == 0
        demo._case(mesh, {"headers": headers, "chain": right[:2]})
        demo._case(mesh, {"headers": headers, "chain": right, "lost_at": "mockc"})
        demo._shares(mesh, {"headers": headers, "shares": [{"chain": right, "share": 0.5}]})
        demo._shares(mesh, {"headers": headers, "shares": [{"chain": right[:1], "share": 0.0}]})
    assert (demo.differences, demo.checked) == (4, 6)
    for shown in (
        "DIFFERS: expected mocka@v2 > mockb@v1\n",
        "DIFFERS: the lane was lost at None, expected mockc",
        "DIFFERS: 200 of 200 requests, weight 50%: more than three standard deviations off",
        "DIFFERS: 200 requests took mocka@v2 > mockb@v1 > mockc@v2, which is no lane's chain",
    ):
        assert shown in out.getvalue()

    def differs(self: Demo, _framework: Any) -> None:
        self.checked += 3
        self.differences += 1

    monkeypatch.setattr(Demo, "run", differs)
    ended = CliRunner().invoke(cli, ["demo", "--framework", "flask"])
    assert ended.exit_code == 1
    assert "1 of 3 chains differ from the documented ones" in ended.output


def test_progress_is_drawn_on_a_terminal() -> None:
    """A bar that counts services as they become ready; none of it in a file."""
    out = io.StringIO()
    with Mesh.from_yaml(ACCEPTANCE / "scenario-1" / "lanes.yaml") as mesh:
        declare(mesh)
        Demo(Console(file=out, width=100, force_terminal=True))._start(mesh, "Starting them")
    assert "Starting them" in out.getvalue()
    assert "9/9" in out.getvalue()


def test_the_demo_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a framework it names the extra that brings it."""
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "flask" else object())
    ended = CliRunner().invoke(cli, ["demo"])
    assert ended.exit_code == 1
    assert "the demo's services need flask: pip install 'lanebaggage[demo]'" in ended.output


@pytest.mark.parametrize("file", ["flask_requests.py", "fastapi_httpx.py"])
def test_the_example_runs_by_itself(file: str) -> None:
    """As its README says: a service is a process that prints its hop."""
    with Mesh(engine="sockets") as mesh:
        mesh.lanes(baseline="s1", s1="v1")
        mesh.service("mockc", v1=["env", "app=mockc", "version=v1", sys.executable, str(EXAMPLE / file)])
        mesh.start()
        host, port = mesh.topology.instances[0].address or ("", 0)
        with urllib.request.urlopen(f"http://{host}:{port}/") as answer:
            assert answer.read() == b"-> mockc(version: v1, ip: 127.0.0.1)"
