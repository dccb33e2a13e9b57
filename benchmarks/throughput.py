"""Requests per second of real services, started by the launchers and loaded by wrk (``apt-get install wrk``), in paired rounds.

``wrk -t1 -c16 -d2s -H 'x-asm-prefer-tag: s2' http://127.0.0.1:PORT/`` against each of the servers in turn, all of which are
running; only one is ever loaded. Beside the requests per second, which a busy machine makes a matter of luck, there is the
processor time that the server takes for a request, read from ``/proc``.
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
from statistics import median
from time import monotonic, sleep
from typing import TYPE_CHECKING

from .grid import Grid
from .rounds import ROOT
from .startup import ENVIRONMENT, LAUNCHERS
from .traffic import LANE, ROUTE_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def measure(*, quick: bool) -> Grid:
    """Every service under every launcher."""
    if not available():
        raise RuntimeError("wrk is needed: apt-get install wrk")
    grid = Grid(("service", "launcher", "requests a second", "against without", "processor time", "against without"))
    for service in SERVICES:
        for launcher, figures in of_service(service, 2, 1 if quick else 4).items():
            ratios = (f"{(figures[name] - 1) * 100:+.1f} %" for name in ("rate_ratio", "cpu_ratio"))
            rate_ratio, cpu_ratio = ratios if launcher != "none" else ("", "")
            grid.rows.append((service, launcher, f"{figures['rate']:,}", rate_ratio, f"{figures['cpu_us']:.0f} us", cpu_ratio))
    return grid


def of_service(service: str, rounds: int, generations: int) -> dict[str, dict[str, float]]:
    """Requests per second and processor time by launcher, and the ratios to the service as it is, paired by round.

    :param rounds: of each generation of servers, which are started anew, another one first, since one process is faster than
        its twin.
    """
    launchers: dict[str, list[str]] = {"none": [], **LAUNCHERS}
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in launchers}
    for generation in range(generations):
        order = list(launchers)
        first = generation % len(order)
        with ExitStack() as running:
            servers = {
                name: running.enter_context(_served(launchers[name], SERVICES[service]))
                for name in [*order[first:], *order[:first]]
            }
            for server in servers.values():
                server.load(1)
            for number in range(rounds):
                names = list(servers)
                at = number % len(names)
                for name in [*names[at:], *names[:at]]:
                    measured[name].append(servers[name].load(SECONDS))
    result = {}
    for name, values in measured.items():
        rates, processor = zip(*values, strict=True)
        base_rates, base_processor = zip(*measured["none"], strict=True)
        result[name] = {
            "rate": round(median(rates)),
            "rate_ratio": round(median(rate / base for rate, base in zip(rates, base_rates, strict=True)), 4),
            "cpu_us": round(median(processor), 1),
            "cpu_ratio": round(median(took / base for took, base in zip(processor, base_processor, strict=True)), 4),
        }
    return result


class Server:
    """A server in processes of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port

    def load(self, seconds: int) -> tuple[float, float]:
        """Requests per second, and microseconds of processor time for one."""
        header = f"{ROUTE_HEADER}: {LANE}"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", header, f"http://127.0.0.1:{self._port}/"]
        before = self._processor_time()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = self._processor_time() - before
        rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        count = re.search(r"(\d+) requests in", done.stdout)
        if rate is None or count is None or "Non-2xx" in done.stdout:
            raise RuntimeError(f"wrk: {done.stdout} {done.stderr}")
        return float(rate[1]), took / int(count[1])

    def _processor_time(self) -> float:
        """Microseconds that all threads of the process and of its children had a processor."""
        waiting, nanoseconds = [self._process.pid], 0
        while waiting:
            process = Path(f"/proc/{waiting.pop()}")
            for thread in (process / "task").iterdir():
                nanoseconds += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
                waiting += map(int, (thread / "children").read_text(encoding="ascii").split())
        return nanoseconds / 1e3


@contextmanager
def _served(launcher: list[str], server: list[str]) -> Iterator[Server]:
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
            yield Server(process, port)
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
