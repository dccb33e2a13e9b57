"""``lanebaggage mesh up``: processes in lanes until Ctrl-C, each call a line, Envoy's configuration as a file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from lanebaggage import MeshError
from lanebaggage._cli.mesh import _write
from lanebaggage.mesh import Command, Mesh
from lanebaggage.mesh.services_file import read_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LANES = Path(__file__).parent.parent / "acceptance" / "scenario-2" / "lanes.yaml"
RUN = [sys.executable, "-m", "lanebaggage"]

SERVICE = textwrap.dedent(
    """
    import os, sys
    from http.client import HTTPConnection
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.request import Request, urlopen

    def ask(headers):
        lane = {"my-trace-id": headers["my-trace-id"]} if headers["my-trace-id"] else {}
        if os.environ["way"] == "proxy":
            return urlopen(Request("http://mockb:8000/", headers=lane)).read().decode()
        if os.environ["way"] == "variables":
            host, port = os.environ["MOCKB_SERVICE_HOST"], int(os.environ["MOCKB_SERVICE_PORT"])
        else:
            host, port = "mockb.default.svc.cluster.local", 8000
        connection = HTTPConnection(host, port)
        connection.request("GET", "/", headers=lane)
        return connection.getresponse().read().decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            if self.path == "/end":
                print("the end")
                os._exit(3)
            body = os.environ["name"]
            if "way" in os.environ:
                body += " > " + ask(self.headers)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())
        def log_message(self, *_): pass

    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
    """
)


@pytest.fixture
def services(tmp_path: Path) -> Path:
    """mocka and mockb as processes; mocka v1 calls through the proxy, v2 by name resolution."""
    (tmp_path / "service.py").write_text(SERVICE)
    text = f"""
        mocka:
          v1:
            command: [{sys.executable}, service.py]
            env: {{name: a1, way: proxy}}
          v2:
            command: [{", ".join(RUN)}, run, --, {sys.executable}, service.py]
            env: {{name: a2, way: names}}
          v3: {{command: [{sys.executable}, service.py], env: {{name: a3, way: variables}}}}
        mockb:
          v1: {{command: {sys.executable} service.py, env: {{name: b1}}}}
          v3: {{command: {sys.executable} service.py, env: {{name: b3}}}}
        mockc:
          v1: http://127.0.0.1:9
        """
    path = tmp_path / "services.yaml"
    path.write_text(textwrap.dedent(text))
    return path


class Up:
    """A mesh that runs as somebody started it in a terminal."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([*RUN, "mesh", "up", *arguments], stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip())
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line that matches."""

        def found() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._more:
            self._more.wait_for(lambda: found() or not self._reader.is_alive(), 60)
            match = found()
        assert match is not None, self.lines
        return match

    def get(self, path: str, lane: str) -> tuple[int, str]:
        """Status and body at the gateway."""
        address = self.wait_for("gateway  http://(.*)")[1]
        connection = HTTPConnection(address, timeout=20)
        connection.request("GET", path, headers={"my-trace-id": lane})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body


@pytest.fixture(params=["sockets", "envoy"])
def up(request: pytest.FixtureRequest, services: Path, tmp_path: Path) -> Iterator[Up]:
    made = Up(str(LANES), str(services), "--engine", request.param, "--write", str(tmp_path / "envoy"))
    yield made
    if made.process.poll() is None:
        made.process.send_signal(signal.SIGINT)
    assert made.process.wait(20) == 0


def test_a_mesh_runs_until_it_is_interrupted(up: Up, tmp_path: Path) -> None:
    """Services are shown with their lanes, reach each other in three ways, each call is a line, and Ctrl-C ends it all."""
    assert up.wait_for("^mocka v2  http://127.0.0.1:[0-9]+  s2$")
    assert up.get("/mock", "s1") == (200, "a1 > b1")
    assert up.get("/mock", "s2") == (200, "a2 > b1")
    assert up.wait_for(r"GET /mock  lane s2  200  .* ms  mocka v2 > mockb v1 \(fallback\)$")
    assert json.loads((tmp_path / "envoy" / "envoy.json").read_text())["static_resources"]["clusters"]
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(20) == 0


def test_the_written_configuration_routes_to_the_same_services(up: Up, alone: Any, tmp_path: Path) -> None:
    """Another Envoy, started with the file alone, is a gateway and a sidecar to what runs; only its ports are changed here."""
    assert up.get("/mock", "s2") == (200, "a2 > b1")
    made = json.loads((tmp_path / "envoy" / "envoy.json").read_text())
    sockets = {one["name"]: one["address"]["socket_address"] for one in made["static_resources"]["listeners"]}
    assert {name: one["port_value"] for name, one in sockets.items()} == {"gateway": 8080, "sidecars": 15001}
    for one in sockets.values():
        one["port_value"] = 0
    with alone({**made, "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}) as ports:
        for listener, host, body in (("gateway", "shop", "a2 > b1"), ("sidecars", "mockb", "b1")):
            connection = HTTPConnection("127.0.0.1", ports[listener], timeout=20)
            connection.request("GET", "/mock", headers={"Host": host, "my-trace-id": "s2"})
            assert connection.getresponse().read().decode() == body
            connection.close()


@pytest.mark.parametrize("scenario", ["scenario-1", "scenario-2", "scenario-3", "strict"])
@pytest.mark.parametrize("engine", ["sockets", "envoy", "envoy-health", "envoy-istio"])
def test_the_written_configuration_is_that_of_the_engine(
    engine: str, scenario: str, validate: Callable[[dict], None], tmp_path: Path
) -> None:
    """With health checks or a cluster for each lane where the engine has them; names stay names, to be looked up there."""
    with Mesh.from_yaml(LANES.parents[1] / scenario / "lanes.yaml", engine=engine) as mesh:
        mesh.service("mocka", v1="http://localhost:9", v2="http://127.0.0.1:10")
        mesh.start()
        _write(mesh, tmp_path, Console(quiet=True))
    text = (tmp_path / "envoy.json").read_text()
    assert ("tcp_health_check" in text) == (engine == "envoy-health")
    assert ('"mocka|s1"' in text) == (engine == "envoy-istio")
    assert '"localhost"' in text
    validate(json.loads(text))


def test_a_service_that_ends_is_said_and_falls_back(up: Up) -> None:
    """A command that ended by itself is taken out, so that its lane falls back; its status and what it printed are shown."""
    assert up.get("/mock", "s2") == (200, "a2 > b1")
    host, port = up.wait_for("^mocka v2  http://(.*):([0-9]+)  s2$").groups()
    connection = HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/end")
    with pytest.raises(ConnectionError):
        connection.getresponse()
    assert up.wait_for("^mocka v2 has ended with status 3$")
    assert up.wait_for(r"^mocka v2 \| the end$")
    assert up.get("/mock", "s2") == (200, "a1 > b1")


def test_what_a_service_prints_is_shown_as_it_prints_it(tmp_path: Path) -> None:
    """Line by line with the service before it, its colours aside, without what would move the terminal's cursor."""
    program = "import http.server as s, sys; print('\\x1b[31mred\\x1b[0m \\x1b[2Jon'); print('half', end=''); "
    program += "s.HTTPServer(('127.0.0.1', int(sys.argv[1])), s.SimpleHTTPRequestHandler).serve_forever()"
    path = tmp_path / "services.yaml"
    path.write_text(json.dumps({"mocka": {"v1": [sys.executable, "-c", program, "{port}"]}}))
    up = Up(str(LANES), str(path))
    try:
        assert up.wait_for("^mockb is not in services.yaml: calls to it fail$")
        assert up.wait_for(r"^mocka v1 \| red on$")
        assert up.get("/mock", "s1")[0] == 404
        assert up.wait_for(r"^mocka v1 \| half127.0.0.1 .* code 404")
    finally:
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(20) == 0


