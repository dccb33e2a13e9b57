"""What the tests of the Envoy configuration share: Envoy's own judgement of it, and an Envoy that runs with it alone."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from lanebaggage.mesh.envoy_process import find_envoy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@pytest.fixture
def validate(tmp_path: Path) -> Callable[[dict], None]:
    """Have Envoy check a bootstrap, with all that it says where it does not like it."""

    def check(bootstrap: dict) -> None:
        path = tmp_path / "envoy.json"
        path.write_text(json.dumps(bootstrap))
        command = [str(find_envoy()), "-c", str(path), "--mode", "validate", "-l", "warning"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "OK" not in line and line.strip()]
        assert done.returncode == 0, "\n".join(said)[:2000]
        assert not said, said

    return check


@pytest.fixture
def alone(tmp_path: Path) -> Callable[[dict], AbstractContextManager[dict[str, int]]]:
    """Start an Envoy with a bootstrap and nothing else; gives the port of each listener."""

    @contextmanager
    def run(bootstrap: dict) -> Iterator[dict[str, int]]:
        file, admin = tmp_path / "alone.json", tmp_path / "alone.admin"
        file.write_text(json.dumps(bootstrap))
        flags = ["--admin-address-path", str(admin), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
        with subprocess.Popen([str(find_envoy()), "-c", str(file), *flags]) as envoy:
            try:
                yield listening(admin)
            finally:
                envoy.terminate()

    return run


def listening(admin: Path) -> dict[str, int]:
    """Ports of the listeners, once Envoy is ready."""
    pause = threading.Event()
    for _ in range(1000):
        try:
            host, _, port = admin.read_text().rpartition(":")
            connection = HTTPConnection(host, int(port), timeout=10)
            connection.request("GET", "/listeners?format=json")
            found = json.loads(connection.getresponse().read())["listener_statuses"]
            connection.close()
            return {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in found}
        except (OSError, ValueError, KeyError):
            pause.wait(0.01)
    raise AssertionError("Envoy did not start")
