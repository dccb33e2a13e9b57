"""What each engine does when a lane's service fails: the table in docs/reference/engines.md, row by row."""

from __future__ import annotations

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from lanebaggage import MeshError
from lanebaggage.mesh import Mesh
from lanebaggage.routing import LaneGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKETS = ("sockets", "envoy", "envoy-health")
ENGINES = ("inprocess", *SOCKETS)
GROUP = LaneGroup.simple(baseline="s1", lanes={"s1": ["a"], "s2": ["a"]})
DOCS = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"
BASELINE = (200, "baseline")
OWN = (200, "lane")


class Faulty:
    """A service of lane s2 that answers as it is told to, one connection after the other."""

    ANSWERS: ClassVar = {
        "well": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlane",
        "503": b"HTTP/1.1 503 Down\r\ncontent-length: 4\r\n\r\ndown",
        "half": b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\nla",
        "nothing": b"",
        "hang": None,
    }

    def __init__(self) -> None:
        self.answer = "well"
        self._ended = threading.Event()
        self.port = 0
        self.listen()

    def app(self, _environ, start_response):
        """The same where no sockets are: what cannot be answered is raised."""
        answer = self.ANSWERS[self.answer]
        if not answer:
            raise ConnectionError("nothing to answer")
        head, _, body = answer.partition(b"\r\n\r\n")
        start_response(head.decode().partition("\r\n")[0].removeprefix("HTTP/1.1 "), [])
        yield body
        if self.answer == "half":
            raise ConnectionError("the other half")

    def listen(self) -> None:
        """Open the port, the same one as before."""
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=100)
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._listening,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the port: whoever connects is refused."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def end(self) -> None:
        """Close everything."""
        self._ended.set()
        if self._listening.fileno() >= 0:
            self.close()

    def _accept(self, listening: socket.socket) -> None:
        try:
            while True:
                threading.Thread(target=self._serve, args=(listening.accept()[0],), daemon=True).start()
        except OSError:
            return

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                if not (more := connection.recv(65536)):
                    return
                data += more
            answer = self.ANSWERS[self.answer]
            if answer is None:
                self._ended.wait()
            elif answer:
                connection.sendall(answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    made = Faulty()
    yield made
    made.end()


@pytest.fixture
def mesh(engine: str, faulty: Faulty) -> Iterator[Mesh]:
    """Service a: of this process in the baseline lane, faulty in lane s2."""

    def baseline(_environ, start_response):
        start_response("200 OK", [])
        return [b"baseline"]

    with Mesh(GROUP, engine=engine) as made:
        made.service("a", s1=baseline, s2=faulty.app if engine == "inprocess" else f"http://127.0.0.1:{faulty.port}")
        assert ask(made) == OWN
        yield made


def ask(mesh: Mesh, timeout: float = 10.0) -> tuple[int, str]:
    """Status and body of a request in lane s2, or what the error says."""
    try:
        call = mesh.get("a", "/", lane="s2", timeout=timeout)
    except MeshError as error:
        return 0, str(error)
    assert call.path == [("a", "s2" if call.text in ("lane", "down") or call.status != 200 else "s1")], call.tree
    assert call.hops[0].lane == "s2"
    return call.status, call.text


def until(mesh: Mesh, answer: tuple[int, str]) -> bool:
    """Ask until this is the answer: Envoy's checks and ejections take effect beside the requests, within two seconds."""
    pause = threading.Event()
    for _ in range(400):
        if ask(mesh) == answer:
            return True
        pause.wait(0.02)
    return False


def refused_then(engine: str) -> tuple[int, str]:
    return (503, "") if engine == "envoy" else BASELINE


@pytest.mark.parametrize("engine", SOCKETS)
def test_a_refused_connection(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """The embedded proxy and Envoy with health fall back for that very request; plain Envoy cannot leave the lane."""
    faulty.close()
    for _ in range(3):
        status, text = ask(mesh)
        assert (status, text if status == 200 else "") == refused_then(engine)
    faulty.listen()
    if engine == "envoy-health":
        assert until(mesh, OWN)
    assert ask(mesh) == OWN


@pytest.mark.parametrize("engine", SOCKETS)
def test_a_service_that_flaps(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """Away and back again and again, without anybody telling the mesh: each time as the first time."""
    for _ in range(3):
        faulty.close()
        status, text = ask(mesh)
        assert (status, text if status == 200 else "") == refused_then(engine)
        faulty.listen()
        assert until(mesh, OWN) if engine == "envoy-health" else ask(mesh) == OWN


@pytest.mark.parametrize("engine", ENGINES)
def test_an_answer_of_503_is_no_reason_to_fall_back(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """It is passed on, except that Envoy with health ejects an endpoint after three of them in a row."""
    faulty.answer = "503"
    assert [ask(mesh) for _ in range(3)] == [(503, "down")] * 3
    if engine == "envoy-health":
        assert until(mesh, BASELINE)
    else:
        assert [ask(mesh) for _ in range(3)] == [(503, "down")] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_connection_closed_before_the_answer(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """503 with the instance in the hop's reason; Envoy with health repeats the request, at the baseline in the end.

    In process it is an application that raises, which servers answer with 500.
    """
    faulty.answer = "nothing"
    if engine == "envoy-health":
        assert ask(mesh) == BASELINE
        return
    if engine == "inprocess":
        assert ask(mesh)[0] == 500
        return
    status, _ = ask(mesh)
    assert status == 503
    assert "a s2" in mesh.calls[-1].hops[0].reason


@pytest.mark.parametrize("engine", ENGINES)
def test_an_answer_that_breaks_off(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """No engine can take back what it has passed on: an error with the tree, which names the instance."""
    faulty.answer = "half"
    status, text = ask(mesh)
    assert status == 0
    assert text.startswith("the answer broke off")
    assert "a s2  lane s2" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_no_answer_at_all(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """The caller's own timeout ends it, on every engine; the tree says where it waited.

    In process an application that blocks would block the test, which calls it; there it is a fault of the mesh.
    """
    faulty.answer = "hang"
    if engine == "inprocess":
        mesh.hang("a", lane="s2")
    status, text = ask(mesh, timeout=0.2)
    assert status == 0
    why = "a s2 did not answer in time: a fault, hangs" if engine == "inprocess" else "nothing came back within 0.2 s"
    assert text.startswith(f"no answer in time: {why}")
    assert "a s2" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_the_baseline_is_gone_too(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """503, with a reason that names the lane and what it falls back to; what is in the lane still serves."""
    mesh.stop("a", version="s1")
    assert ask(mesh) == OWN
    mesh.stop("a", version="s2")
    call = mesh.get("a", "/", lane="s2")
    assert call.status == 503
    assert "a has no healthy endpoint in lane s2, nor in s1" in call.text
    assert call.hops[0].reason in call.tree
    mesh.start("a", version="s1")
    assert ask(mesh) == BASELINE


@pytest.mark.parametrize("engine", ENGINES)
def test_no_request_is_lost_while_a_service_comes_and_goes(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """Requests without end while the lane's service is stopped and started: each is served by the lane or the baseline."""
    ended = threading.Event()

    def hammer() -> list[tuple[int, str]]:
        answers = []
        while not ended.is_set():
            answers.append(ask(mesh))
        return answers

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(hammer) for _ in range(4)]
        for _ in range(15):
            mesh.stop("a", lane="s2")
            mesh.start("a", lane="s2")
        ended.set()
        answers = [answer for one in running for answer in one.result()]
    assert set(answers) <= {OWN, BASELINE}, set(answers)
    assert {OWN, BASELINE} & set(answers)


@pytest.mark.parametrize("engine", ["inprocess", "sockets", "envoy"])
def test_no_request_is_lost_while_lanes_come_and_go(engine: str, mesh: Mesh, faulty: Faulty) -> None:
    """The same while a lane is taken out of the group and put in again."""
    without = LaneGroup.simple(baseline="s1", lanes={"s1": ["a"]})
    with ThreadPoolExecutor(4) as pool:
        for group in (without, GROUP) * 5:
            asked = [pool.submit(mesh.get, "a", "/", headers={"x-asm-prefer-tag": "s2"}) for _ in range(10)]
            mesh.use(group)
            assert {one.result().status for one in asked} == {200}
        assert ask(mesh) == OWN


def test_the_table_in_the_documentation_has_a_row_for_each_test() -> None:
    """docs/reference/engines.md lists every failure that is tested here, and no other."""
    tested = set(re.findall(r"^def (test_(?!the_table)\w+)", Path(__file__).read_text(), re.MULTILINE))
    assert tested == set(re.findall(r"`(test_\w+)`", DOCS.read_text().partition("## Failures")[2].partition("\n## ")[0]))
