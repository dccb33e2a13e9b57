"""Requests per second of real services, started by the launchers and loaded by wrk (``apt-get install wrk``), in paired rounds.

``wrk -t1 -c16 -d2s -H 'x-asm-prefer-tag: s2' http://127.0.0.1:PORT/`` against each of the servers in turn, all of which are
running; only one is ever loaded.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, sleep
from typing import TYPE_CHECKING

from .rounds import ROOT
from .startup import ENVIRONMENT, LAUNCHERS
from .traffic import LANE, ROUTE_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BIN = Path(sys.executable).parent
SERVICES = {
    "FastAPI on uvicorn": [
        str(_BIN / "uvicorn"),
        "--no-access-log",
        "--log-level",
        "error",
        "--fd",
        "{fd}",
        "benchmarks.service:asgi",
    ],
    "Flask on gunicorn": [str(_BIN / "gunicorn"), "--workers", "1", "--bind", "fd://{fd}", "benchmarks.service:wsgi"],
    "Flask on gunicorn, threads": [
        str(_BIN / "gunicorn"),
        *("--workers", "1", "--threads", "4", "--bind", "fd://{fd}", "benchmarks.service:wsgi"),
    ],
}
CONNECTIONS = 16
SECONDS = 2
START = 60.0
"""Seconds that a server may take to answer for the first time."""


def available() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def measure(service: str, rounds: int, tick: Callable[[], None]) -> dict[str, dict[str, float]]:
    """Requests per second by launcher, and the ratio to the service as it is, paired by round."""
    launchers: dict[str, list[str]] = {"none": [], **LAUNCHERS}
    with ExitStack() as running:
        ports = {name: running.enter_context(_served(launcher, SERVICES[service])) for name, launcher in launchers.items()}
        for port in ports.values():
            _load(port, 1)
        rates: dict[str, list[float]] = {name: [] for name in ports}
        for number in range(rounds):
            names = list(ports)
            at = number % len(names)
            for name in [*names[at:], *names[:at]]:
                rates[name].append(_load(ports[name], SECONDS))
            tick()
    result = {}
    for name, measured in rates.items():
        ratios = [rate / base for rate, base in zip(measured, rates["none"], strict=True)]
        low, _, high = quantiles(ratios, n=4)
        result[name] = {
            "rate": round(median(measured)),
            "ratio": round(median(ratios), 4),
            "ratio_low": round(low, 4),
            "ratio_high": round(high, 4),
        }
    return result


@contextmanager
def _served(launcher: list[str], server: list[str]) -> Iterator[int]:
    """A server in a process of its own; its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # uvicorn takes what it is handed for a Unix socket
        listening.listen(128)
        fd = listening.fileno()
        process = subprocess.Popen(
            [*launcher, *(argument.format(fd=fd) for argument in server)],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            pass_fds=[fd],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port: int = listening.getsockname()[1]
        try:
            _wait(port, process)
            yield port
        finally:
            process.terminate()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = monotonic() + START
    while monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(map(str, process.args))} ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START) as client:
                client.sendall(b"GET / HTTP/1.0\r\nHost: mockb\r\n\r\n")
                if client.recv(12).endswith(b" 200"):
                    return
        except OSError:
            pass
        sleep(0.1)
    raise RuntimeError(f"{' '.join(map(str, process.args))} did not answer")


def _load(port: int, seconds: int) -> float:
    header = f"{ROUTE_HEADER}: {LANE}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", header, f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout} {done.stderr}")
    return float(found[1])
