"""Services and lanes come, go and come back while requests run, on real sockets: no request is lost."""

from __future__ import annotations

import json
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lanebaggage.mesh import Command, Mesh
from lanebaggage.mesh.envoy_hops import BARRIER, HopReader
from lanebaggage.mesh.hops import BY_HEADER
from lanebaggage.mesh.topology import Compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("sockets", "envoy")
KINDS = ("wsgi", "asgi", "command")
TRACE_HEADERS = {"custom header": None, "baggage": "baggage", "trace ID": "my-trace-id"}

SERVER = """
import socket, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        port = int(self.path[1:] or 0)
        if port:
            with socket.create_connection(("127.0.0.1", port)) as asked:
                asked.recv(1)
        body = sys.argv[2].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): pass

class Server(ThreadingHTTPServer):
    request_queue_size = 100

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def service(kind: str, body: str) -> Any:
    """What answers with this body; asked for ``/PORT``, once somebody who listens there has sent a byte."""

    def wsgi(environ, start_response):
        if port := int(environ["PATH_INFO"][1:] or 0):
            with socket.create_connection(("127.0.0.1", port)) as asked:
                asked.recv(1)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body.encode()]

    async def asgi(scope, receive, send):
        import asyncio

        if port := int(scope["path"][1:] or 0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await reader.read(1)
            writer.close()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body.encode()})

    return {"wsgi": wsgi, "asgi": asgi, "command": Command([sys.executable, "-c", SERVER, "{port}", body])}[kind]


@contextmanager
def requests_running(mesh: Mesh, lanes: list[str]) -> Iterator[set[tuple[int, str]]]:
    """Ask without end, in all of these lanes and at the gateway; gives every answer that there was."""
    ended = threading.Event()
    answers: set[tuple[int, str]] = set()

    def ask() -> None:
        while not ended.is_set():
            for lane in list(lanes):
                for call in (mesh.get("a", "/", lane=lane), mesh.get("/")):
                    answers.add((call.status, call.text))

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(ask) for _ in range(3)]
        try:
            yield answers
        finally:
            ended.set()
        for one in running:
            one.result()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_service_of_each_kind_stops_and_starts(engine: str, kind: str) -> None:
    """Stopped and started again and again, a lane's service and the baseline in its place answer every request."""
    with Mesh(engine=engine) as mesh:
        mesh.service("a", v1=service(kind, "baseline"), v2=service(kind, "lane"))
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        mesh.start()
        with requests_running(mesh, ["s2"]) as answers:
            for _ in range(12):
                mesh.stop("a", lane="s2")
                mesh.start("a", lane="s2")
    assert answers <= {(200, "baseline"), (200, "lane")}
    assert (200, "baseline") in answers


