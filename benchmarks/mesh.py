"""What one hop through a mesh costs: direct, embedded proxy, Envoy, and other Python reverse proxies, in one run.

``python -m benchmarks.mesh`` measures those that are installed (for the peers: ``pip install asgiproxy mitmproxy
'fastapi-proxy-lib[standard]' 'uvicorn[standard]'``) by wrk (``apt-get install wrk``), in turns, round by round, so that a busy
machine slows all of them alike. Server and proxies are processes of their own; all run at once, and only one is ever loaded.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from math import inf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from rich.console import Console
from rich.progress import track

from .grid import Grid
from .throughput import available

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"
HEADERS = {"Host": "a", "x-asm-prefer-tag": "s2"}
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "engines.md"
MARK = "<!-- written by: python -m benchmarks.mesh --write -->\n"
START = 60.0
"""Seconds that a proxy may take to answer for the first time."""


class Way(NamedTuple):
    """A way to the server.

    :param module: that it needs.
    """

    name: str
    what: str
    module: str = "lanebaggage"


WAYS = (
    Way("direct", "no proxy"),
    Way("sockets", "the embedded proxy"),
    Way("envoy", "Envoy as a mesh has it, each hop reported", "envoy"),
    Way("envoy alone", "Envoy with the configuration of `--write`", "envoy"),
    Way("asgiproxy", "aiohttp's client under uvicorn with uvloop and httptools", "asgiproxy"),
    Way("fastapi-proxy-lib", "httpx under uvicorn with uvloop and httptools", "fastapi_proxy_lib"),
    Way("mitmproxy", "`mitmdump --mode reverse:`", "mitmproxy"),
)


_APPS = {
    "asgiproxy": "from asgiproxy.__main__ import make_app\napp, _ = make_app('{target}')",
    "fastapi-proxy-lib": "from fastapi_proxy_lib.fastapi.app import reverse_http_app as make\napp = make(base_url='{target}/')",
}


class Figures(NamedTuple):
    """Of one round: microseconds of a request on one connection, and requests per second on sixteen."""

    half: float
    most: float
    rate: float


# --- the processes


def serve(what: str, port: int, upstream: int) -> None:
    """Be the server, or a mesh whose client sidecar's address goes to standard output; until standard input ends."""
    if what == "direct":
        asyncio.run(_server(port))
        return
    from lanebaggage.mesh import Mesh
    from lanebaggage.routing import LaneGroup

    with Mesh(LaneGroup.simple(baseline="s1", lanes={"s1": ["a"], "s2": ["a"]}), engine=what) as mesh:
        mesh.service("a", s1="http://127.0.0.1:9", s2=f"http://127.0.0.1:{upstream}")
        mesh.start()
        print(str(mesh.engine.address_for(None)).rpartition(":")[2], flush=True)
        sys.stdin.read()


