"""The sockets engine: processes with a sidecar of their own, names for every client, callers told apart, websockets."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import requests
import websockets.sync.client
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.exceptions import InvalidStatus

import lanebaggage
from lanebaggage import MeshError
from lanebaggage.mesh import Command, Mesh, _process
from mesh.chain import declare, instrument
from mesh.wire import SECONDS, upstream, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE = """
    # A service without any library: calls the next one by its URL, or by the address in its environment or arguments.
    import http.client, json, os, subprocess, sys, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = [f"{os.environ['app']} {os.environ['version']}"]
            if self.path == "/url":
                parts.append(urllib.request.urlopen("http://mockb:8000/").read().decode())
            if self.path in ("/variables", "/arguments"):
                host, port = os.environ["MOCKB_SERVICE_HOST"], os.environ["MOCKB_SERVICE_PORT"]
                address = f"{host}:{port}" if self.path == "/variables" else sys.argv[2]
                connection = http.client.HTTPConnection(address)
                connection.request("GET", "/")
                parts.append(connection.getresponse().read().decode())
            if self.path == "/environment":
                parts = [json.dumps(dict(os.environ))]
            body = ", ".join(parts).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_): pass

    if len(sys.argv) > 3:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("child", child.pid, file=open(sys.argv[3], "w"))
    host, port = sys.argv[1].split(":")
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    with Mesh(engine="sockets") as found:
        found.lanes(baseline="s1", s1="v1", s2="v2")
        yield found


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Command]:
    """A process of the service above."""
    script = tmp_path / "service.py"
    script.write_text(textwrap.dedent(SERVICE))

    def make(app: str, version: str, *more: str) -> Command:
        return Command([sys.executable, str(script), "{bind}", *more], env={"app": app, "version": version})

    return make


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a zombie has ended, and waits for its parent
            return stat.read().split()[2] != "Z"
    return False


