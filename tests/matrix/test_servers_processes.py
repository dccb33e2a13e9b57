"""Each server process: what its downstream gets when requests come with a lane, without, and with another."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from matrix.servers import PROCESSES
from support.recorder import recording
from support.server_drive import LANE
from support.server_probe import Answer
from support.server_processes import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matrix.table import Cell
    from support.recorder import Recorder
    from support.server_processes import Process, Served


@pytest.fixture(scope="module")
def downstream() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def serve(downstream: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Process], Served]]:
    """Run a server for all situations of its column; the one before is stopped."""
    with ExitStack() as stack:
        running: dict[int, Served] = {}

        def serve(process: Process) -> Served:
            if id(process) not in running:
                stack.close()
                running.clear()
                running[id(process)] = stack.enter_context(process.running(tmp_path_factory.mktemp("server"), downstream.port))
            return running[id(process)]

        yield serve


@pytest.mark.parametrize("cell", PROCESSES.cells, ids=str)
def test_process(cell: Cell, covers: Cell, serve: Callable[[Process], Served], downstream: Recorder) -> None:
    """A server's process has a request's lane while it serves it, and no other."""
    served = serve(cell.driver)
    downstream.clear()
    SITUATIONS[cell.situation](served, downstream, cell.driver.keeps)


def ask(served: Served, path: str, lanes: list[str | None], *, keeps: bool) -> list[Answer]:
    """Requests, one for each lane, on one connection if the server keeps it."""
    connection = served.connect()
    answers = []
    for lane in lanes:
        connection.request("GET", path, headers={"X-Asm-Prefer-Tag": lane} if lane else {})
        response = connection.getresponse()
        answers.append(Answer(response.status, response.read()))
        assert answers[-1].status == 200, served.log.read_text()
        if keeps:
            assert connection.sock is not None, "the connection was not kept"
        else:
            connection.close()
            connection = served.connect()
    connection.close()
    return answers


def bare(served: Served, downstream: Recorder, keeps: bool) -> None:
    answers = ask(served, "/bare", ["s2", None, "s3", None], keeps=keeps)
    assert [answer.text for answer in answers] == ["s2", "None", "s3", "None"]
    assert downstream.values(LANE) == [["s2"], [], ["s3"], []]


def stream(served: Served, downstream: Recorder, keeps: bool) -> None:
    answers = ask(served, "/stream", ["s2", None], keeps=keeps)
    assert [answer.text for answer in answers] == ["s2s2", "NoNo"]
    assert downstream.values(LANE) == [["s2"], ["s2"], [], []]


def file(served: Served, downstream: Recorder, keeps: bool) -> None:
    answers = ask(served, "/file", ["s2", None], keeps=keeps)
    assert [answer.body for answer in answers] == [Path(TESTS, "support", "server_service.py").read_bytes()] * 2


def framework(served: Served, downstream: Recorder, keeps: bool) -> None:
    answers = ask(served, "/framework", ["s2", None], keeps=keeps)
    assert [answer.text for answer in answers] == ["by-hand", "by-hand"]
    assert downstream.values(LANE) == [["by-hand"], ["by-hand"]]


def websocket(served: Served, downstream: Recorder, keeps: bool) -> None:
    for lane, expected in (("s2", "s2"), (None, "None")):
        with served.websocket([(LANE, lane)] if lane else []) as client:
            for _ in range(2):
                client.send("?")
                assert client.recv(timeout=20) == expected
    assert downstream.values(LANE) == [["s2"], ["s2"], [], []]


def http2(served: Served, downstream: Recorder, keeps: bool) -> None:
    lanes = [f"s{number % 3}" for number in range(30)]

    async def ask_at_once() -> list[httpx.Response]:
        uds = str(served.uds) if served.uds else None
        transport = httpx.AsyncHTTPTransport(http1=False, http2=True, uds=uds)
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            url = f"http://127.0.0.1:{served.port}/bare"
            return await asyncio.gather(*(client.get(url, headers={LANE: lane}) for lane in lanes))

    served.connect().close()
    responses = asyncio.run(ask_at_once())
    assert {response.http_version for response in responses} == {"HTTP/2"}
    assert [response.text for response in responses] == lanes


SITUATIONS: dict[str, Callable[[Served, Recorder, bool], None]] = {
    function.__name__: function for function in (bare, stream, file, framework, websocket, http2)
}