async def _server(port: int) -> None:
    class Answering(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(ANSWER * data.count(b"\r\n\r\n"))

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", port, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def _program(way: str, port: int, upstream: int, directory: Path) -> list[str]:
    """The command of a way that is a program of its own."""
    target = f"http://127.0.0.1:{upstream}"
    if way == "envoy alone":
        from lanebaggage.mesh.envoy_process import find_envoy
        from lanebaggage.routing import LaneGroup, ServiceRef
        from lanebaggage.routing.envoy import Endpoint, Sidecar, bootstrap

        group = LaneGroup.simple(baseline="s1", lanes={"s1": ["a"], "s2": ["a"]})
        endpoints = [Endpoint(ServiceRef("a"), ("s2",), "127.0.0.1", upstream)]
        made = bootstrap(group, endpoints=endpoints, sidecars=[Sidecar("sidecars", port=port)], gateway_port=0)
        (directory / "envoy.json").write_text(json.dumps(made))
        alone = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        return [str(find_envoy()), "-c", str(directory / "envoy.json"), *alone]
    if way in _APPS:
        (directory / "reverse.py").write_text(_APPS[way].format(target=target))
        return [sys.executable, "-m", "uvicorn", "reverse:app", "--port", str(port), "--no-access-log", "--log-level", "error"]
    mitmdump = str(Path(sys.executable).parent / "mitmdump")
    return [mitmdump, "-q", "--mode", f"reverse:{target}", "--listen-host", "127.0.0.1", "--listen-port", str(port)]


@contextmanager
def _running(way: str, upstream: int) -> Iterator[int]:
    """Start a way, and give the port where it is."""
    with tempfile.TemporaryDirectory() as directory, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        own = way in ("direct", "sockets", "envoy")
        command = [sys.executable, "-m", "benchmarks.mesh", "--serve", way, str(port), str(upstream)]
        path = [directory, str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        process = subprocess.Popen(
            command if own else _program(way, port, upstream, Path(directory)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if own else subprocess.DEVNULL,
            cwd=directory,
            env=environ,
            text=True,
        )
        try:
            if process.stdout is not None:
                port = int(process.stdout.readline())
            _wait(way, port)
            yield port
        finally:
            assert process.stdin is not None
            process.stdin.close()
            if not own:
                process.terminate()
            process.wait()


def _wait(way: str, port: int) -> None:
    until = time.monotonic() + START
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/", headers=HEADERS)
            if connection.getresponse().read() == b"ok":
                return
        except OSError:
            pass
        finally:
            connection.close()
        if time.monotonic() > until:
            raise click.ClickException(f"{way} does not answer on port {port}")
        time.sleep(0.05)


# --- measuring


def _wrk(port: int, connections: int, seconds: int) -> str:
    headers = [text for name, value in HEADERS.items() for text in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *headers, f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise click.ClickException(f"requests failed: {said}")
    return said


def measure(port: int, seconds: int) -> Figures:
    """One round on one way."""
    alone, many = _wrk(port, 1, seconds), _wrk(port, 16, seconds)
    half, most = (_microseconds(re.search(rf"{part}%\s+(\S+)", alone)) for part in (50, 99))
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", many)
    assert rate is not None
    return Figures(half, most, float(rate[1]))


def _microseconds(found: re.Match[str] | None) -> float:
    number = re.fullmatch(r"([0-9.]+)(us|ms|s)", found[1] if found is not None else "")
    if number is None:  # no request was answered in this round
        return inf
    return float(number[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[number[2]]


def measured(ways: Iterable[str], rounds: int, seconds: int) -> Grid:
    """Medians over the rounds of those ways that are installed."""
    results: dict[str, list[Figures]] = {way.name: [] for way in WAYS if way.name in ways and find_spec(way.module) is not None}
    with ExitStack() as running:
        upstream = running.enter_context(_running("direct", 0))
        ports = {name: upstream if name == "direct" else running.enter_context(_running(name, upstream)) for name in results}
        turns = [name for _ in range(rounds) for name in ports]
        for name in track(turns, "measuring", console=Console(stderr=True)):
            results[name].append(measure(ports[name], seconds))
    grid = Grid(("way", "p50, one connection", "p99", "requests a second, 16 connections", "what it is"))
    for way in WAYS:
        if way.name in results:
            half, most, rate = (median(column) for column in zip(*results[way.name], strict=True))
            grid.rows.append((way.name, f"{half / 1000:.2f} ms", f"{most / 1000:.2f} ms", f"{rate:,.0f}", way.what))
    return grid


def hop(*, quick: bool) -> Grid:
    """Without a proxy, through the embedded one, and through Envoy."""
    if not available():
        raise RuntimeError("wrk is needed: apt-get install wrk")
    return measured(["direct", "sockets", "envoy"], 2 if quick else 5, 1 if quick else 2)


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=2, show_default=True, help="Of each measurement.")
@click.option("--write", is_flag=True, help=f"Write the table into {PAGE.name}.")
@click.option("--serve", "served", nargs=3, hidden=True)
def main(rounds: int, seconds: int, write: bool, served: tuple[str, str, str] | None) -> None:
    """Measure one hop on each way that is installed."""
    if served is not None:
        serve(served[0], int(served[1]), int(served[2]))
        return
    if not available():
        raise click.ClickException("wrk is needed: apt-get install wrk")
    table = measured([way.name for way in WAYS], rounds, seconds).markdown()
    click.echo("\n".join(table))
    if write:
        before, _, after = PAGE.read_text(encoding="utf-8").partition(MARK)
        rest = after.partition("\n\n")[2]
        PAGE.write_text(f"{before}{MARK}" + "\n".join(table) + f"\n\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    main()
