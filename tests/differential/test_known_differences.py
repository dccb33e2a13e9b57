"""What the engines do not do alike, each row of the list in docs/reference/engines.md; none of it is about lanes."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from differential.wire import Servers
from lanebaggage.mesh import Mesh
from lanebaggage.routing import LaneGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"
HOST = b"host: a\r\n"

REQUESTS = {
    "fragment": b"GET /mock#part HTTP/1.1\r\n" + HOST,
    "%00": b"GET /%00 HTTP/1.1\r\n" + HOST,
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\n" + HOST,
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\n" + HOST,
    "folded line": b"GET / HTTP/1.1\r\n" + HOST + b"x-a: 1\r\n 2\r\n",
    "two Host headers": b"GET / HTTP/1.1\r\n" + HOST + b"host: b\r\n",
    "dots": b"GET /v2/../mock HTTP/1.1\r\n" + HOST,
    "capitals": b"GET / HTTP/1.1\r\n" + HOST + b"X-User: dev\r\n",
    "empty accept": b"GET / HTTP/1.1\r\n" + HOST + b"accept: dev\r\naccept:\r\n",
    "x-forwarded-proto": b"GET / HTTP/1.1\r\n" + HOST,
}
EXPECTED = {
    "fragment": {"sockets": (200, "/mock#part", {}), "envoy": 400},
    "%00": {"sockets": (200, "/%00", {}), "envoy": 400},
    "OPTIONS *": {"sockets": (200, "*", {}), "envoy": 404},
    "CONNECT": {"sockets": 405, "envoy": 404},
    "folded line": {"sockets": 400, "envoy": (200, "/", {"x-a": ["1 2"]})},
    "two Host headers": {"sockets": 400, "envoy": 502},
    "dots": {"sockets": (200, "/v2/../mock", {}), "envoy": (200, "/mock", {})},
    "capitals": {"sockets": (200, "/", {"X-User": ["dev"]}), "envoy": (200, "/", {"x-user": ["dev"]})},
    "empty accept": {"sockets": (200, "/", {"accept": ["dev", ""]}), "envoy": (200, "/", {"accept": ["dev"]})},
    "x-forwarded-proto": {"sockets": (200, "/", {}), "envoy": (200, "/", {"x-forwarded-proto": ["http"]})},
}


@pytest.fixture(scope="module", params=["sockets", "envoy"])
def engine(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """A service on each engine that says what it got."""
    servers = Servers()
    (port,) = servers.open(1)
    with Mesh(LaneGroup.simple(baseline="s1", lanes={"s1": ["a"]}), engine=request.param) as mesh:
        mesh.service("a", s1=f"http://127.0.0.1:{port}")
        mesh.start()
        yield mesh
    servers.close()


@pytest.mark.parametrize("name", REQUESTS)
def test_each_known_difference(engine: Mesh, name: str) -> None:
    """The engine answers, and the application gets, what the list says."""
    status, body = send(str(engine.engine.address_for(None)), REQUESTS[name] + b"\r\n")
    expected = EXPECTED[name][engine.engine_name]
    if isinstance(expected, int):
        assert status == expected
        return
    _, headers, path = json.loads(body)
    arrived: dict[str, list[str]] = {}
    for key, value in headers:
        if key not in ("host", "x-lanebaggage-hop") and (key != "x-forwarded-proto" or name == key):
            arrived.setdefault(key, []).append(value)
    assert (status, path, arrived) == expected


def send(address: str, data: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to these bytes."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(data)
        received = b""
        while (head := received.partition(b"\r\n\r\n"))[1] == b"" or len(head[2]) < length_of(head[0]):
            more = connection.recv(65536)
            if not more:
                break
            received += more
    return int(received.split(b" ", 2)[1]), received.partition(b"\r\n\r\n")[2]


def length_of(head: bytes) -> int:
    """The length of the body that follows."""
    found = re.search(rb"(?i)content-length: *([0-9]+)", head)
    return int(found[1]) if found else 0


def test_the_documentation_lists_each_difference() -> None:
    """docs/reference/engines.md has a row for each, and for no other."""
    table = DOCS.read_text().partition("## Known differences")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == set(REQUESTS)