def test_programs_of_this_environment_are_found(
    mesh: Mesh, command: Callable[..., Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody has activated the environment, so that its scripts are not in the ``PATH``."""
    monkeypatch.setenv("PATH", "/nowhere")
    started = command("mocka", "v1")
    mesh.service("mocka", v1=Command([Path(sys.executable).name, *started.args[1:]], started.env))
    assert mesh.get("mocka", "/name").text == "mocka v1"


def test_processes_reach_services_by_url_by_variable_and_by_argument(mesh: Mesh, command: Callable[..., Command]) -> None:
    """One lane mesh of processes: unchanged URLs through the proxy variables, and an address per service."""
    mesh.service("mocka", v1=command("mocka", "v1", "{mockb}"), v2=command("mocka", "v2", "{mockb}"))
    mesh.service("mockb", v1=command("mockb", "v1"))
    for path in ("/url", "/variables", "/arguments"):
        call = mesh.get("mocka", path, lane="s2")
        assert call.text == "mocka v2, mockb v1", call.tree
        assert call.path == [("mocka", "v2"), ("mockb", "v1")]
        assert [hop.linked for hop in call.hops] == ["header", "only request"]
        assert call.lost_at == "mockb"


def test_processes_are_told_how_to_forward(
    mesh: Mesh, command: Callable[..., Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane group's headers and the hop header as settings; no proxy but the sidecar, and none for this machine."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("NO_PROXY", "mockb")
    monkeypatch.setenv("LANEBAGGAGE_PASS_THROUGH", "x-mine")
    mesh.lanes(baseline="s1", s1="v1", trace_header="my-trace-id")
    mesh.service("mocka", v1=command("mocka", "v1", "{mockb}"))
    mesh.service("mockb", v1="http://127.0.0.1:9")
    environment = json.loads(mesh.get("mocka", "/environment").text)
    assert environment["HTTP_PROXY"] == environment["http_proxy"] == mesh.engine.address_for(mesh.topology.instances[0])
    assert environment["NO_PROXY"] == environment["no_proxy"] == "127.0.0.1,localhost,::1"
    assert "HTTPS_PROXY" not in environment
    assert environment["LANEBAGGAGE_ROUTE_HEADER"] == "x-asm-prefer-tag"
    assert environment["LANEBAGGAGE_TRACE_HEADER"] == "my-trace-id"
    assert environment["LANEBAGGAGE_PASS_THROUGH"] == "x-mine,x-lanebaggage-hop"


def test_a_process_stops_falls_back_and_comes_back(mesh: Mesh, command: Callable[..., Command]) -> None:
    """Stopped by the mesh, or killed by somebody: its requests take the baseline until it is started again."""
    mesh.service("mocka", v1=command("mocka", "v1"), v2=command("mocka", "v2"))
    for end in (lambda: mesh.stop("mocka", lane="s2"), lambda: killed(mesh)):
        assert mesh.get("mocka", lane="s2").path == [("mocka", "v2")]
        end()
        assert mesh.get("mocka", lane="s2").path == [("mocka", "v1")]
        mesh.start("mocka", lane="s2")
    assert mesh.get("mocka", lane="s2").path == [("mocka", "v2")]


def killed(mesh: Mesh) -> None:
    """Kill the process of mocka v2 behind the mesh's back."""
    [instance] = mesh.topology.find("mocka", version="v2")
    process = mesh.engine._running._servers[instance]._process  # type: ignore[attr-defined]
    process.kill()
    process.wait()


def test_closing_ends_processes_with_their_children(command: Callable[..., Command], tmp_path: Path) -> None:
    """What a service started goes with it, and so do the mesh's threads."""
    note = tmp_path / "child"
    threads = set(threading.enumerate())
    with Mesh(engine="sockets") as mesh:
        mesh.lanes(baseline="s1", s1="v1")
        mesh.service("mocka", v1=command("mocka", "v1", "x", str(note)))
        mesh.service("mockb", v1=lambda environ, start_response: [b""])
        assert mesh.get("mocka").status == 200
        child = int(note.read_text().split()[1])
        assert alive(child)
    assert not alive(child)
    assert set(threading.enumerate()) <= threads


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["no-such-program-here"], "mocka v1 cannot be started: "),
        (
            [sys.executable, "-c", "print('no database'); raise SystemExit(3)"],
            r"(?s)mocka v1 ended with status 3 .*no database",
        ),
        (
            [sys.executable, "-c", "import time; time.sleep(60)"],
            r"did not listen on port \d+ within 0.3 s; put {bind} or {port}",
        ),
        (["x", "{nothing}"], r"has 'nothing' in braces; known are host, port, bind"),
    ],
)
def test_a_process_that_does_not_start_says_why(
    mesh: Mesh, args: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has what it printed, or what to change in the command."""
    monkeypatch.setattr(_process, "START_SECONDS", 0.3)
    mesh.service("mocka", v1=args)
    with pytest.raises(MeshError, match=message):
        mesh.get("mocka")


def test_every_client_of_this_process_reaches_services_by_name(mesh: Mesh) -> None:
    """aiohttp's client, which the in-process engine cannot carry, from an application and from a test."""
    app = Flask("a")

    async def fetch() -> str:
        async with aiohttp.ClientSession() as session, session.get("http://mockb:8000/") as answer:
            return await answer.text()

    app.add_url_rule("/", view_func=lambda: asyncio.run(fetch()))
    other = Flask("b")
    other.add_url_rule("/", view_func=lambda: "from b")
    mesh.service("mocka", v1=app)
    mesh.service("mockb", v1=other)
    call = mesh.get("mocka")
    assert call.text == "from b"
    assert call.path == [("mocka", "v1"), ("mockb", "v1")]
    assert asyncio.run(fetch()) == "from b"
    assert mesh.calls[-1].path == [("mockb", "v1")]


def test_an_unknown_host_is_a_502_for_an_application(mesh: Mesh) -> None:
    """A name that no service has, called by an application of this process, never reaches the network."""
    app = Flask("a")
    app.add_url_rule("/", view_func=lambda: requests.get("http://mockz.example/", timeout=5).text)
    mesh.service("mocka", v1=app)
    assert mesh.get("mocka").text.startswith("mockz.example is no service of this mesh")


def test_callers_are_told_apart_though_they_share_connections() -> None:
    """Strict mode, nothing instrumented, one session for all instances of this process: each call is routed by its caller."""
    session = requests.Session()

    def app() -> Flask:
        flask = Flask("a")
        flask.add_url_rule("/", view_func=lambda: session.get("http://mockb/", timeout=5).text)
        return flask

    with Mesh(engine="sockets") as mesh, session:
        mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3", permissive=False)
        mesh.service("mocka", v1=app(), v2=app(), v3=app())
        for version in ("v1", "v2", "v3"):
            other = Flask(version)
            other.add_url_rule("/", view_func=lambda version=version: version)
            mesh.service("mockb", {version: other})
        for lane in ("s1", "s2", "s3", "s1", "s3"):
            call = mesh.get("mocka", lane=lane)
            assert call.text == f"v{lane[1]}", call.tree
            assert [hop.linked for hop in call.hops] == ["header", "context"]


def test_hops_that_nothing_tells_apart_are_calls_of_their_own(mesh: Mesh, command: Callable[..., Command]) -> None:
    """A process that forwards nothing and serves two requests at once: the hop is kept, and marked."""
    arrived, release = threading.Event(), threading.Event()
    other = Flask("b")

    @other.get("/")
    def wait_once() -> str:
        if not arrived.is_set():
            arrived.set()
            assert release.wait(SECONDS)
        return "b"

    mesh.service("mocka", v1=command("mocka", "v1", "{mockb}"))
    mesh.service("mockb", v1=other)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(mesh.get, "mocka", "/url")
        assert arrived.wait(SECONDS)
        second = mesh.get("mocka", "/url")
        release.set()
        assert first.result().path == [("mocka", "v1"), ("mockb", "v1")]
    assert second.path == [("mocka", "v1")]
    [unlinked] = [call for call in mesh.calls if call.unlinked]
    assert unlinked.path == [("mockb", "v1")]
    assert "made by one of several requests of mocka; forward x-lanebaggage-hop to tell which" in unlinked.tree


def test_websockets_pass_through(mesh: Mesh) -> None:
    """In the lane of the upgrade request, both ways, to the close's code; a refusal reaches the client as it is."""

    async def echo(socket: Any) -> None:
        await socket.accept(subprotocol="chat")
        await socket.send_text(str(lanebaggage.current_lane()))
        async for text in socket.iter_text():
            await socket.send_text(text.upper())

    async def refuse(socket: Any) -> None:
        await socket.close()

    lanebaggage.auto_instrument()
    routes = [WebSocketRoute("/echo", echo), WebSocketRoute("/no", refuse)]
    mesh.service("mocka", v1=Starlette(), v2=Starlette(routes=routes))
    headers = {"x-asm-prefer-tag": "s2"}
    connect = websockets.sync.client.connect
    with connect("ws://mocka:8000/echo", additional_headers=headers, subprotocols=["chat"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "chat"
        assert socket.recv(SECONDS) == "s2"
        for text in ("one", "x" * 200_000):
            socket.send(text)
            assert socket.recv(SECONDS) == text.upper()
    upgraded = mesh.calls[-1].hops[0]
    with pytest.raises(InvalidStatus) as refused:
        connect("ws://mocka/no", additional_headers=headers)
    assert refused.value.response.status_code == 403
    mesh.close()
    assert (upgraded.status, upgraded.error) == (101, None)


def test_the_proxy_has_no_lane_of_its_own(mesh: Mesh) -> None:
    """A lane that is current where a request is made, with the library on, reaches nothing through the proxy's own client."""
    with upstream() as server:
        mesh.service("mocka", v1=server.url)
        lanebaggage.auto_instrument()
        with lanebaggage.lane("s2"):
            mesh.get("mocka", lane=None)
            mesh.get("/mock", lane=None)
        assert len(server.heads) == 2
        assert values(server.heads[0], b"x-asm-prefer-tag") == []
        assert values(server.heads[1], b"x-asm-prefer-tag") == [b"s1"]


def test_the_gateway_is_an_address_for_any_client(mesh: Mesh) -> None:
    """A request of a client that knows nothing of the mesh is a call with hops like any other."""
    declare(mesh)
    mesh.start()
    instrument(mesh)
    answer = requests.get(f"{mesh.gateway}/mock", headers={"x-asm-prefer-tag": "s2"}, timeout=5)
    assert answer.text == "".join(f"-> mock{letter}(version: v2, ip: 127.0.0.1)" for letter in "abc")
    assert mesh.calls[-1].title == "GET /mock"
    assert mesh.calls[-1].path == [("mocka", "v2"), ("mockb", "v2"), ("mockc", "v2")]
    assert mesh.calls[-1].lost_at is None
