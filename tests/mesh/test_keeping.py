"""What goes on running when a mesh begins anew, what is forgotten, and that nothing at all is left when it is closed."""

from __future__ import annotations

import gc
import os
import sys
import textwrap
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import lanebaggage
from lanebaggage import MeshError, _runtime
from lanebaggage.mesh import Command, Mesh, envoy_pool, keeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ENGINES = ["inprocess", "sockets", "envoy"]
engines = pytest.mark.parametrize("engine", ENGINES)

PROCESS = """
    import os, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = str(os.getpid()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_): pass

    host, port = sys.argv[1].split(":")
    HTTPServer((host, int(port)), Handler).serve_forever()
"""


def wsgi(upstream: str = "") -> Flask:
    app = Flask("service")
    app.add_url_rule("/", view_func=lambda: requests.get(upstream, timeout=5).text if upstream else "end")
    return app


def asgi(events: list[str]) -> Starlette:
    """An application that notes when it starts and ends."""

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        events.append("started")
        yield
        events.append("ended")

    async def view(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("end")

    return Starlette(routes=[Route("/", view)], lifespan=lifespan)


def declare(mesh: Mesh, **services: Any) -> None:
    for name, app in services.items():
        mesh.service(name, v1=app)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    path = tmp_path_factory.mktemp("process") / "service.py"
    path.write_text(textwrap.dedent(PROCESS))
    return lambda *more: [sys.executable, str(path), "{bind}", *more]


@engines
def test_the_same_application_goes_on_running(engine: str) -> None:
    """Declared again it is the same instance at the same address, and its lifespan began once; another one is new."""
    events: list[str] = []
    app, front = asgi(events), wsgi("http://mockb/")
    with Mesh(engine=engine) as mesh:
        declare(mesh, mocka=front, mockb=app)
        assert mesh.get("mocka").text == "end"
        before = mesh.topology.instances
        addresses = [one.address for one in before]
        for _ in range(2):
            mesh.reset()
            assert not any(one.up for one in before)
            declare(mesh, mocka=front, mockb=app)
            assert mesh.get("mocka").text == "end"
            assert mesh.topology.instances == before
            assert [one.address for one in before] == addresses
        assert events == ["started"]
        mesh.reset()
        declare(mesh, mocka=wsgi("http://mockb/"), mockb=app)
        assert mesh.get("mocka").text == "end"
        assert mesh.topology.instances[0] is not before[0]
        assert mesh.topology.instances[1] is before[1]
    assert events == ["started", "ended"]


@engines
def test_a_new_start_forgets_what_was_declared_and_done(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services, lanes, calls, hosts, faults, what may be lost, the mesh's lane, settings and NO_PROXY."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    lanebaggage.auto_instrument()
    settings = _runtime.settings
    with Mesh(engine=engine) as mesh:
        declare(mesh, mocka=wsgi())
        partner = mesh.external("api.partner.example", 201)
        mesh.default_lane = "s2"
        mesh.allow_lost()
        mesh.fail("mocka", 500)
        assert mesh.get("mocka").status == 500
        assert mesh.get("api.partner.example").status == 201
        assert _runtime.settings is not settings
        assert "mocka" in os.environ["NO_PROXY"]
        mesh.reset()
        assert _runtime.settings is settings
        assert "NO_PROXY" not in os.environ
        assert mesh.calls == mesh.lost == mesh.topology.instances == []
        assert mesh.default_lane is None
        assert len(partner.requests) == 1
        with pytest.raises(MeshError, match="the mesh has no lanes"):
            mesh.get("mocka")
        declare(mesh, mocka=wsgi())
        assert mesh.external("api.partner.example") is not partner
        assert (mesh.get("mocka").status, mesh.get("api.partner.example").status) == (200, 200)
        mesh.lanes(baseline="s1", s1="v1")
        with pytest.raises(MeshError, match="no instance of mockb"):
            mesh.stop("mockb")


@engines
def test_too_many_are_ended(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was declared longest ago first; where each test makes applications of its own they would heap up."""
    monkeypatch.setattr(keeping, "KEPT", 2)
    events: dict[int, list[str]] = {number: [] for number in range(4)}
    with Mesh(engine=engine) as mesh:
        for number in range(4):
            declare(mesh, mocka=asgi(events[number]))
            assert mesh.get("mocka").text == "end"
            mesh.reset()
        declare(mesh, mocka=wsgi())
        mesh.get("mocka")
        assert [events[number] for number in range(4)] == [["started", "ended"]] * 2 + [["started"]] * 2
    assert [events[number] for number in range(4)] == [["started", "ended"]] * 4


@pytest.mark.parametrize("other", ENGINES)
@engines
def test_an_application_with_an_event_loop_runs_once(engine: str, other: str) -> None:
    """What is kept of it in one mesh ends before it starts in another, or as another version: its clients have one loop."""
    events: list[str] = []
    app = asgi(events)
    with Mesh(engine=engine) as first, Mesh(engine=other) as second:
        declare(first, mocka=app)
        assert first.get("mocka").text == "end"
        first.reset()
        declare(second, mocka=app)
        assert second.get("mocka").text == "end"
        assert events == ["started", "ended", "started"]
        second.reset()
        second.service("mocka", v2=app)
        second.lanes(baseline="s1", s1="v2")
        assert second.get("mocka").text == "end"
        assert events == ["started", "ended"] * 2 + ["started"]
    assert events == ["started", "ended"] * 3


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_a_command_in_the_same_words_is_the_same_process(engine: str, process: Callable[..., list[str]]) -> None:
    """A list and a Command alike; with other words, variables or labels it is another one, and all end with the mesh."""
    with Mesh(engine=engine) as mesh:
        declare(mesh, mocka=process())
        first = mesh.get("mocka").text
        mesh.reset()
        declare(mesh, mocka=process())
        assert mesh.get("mocka").text == first
        mesh.reset()
        declare(mesh, mocka=Command(process(), {"A": "1"}))
        second = mesh.get("mocka").text
        mesh.reset()
        declare(mesh, mocka=Command(process(), {"A": "1"}))
        assert mesh.get("mocka").text == second != first
        assert all(Path(f"/proc/{pid}").exists() for pid in (first, second))
        mesh.reset()
    assert not any(Path(f"/proc/{pid}").exists() for pid in (first, second))


def left() -> tuple[int, int, int]:
    """How many threads, open files and child processes this process has."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return threading.active_count(), len(os.listdir("/proc/self/fd")), len(children)  # noqa: PTH208 - without a handle of its own


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="threads, files and children are counted in /proc")
@engines
def test_nothing_is_left_of_a_closed_mesh(engine: str, process: Callable[..., list[str]]) -> None:
    """No thread, no socket, no process: in use, kept, stopped and with faults alike; closed twice too."""

    def use() -> None:
        events: list[str] = []
        with Mesh(engine=engine) as mesh:
            for round_ in range(2):
                declare(mesh, mocka=wsgi("http://mockb/"), mockb=asgi(events))
                if engine != "inprocess":
                    mesh.service("mockd", v1=process(str(round_)))
                    assert mesh.get("mockd").text.isdecimal()
                assert mesh.get("mocka").text == "end"
                with mesh.client("mocka").requests as session:
                    assert session.get("/", timeout=5).text == "end"
                mesh.delay("mockb", 0.01)
                assert mesh.get("mocka").text == "end"
                mesh.stop("mocka")
                if not round_:
                    mesh.reset()
        mesh.close()
        assert events == ["started", "started", "ended", "ended"]
        envoy_pool.stop_idle()

    use()  # what is loaded and kept for good, once
    before = left()
    use()
    assert left() == before


def test_a_closed_mesh_says_so() -> None:
    """Declaring after the end is an error at the next request, and what was kept is gone."""
    mesh = Mesh()
    app = wsgi()
    declare(mesh, mocka=app)
    assert mesh.get("mocka").text == "end"
    mesh.reset()
    mesh.close()
    declare(mesh, mocka=app)
    with pytest.raises(MeshError, match=r"the mesh is closed; make requests inside 'with Mesh\(\.\.\.\) as mesh:'"):
        mesh.get("mocka")
