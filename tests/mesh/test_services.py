"""What a service can be, on each engine that can serve it; calls across processes, and their trees."""

from __future__ import annotations

import re
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import lanebaggage
from lanebaggage import MeshError
from lanebaggage.mesh import ASGI, WSGI, Command
from mesh.wire import OK, upstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lanebaggage.mesh import Mesh

ENGINES = ["inprocess", "sockets", "envoy"]
SECONDS = 10

flask_app = Flask("service")
flask_app.add_url_rule("/", view_func=lambda: "ok")


async def view(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


starlette_app = Starlette(routes=[Route("/", view)])


def wsgi_function(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


async def asgi_function(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


def untold(app: Any) -> Any:
    """A callable whose signature does not tell what it is."""

    def call(*given: Any) -> Any:
        return app(*given)

    return call


def create_app() -> Flask:
    return flask_app


HERE: dict[str, Any] = {
    "WSGI object": flask_app,
    "ASGI object": starlette_app,
    "WSGI function": wsgi_function,
    "ASGI function": asgi_function,
    "factory": create_app,
    "factory of ASGI": lambda: starlette_app,
    "import string": f"{__name__}:flask_app",
    "import string of ASGI": f"{__name__}:starlette_app",
    "import string of a factory": f"{__name__}:create_app()",
    "any callable as WSGI": WSGI(untold(wsgi_function)),
    "any callable as ASGI": ASGI(untold(asgi_function)),
}


@pytest.mark.parametrize("mesh_engine", ENGINES)
@pytest.mark.parametrize("kind", HERE)
def test_applications_of_this_process_run_on_every_engine(mesh: Mesh, kind: str) -> None:
    """WSGI and ASGI, as objects, functions, factories and import strings."""
    mesh.service("mocka", v1=HERE[kind])
    mesh.lanes(baseline="s1", s1="v1")
    call = mesh.get("mocka")
    assert (call.status, call.text, call.path) == (200, "ok", [("mocka", "v1")])


@pytest.mark.parametrize("mesh_engine", ENGINES[1:])
def test_commands_and_addresses_run_on_sockets(mesh: Mesh, tmp_path: Path) -> None:
    """Any program that listens where it is told to, and whatever listens already."""
    (tmp_path / "app.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'ok']\n")
    with upstream(OK) as server:
        command = [sys.executable, "-m", "gunicorn", "app:app", "-b", "{bind}", "--chdir", str(tmp_path)]
        mesh.service("mocka", v1=command, v2=f"http://127.0.0.1:{server.port}")
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        for lane, version in (("s1", "v1"), ("s2", "v2")):
            call = mesh.get("mocka", lane=lane)
            assert (call.status, call.text, call.path) == (200, "ok", [("mocka", version)]), call.tree


def test_what_is_elsewhere_needs_sockets(mesh: Mesh) -> None:
    """The in-process engine says which engine serves it."""
    for app in (["gunicorn", "app:app", "-b", "{bind}"], Command(["app"]), "http://127.0.0.1:1"):
        mesh.service("mocka", v1=app)
        mesh.lanes(baseline="s1", s1="v1")
        with pytest.raises(MeshError, match="the in-process engine serves no other; use engine='sockets'"):
            mesh.get("mocka")
        mesh.reset()


# --- calls and their trees

RELAY = """
    import sys, urllib.request
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_): pass

    class Threaded(ThreadingMixIn, WSGIServer): pass

    def app(environ, start_response):
        start_response("200 OK", [])
        with urllib.request.urlopen(sys.argv[2]) as answer:
            return [answer.read()]

    host, port = sys.argv[1].split(":")
    server = Threaded((host, int(port)), Quiet)
    server.set_app(app)
    server.serve_forever()
"""


@pytest.mark.parametrize("mesh_engine", ENGINES[1:])
def test_hops_are_linked_across_processes(mesh: Mesh, tmp_path: Path) -> None:
    """Through two processes and back into this one, many requests at once: each call has its own hops, by the header."""
    path = tmp_path / "relay.py"
    path.write_text(textwrap.dedent(RELAY))

    def relay(url: str) -> list[str]:
        return [sys.executable, "-m", "lanebaggage", "run", "--", sys.executable, str(path), "{bind}", url]

    mesh.service("mocka", v1=relay("http://mockb:8000/"))
    mesh.service("mockb", v1=relay("http://mockc:8000/"))
    mesh.service("mockc", v1=flask_app, v2=flask_app)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    mesh.start()
    with ThreadPoolExecutor(4) as pool:
        calls = list(pool.map(lambda number: mesh.get("mocka", lane=f"s{number % 2 + 1}"), range(16)))
    for number, call in enumerate(calls):
        assert call.path == [("mocka", "v1"), ("mockb", "v1"), ("mockc", f"v{number % 2 + 1}")], call.tree
        assert [hop.linked for hop in call.hops] == ["header"] * 3
        assert [hop.lane for hop in call.hops] == [call.lane] * 3
    assert len(mesh.calls) == 16


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_tree_has_fan_out_repetition_and_errors(mesh: Mesh) -> None:
    """One after the other and at once, twice the same, an error status, an exception, a host that there is not."""

    def fetch(*urls: str) -> Callable[[], str]:
        return lambda: "".join(requests.get(url, timeout=SECONDS).text for url in urls)

    def fail() -> str:
        raise ValueError("no such order")

    def at_once() -> str:
        with ThreadPoolExecutor(2) as pool:
            return "".join(pool.map(lambda _: requests.get("http://mockc/", timeout=SECONDS).text, range(2)))

    front, middle, failing = Flask("front"), Flask("middle"), Flask("failing")
    front.add_url_rule("/", view_func=fetch("http://mockb/", "http://mockb/", "http://mockd/", "http://nobody.example/"))
    middle.add_url_rule("/", view_func=at_once)
    failing.add_url_rule("/", view_func=fail)
    mesh.service("mocka", v1=front)
    mesh.service("mockb", v1=middle, v2=middle)
    mesh.service("mockc", v1=flask_app)
    mesh.service("mockd", v1=failing)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    lanebaggage.auto_instrument()
    call = mesh.get("mocka", lane="s2")
    assert call.lost_at is None
    assert [len(hop.children) for hop in call.hops] == [4, 2, 0, 0, 2, 0, 0, 0, 0]
    lines = [re.sub(r"[0-9.]+ ms", "1 ms", line) for line in call.tree.splitlines()]
    back = "fallback: {0} is not in lane s2, fell back to s1"
    assert lines[:8] == [
        "GET mocka/  200  1 ms",
        f"└─ mocka v1  lane s2  {back.format('mocka')}",
        *(
            line
            for _ in range(2)
            for line in (
                "   ├─ mockb v2  lane s2",
                f"   │  ├─ mockc v1  lane s2  {back.format('mockc')}",
                f"   │  └─ mockc v1  lane s2  {back.format('mockc')}",
            )
        ),
    ]
    assert lines[8] == f"   ├─ mockd v1  lane s2  {back.format('mockd')}  500"
    assert lines[9].startswith(
        "   └─ nobody.example -  no lane  502 nobody.example is no service of this mesh; declare it with"
    )