def test_what_a_service_prints_need_not_be_shown(tmp_path: Path) -> None:
    """With --no-output only the last lines of a service that has ended are."""
    program = "import http.server as s, sys, os\nprint('first')\nclass H(s.SimpleHTTPRequestHandler):\n"
    program += " def do_GET(self):\n  print('last')\n  os._exit(4)\n"
    program += "s.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()"
    path = tmp_path / "services.yaml"
    path.write_text(json.dumps({"mocka": {"v1": [sys.executable, "-c", program, "{port}"]}}))
    up = Up(str(LANES), str(path), "--no-output")
    try:
        assert up.get("/mock", "s1")[0] == 503
        assert up.wait_for("last")
        said = [line for line in up.lines if line.startswith("mocka v1 ") and "http:" not in line]
        assert said == ["mocka v1 has ended with status 4", "mocka v1 | first", "mocka v1 | last"]
    finally:
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(20) == 0


def test_a_service_can_call_other_hosts_without_the_proxy() -> None:
    """NO_PROXY in a service's variables counts in either case, as programs read one or the other first."""
    program = (
        "import http.server as s, sys\nfrom urllib.request import proxy_bypass\nclass H(s.SimpleHTTPRequestHandler):\n"
        " def do_GET(self):\n  body = repr([bool(proxy_bypass(one)) for one in ('search.corp.example', 'mockb')]).encode()\n"
        "  self.send_response(200)\n  self.send_header('Content-Length', str(len(body)))\n  self.end_headers()\n"
        "  self.wfile.write(body)\ns.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()"
    )
    with Mesh(engine="sockets") as mesh:
        command = [sys.executable, "-c", program, "{port}"]
        mesh.service("a", v1=Command(command), v2=Command(command, {"NO_PROXY": "localhost,.corp.example"}))
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        assert mesh.get("a", "/", lane="s1").text == "[False, False]"
        assert mesh.get("a", "/", lane="s2").text == "[True, False]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_what_is_being_started(number: int, tmp_path: Path) -> None:
    """Ctrl-C while a service does not listen yet ends the command and the service at once."""
    started = tmp_path / "started"
    os.mkfifo(started)
    program = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    path = tmp_path / "services.yaml"
    path.write_text(json.dumps({"mocka": {"v1": [sys.executable, "-c", program, str(started)]}}))
    up = Up(str(LANES), str(path))
    pid = int(started.read_text())
    assert up.wait_for("^starting mocka v1$")
    up.process.send_signal(number)
    assert up.process.wait(20) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not any("ended with status" in line or "gateway" in line for line in up.lines)


