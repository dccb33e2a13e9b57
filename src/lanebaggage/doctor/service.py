"""A service that the doctor starts itself, so that its calls pass through the capture without any set-up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .._errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

START: Final = 60.0
"""Seconds that a service may take until it listens."""
STOP: Final = 10.0


@contextmanager
def running(command: Sequence[str], url: str, proxy: str) -> Iterator[None]:
    """Run a command under the launcher until the block ends.

    :param command: the program and its arguments.
    :param url: where it will listen.
    :param proxy: host and port that its calls shall pass through.
    :raises MeshError: it ends, or does not listen in time.
    """
    environ = {name: value for name, value in os.environ.items() if name.lower() not in ("no_proxy", "all_proxy")}
    environ.update(dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://{proxy}"))
    launched = [sys.executable, "-m", "lanebaggage", "run", "--", *command]
    process = subprocess.Popen(launched, env=environ, stdout=sys.stderr)  # noqa: S603 - what was asked for
    try:
        _wait(process, url)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    parts = urlsplit(url)
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MeshError(f"the service ended with status {process.returncode} before it listened at {parts.netloc}")
        try:
            socket.create_connection((parts.hostname or "", parts.port or 80), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise MeshError(f"the service did not listen at {parts.netloc} within {START:.0f} seconds")
