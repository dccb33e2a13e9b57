"""Real processes under the launcher: run to their end, or serving until the test is over."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAUNCH = [sys.executable, "-m", "lanebaggage", "run"]
HEADER = "x-asm-prefer-tag"
PORT = r"127\.0\.0\.1:[1-9]\d*"
ON = "import sys; m = sys.modules.get('lanebaggage.instrumentation'); print('on' if m and m.report().rows else 'off')"
"""Prints whether lanebaggage is on, without importing it."""

SERVICE = """
import os
from urllib.request import urlopen
import lanebaggage

def call():
    body = urlopen(os.environ["UPSTREAM"]).read()
    return f"{lanebaggage.current_lane()} {os.getpid()}".encode()

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [call()]

async def bare(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": call()})

import flask
app = flask.Flask(__name__)
app.add_url_rule("/", view_func=call)

import fastapi, fastapi.responses
api = fastapi.FastAPI()

@api.get("/")
def view():
    return fastapi.responses.PlainTextResponse(call())
"""
"""A service that forwards no header itself: calls UPSTREAM and answers with its lane and process."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment without anything of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANEBAGGAGE", "PYTHON", "COV"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_PROXY": "*", **more}


Run = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command under the launcher, in an empty directory, to its end."""

    def run(*command: str, options: list[str] | None = None, env: dict[str, str] | None = None, **more: Any) -> Any:
        return subprocess.run(
            [*LAUNCH, *(["--"] if options is None else options), *command],
            env=environment(**(env or {})),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **more,
        )

    return run


@pytest.fixture
def upstream() -> Iterator[Recorder]:
    """What services call."""
    with recording() as recorder:
        yield recorder


@pytest.fixture
def serve(tmp_path: Path, upstream: Recorder) -> Callable[..., Any]:
    """Start a server of ``SERVICE`` under a launcher, and give a function that sends it a request in a lane."""
    (tmp_path / "service.py").write_text(SERVICE)

    @contextmanager
    def serve(*command: str, port: bool = True) -> Iterator[Any]:
        process = subprocess.Popen(
            [*LAUNCH, "--", *command],
            env=environment(UPSTREAM=upstream.url()),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        log: list[str] = []
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process.stdout, log, lines))
        reader.start()

        def until(pattern: str) -> str:
            """Wait for a line of the log that was not waited for yet."""
            while (line := lines.get(timeout=60)) is not None:
                if found := re.search(pattern, line):
                    return found.group()
            raise AssertionError("".join(log))

        opener = build_opener(ProxyHandler({}))

        def get(lane: str | None = "s2", path: str = "/") -> str:
            request = Request(address + path, headers={HEADER: lane} if lane else {})
            with opener.open(request, timeout=30) as answer:
                return answer.read().decode()

        get.process, get.log, get.until = process, log, until  # type: ignore[attr-defined] # for tests of more than requests
        try:
            address = f"http://{until(PORT)}" if port else ""
            if port:
                _listening(int(address.rpartition(":")[2]), process)
            yield get
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                end(process.pid)
                reader.join(10)

    return serve


def _listening(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until a port is connected to: uvicorn logs its address, and its start-up, before its workers listen."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return


def _read(stream: Any, log: list[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        log.append(line)
        lines.put(line)
    lines.put(None)
    stream.close()


def end(session: int) -> None:
    """Kill what is left of a session that a test started."""
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        pass