@pytest.mark.parametrize("engine", ["sockets", "envoy"])
def test_a_service_that_fails_ends_the_wait_for_the_others(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the one that failed, not those that were ended because of it, and all can be started again."""
    monkeypatch.setattr("lanebaggage.mesh._process.START_SECONDS", 600)
    waits = Command([sys.executable, "-c", "import time; time.sleep(600)"])
    with ThreadPoolExecutor(1) as pool, Mesh.from_yaml(LANES, engine=engine) as mesh:
        mesh.service("mocka", v1=waits, v2=Command([sys.executable, "-c", "raise SystemExit('wrong')"]))
        for _ in range(2):
            error = pool.submit(mesh.start).exception(20)
            assert isinstance(error, MeshError)
            assert str(error) == "mocka v2 ended with status 1 as it started:\nwrong"


@pytest.mark.parametrize("engine", ["sockets", "envoy"])
def test_services_can_run_in_the_process_of_the_mesh(engine: str, tmp_path: Path) -> None:
    """An import string is looked up beside the file, and what it names forwards the lane without a line of code."""
    (tmp_path / "shop_of_this_test.py").write_text(
        textwrap.dedent(
            """
            from urllib.request import urlopen

            def app(environ, start_response):
                start_response("200 OK", [])
                return [b"a1 > ", urlopen("http://mockb:8000/").read()]

            def behind(environ, start_response):
                start_response("200 OK", [])
                return [environ["HTTP_MY_TRACE_ID"].encode()]
            """
        )
    )
    path = tmp_path / "services.yaml"
    path.write_text('mocka: {v1: "shop_of_this_test:app"}\nmockb: {v1: {app: "shop_of_this_test:behind"}}\n')
    up = Up(str(LANES), str(path), "--engine", engine)
    try:
        assert up.get("/mock", "s2") == (200, "a1 > s2")
        assert up.wait_for(r"lane s2  200  .* ms  mocka v1 \(fallback\) > mockb v1 \(fallback\)$")
    finally:
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(20) == 0


@pytest.mark.parametrize("engine", ["sockets", "envoy"])
def test_services_reach_each_other_in_each_way(engine: str, services: Path) -> None:
    """Unchanged URLs through HTTP_PROXY, an address in the environment, and names that the launcher resolves."""
    with Mesh.from_yaml(LANES, engine=engine) as mesh:
        for entry in read_services(services):
            mesh.service(str(entry.service), {entry.version: entry.app}, labels={entry.version: entry.labels})
        for version, body in (("v1", "a1 > b1"), ("v2", "a2 > b1"), ("v3", "a3 > b3")):
            lane = f"s{version[1]}"
            mesh.use(in_lane(mesh, lane))
            assert mesh.get("mocka", "/", lane=lane).text == body


def in_lane(mesh: Mesh, lane: str):
    """The lane group with mocka in a lane that otherwise lacks it."""
    group = mesh.topology.current.group
    lanes = [
        replace(one, services=(*(one.services or ()), group.services[0])) if one.name == lane else one for one in group.lanes
    ]
    return replace(group, lanes=tuple(lanes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mocka: {v1: [a, {b: c}]}", r"services.yaml:1: a part of a command is a mapping; write a text"),
        ("mocka:\n  v1: {comand: x}", r"services.yaml:2: 'comand' is no field of a service; write one of app, command"),
        ("mocka:\n  v1: {cwd: x}", r"services.yaml:2: mocka v1 has nothing to run; write command, url or app"),
        ("mocka:\n  v1: {url: 'http://a', app: 'b:c'}", r"services.yaml:2: mocka v1 has url and app"),
        ("mocka:\n  v1: ''", r"services.yaml:2: an empty text; write a command"),
        ('mocka:\n  v1: "a \'b"', r"services.yaml:2: this command cannot be taken apart"),
        ("mock a: {v1: x}", r"services.yaml:1: 'mock a' is no name of a service"),
        ("mocka: x", r"services.yaml:1: mocka is a text; write its versions"),
        ("- mocka", r"services.yaml:1: the file is a list; write services by name"),
        ("mocka:\n  v1: {command: x, cwd: nowhere}", r"services.yaml:2: there is no directory .*/nowhere; write one"),
        ("", r"services.yaml holds no service; write services by name"),
        ("mocka: [", r"services.yaml:[0-9]: this is not YAML"),
    ],
)
def test_a_wrong_services_file_says_where_and_what_to_write(text: str, message: str, tmp_path: Path) -> None:
    """Each mistake is one sentence with file, line and the expected shape."""
    path = tmp_path / "services.yaml"
    path.write_text(text)
    with pytest.raises(MeshError, match=message):
        read_services(path)


def test_a_services_file_holds_every_kind_of_service(tmp_path: Path) -> None:
    """Commands as text and list, addresses, import strings, with directories, variables and labels as they stand."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "services.yaml").write_text(
        textwrap.dedent(
            """
            a:
              1: python app.py --name "x y"
              v2: ["./serve", 8000, true]
              v3: http://a.example:8080
              v4: package.module:app
            other/a:
              v1: {command: serve, cwd: sub, env: {on: true, number: 1}, labels: {ASM_TRAFFIC_TAG: base}}
              v2: {app: "package.module:create()"}
            """
        )
    )
    entries = read_services(tmp_path / "services.yaml")
    assert [(str(entry.service), entry.version) for entry in entries] == [
        *(("default/a", version) for version in ("1", "v2", "v3", "v4")),
        *(("other/a", version) for version in ("v1", "v2")),
    ]
    assert entries[0].app.args == ("python", "app.py", "--name", "x y")
    assert entries[1].app.args == ("./serve", "8000", "true")
    assert [entry.app for entry in entries[2:4]] == ["http://a.example:8080", "package.module:app"]
    assert entries[4].app.cwd == tmp_path.resolve() / "sub"
    assert entries[4].app.env == {"on": "true", "number": "1"}
    assert entries[4].labels == {"ASM_TRAFFIC_TAG": "base"}
    assert entries[5].app == "package.module:create()"


def test_a_wrong_command_line_is_a_sentence(tmp_path: Path, services: Path) -> None:
    """A lane file without a lane group, and a service that does not start, end the command with an error and no traceback."""
    empty = tmp_path / "lanes.yaml"
    empty.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")
    services.write_text("mocka: {v1: /does/not/exist}")
    https = tmp_path / "https.yaml"
    https.write_text("mocka:\n  v1: https://mocka:443")
    for lanes, file, message in (
        (empty, services, "lane group"),
        (LANES, services, "mocka v1 cannot be started"),
        (LANES, https, "https.yaml:2: mocka v1: 'https://mocka:443' is no address of a service; write 'http://host:port'"),
    ):
        done = subprocess.run([*RUN, "mesh", "up", str(lanes), str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 1, done
        assert message in done.stderr
        assert "Traceback" not in done.stderr