@pytest.mark.parametrize("mode", TRACE_HEADERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_services_and_lanes_are_added_and_taken_away(engine: str, mode: str) -> None:
    """Versions, lanes for them and whole services are declared one after the other, and the lanes taken away again."""
    with Mesh(engine=engine) as mesh:
        mesh.service("a", v1=service("wsgi", "v1"))
        lanes = ["s1"]
        versions = {"s1": "v1"}
        mesh.lanes(versions, baseline="s1", trace_header=TRACE_HEADERS[mode])
        mesh.start()
        with requests_running(mesh, lanes) as answers:
            for number in range(2, 7):
                mesh.service("a", {f"v{number}": service("wsgi", f"v{number}")})
                mesh.service(f"other-{number}", v1=service("asgi", "other"))
                mesh.start()
                versions[f"s{number}"] = f"v{number}"
                mesh.lanes(versions, baseline="s1", trace_header=TRACE_HEADERS[mode])
                assert mesh.get("a", "/", lane=f"s{number}").text == f"v{number}"
                lanes.append(f"s{number}")
            for number in range(2, 7):
                lanes.remove(f"s{number}")
                del versions[f"s{number}"]
                mesh.lanes(versions, baseline="s1", trace_header=TRACE_HEADERS[mode])
    assert {status for status, _ in answers} == {200}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_being_served_is_served_to_its_end(engine: str, kind: str) -> None:
    """A service that is told to stop answers the request that it has; requests meanwhile go to the baseline."""
    with (
        Mesh(engine=engine) as mesh,
        socket.create_server(("127.0.0.1", 0)) as waiting,
        ThreadPoolExecutor(2) as pool,
    ):
        mesh.service("a", v1=service(kind, "baseline"), v2=service(kind, "lane"))
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        asked = pool.submit(mesh.get, "a", f"/{waiting.getsockname()[1]}", lane="s2")
        being_served, _ = waiting.accept()
        stopped = pool.submit(mesh.stop, "a", lane="s2")
        assert any(mesh.get("a", "/", lane="s2").text == "baseline" for _ in range(10_000))
        being_served.sendall(b"!")
        being_served.close()
        assert asked.result().text == "lane"
        stopped.result()


def test_what_envoy_has_not_told_of_yet_is_served_too() -> None:
    """A request that has reached the service before Envoy's line about it was read: the service is stopped after it."""
    with (
        Mesh(engine="envoy") as mesh,
        socket.create_server(("127.0.0.1", 0)) as waiting,
        ThreadPoolExecutor(2) as pool,
    ):
        mesh.service("a", v1=service("command", "baseline"), v2=service("command", "lane"))
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        assert mesh.get("a", "/", lane="s2").text == "lane"
        read, lines, asked_for = mesh.engine._envoy.on_line, [], threading.Event()

        def hold(line: bytes) -> None:
            lines.append(line)
            if BARRIER.encode() in line:
                asked_for.set()

        mesh.engine._envoy.on_line = hold
        asked = pool.submit(mesh.get, "a", f"/{waiting.getsockname()[1]}", lane="s2")
        being_served, _ = waiting.accept()
        stopped = pool.submit(mesh.stop, "a", lane="s2")
        stopped.add_done_callback(lambda _: asked_for.set())
        assert asked_for.wait(20)
        mesh.engine._envoy.on_line = read
        for line in lines:
            read(line)
        being_served.sendall(b"!")
        being_served.close()
        assert asked.result().text == "lane"
        stopped.result()


def test_what_the_proxy_is_just_routing_is_served_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service is stopped after the request that was routed to it a moment before."""
    routed, go_on = threading.Event(), threading.Event()
    pick = Compiled.pick

    def slowly(self, *args):
        found = pick(self, *args)
        routed.set()
        go_on.wait(20)
        return found

    with Mesh(engine="sockets") as mesh, ThreadPoolExecutor(2) as pool:
        mesh.service("a", v1=service("wsgi", "baseline"), v2=service("wsgi", "lane"))
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        mesh.start()
        monkeypatch.setattr(Compiled, "pick", slowly)
        asked = pool.submit(mesh.get, "a", "/", lane="s2")
        assert routed.wait(20)
        call = mesh.engine._thread.call

        def waited_for(coroutine, *args):
            go_on.set()
            return call(coroutine, *args)

        monkeypatch.setattr(mesh.engine._thread, "call", waited_for)
        stopped = pool.submit(mesh.stop, "a", lane="s2")
        stopped.add_done_callback(lambda _: go_on.set())
        assert asked.result().text == "lane"
        stopped.result()


def test_a_request_that_envoy_is_still_connecting_is_waited_for() -> None:
    """Envoy has chosen an instance, and says so once it is connected: whoever stops one waits until it is known which."""

    class Telling(threading.Condition):
        def wait_for(self, predicate, timeout=None):
            waits.set()
            return super().wait_for(predicate, timeout)

    waits = threading.Event()
    order = []
    with Mesh() as mesh:
        mesh.service("a", v1=service("wsgi", "a"))
        (instance,) = mesh.topology.instances
        hops = HopReader(mesh._traffic)
        hops._changed, hops.instances = Telling(), {"a v1": instance}
        hop = mesh.recorder.open(mesh.recorder.begin("GET a/", None), BY_HEADER, "GET", "/")

        def wait() -> None:
            hops.placed(20)
            order.append("waited")
            waits.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert waits.wait(20)
        order.append("told")
        hops.line(json.dumps({"at": "UpstreamPoolReady", "id": hop.id, "instance": "a v1"}).encode())
        waiting.join()
    assert order == ["told", "waited"]
    assert instance.serving == {hop.id: hop}
