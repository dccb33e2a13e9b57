"""What a mesh's own requests send, and how they end."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lanebaggage import MeshError
from lanebaggage._settings import BAGGAGE

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

pytestmark = pytest.mark.parametrize("mesh_engine", ["inprocess", "sockets"])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what reached it."""
    if scope["type"] != "http":
        raise NotImplementedError
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    got = {
        "method": scope["method"],
        "target": target.decode(),
        "headers": [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]],
        "body": body.decode(),
    }
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1"), (b"X-A", b"2")]})
    await send({"type": "http.response.body", "body": json.dumps(got).encode()})


@pytest.fixture
def mesh(mesh: Mesh) -> Mesh:
    mesh.service("mocka", v1=echo, v2=echo)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    return mesh


def test_a_request_has_what_it_was_given(mesh: Mesh) -> None:
    """Method, target, headers in any text, body as bytes, text or JSON; the response with its status and headers."""
    call = mesh.request("PUT", "mocka", "/a b/café%2F?x=1&y=a+b", headers={"X-Mine": "José", "X-Yours": "路"}, data="text")
    assert (call.status, call.headers.getall("x-a")) == (201, ["1", "2"])
    got = call.json()
    headers = dict(got["headers"])
    assert (got["method"], got["target"], got["body"]) == ("PUT", "/a%20b/caf%C3%A9%2F?x=1&y=a+b", "text")
    assert headers["host"] == "mocka"
    assert headers["x-mine"] == "José"
    assert headers["x-yours"].encode("latin-1").decode() == "路"
    assert headers["content-length"] == "4"
    got = mesh.post("mocka", json={"a": 1}, headers=[("X-Twice", "1"), ("X-Twice", "2")]).json()
    assert (got["target"], json.loads(got["body"])) == ("/", {"a": 1})
    assert dict(got["headers"])["content-type"] == "application/json"
    assert [value for name, value in got["headers"] if name == "x-twice"] == ["1", "2"]
    assert dict(mesh.get("/any", headers={"Host": "shop.example"}).json()["headers"])["host"] == "shop.example"


@pytest.mark.parametrize(
    ("trace", "sent"),
    [
        ("x-asm-prefer-tag", {"x-asm-prefer-tag"}),
        ("my-trace-id", {"x-asm-prefer-tag", "my-trace-id"}),
        (BAGGAGE, {"x-asm-prefer-tag", BAGGAGE}),
    ],
)
def test_a_lane_is_entered_by_the_headers_of_the_mode(mesh: Mesh, trace: str, sent: set[str]) -> None:
    """As the gateway sets them; a header that was given is kept, a trace ID is another one each time."""
    mesh.lanes(baseline="s1", s1="v1", s2="v2", trace_header=trace)
    calls = [mesh.get("mocka", lane="s2") for _ in range(2)]
    seen = [dict(call.json()["headers"]) for call in calls]
    assert [call.path for call in calls] == [[("mocka", "v2")]] * 2
    assert {name for name in seen[0] if name in ("x-asm-prefer-tag", "my-trace-id", BAGGAGE)} == sent
    assert seen[0].get(BAGGAGE) == ("x-asm-prefer-tag=s2" if trace == BAGGAGE else None)
    if trace == "my-trace-id":
        assert seen[0][trace] != seen[1][trace]
    assert mesh.get("mocka", lane="s2", headers={"x-asm-prefer-tag": "s1"}).path == [("mocka", "v1")]
    assert mesh.lane_headers(None) == {}


def test_a_header_that_would_break_the_request_is_an_error(mesh: Mesh) -> None:
    """A line break never reaches the wire."""
    with pytest.raises(MeshError, match="has a line break or NUL in it"):
        mesh.get("mocka", headers={"X-Bad": "a\r\nX-Other: b"})


def test_an_application_that_blocks_its_loop_does_not_hold_the_end(mesh: Mesh) -> None:
    """Closing gives it up; its thread ends when it does."""
    entered, release = threading.Event(), threading.Event()

    async def blocks(scope: Any, _receive: Any, _send: Any) -> None:
        if scope["type"] == "http":
            entered.set()
            release.wait(30)

    mesh.service("mockb", v1=blocks)
    with pytest.raises(MeshError, match=r"(?s)no answer in time.*mockb v1"):
        mesh.get("mockb", timeout=0.1)
    assert entered.is_set()
    mesh.close()
    mesh.close()
    release.set()
