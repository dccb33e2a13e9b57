"""Calling a mesh: which lane a request gets, from threads, tasks and event loops, and by clients of one's own."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import trio
from flask import Flask, redirect, request

import lanebaggage
from lanebaggage import LaneError, MeshError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanebaggage.mesh import Mesh
    from lanebaggage.mesh.client import Client

ENGINES = ["inprocess", "sockets", "envoy"]
HEADER = "x-asm-prefer-tag"
SECONDS = 10

echo, front = Flask("mockb"), Flask("mocka")


@echo.route("/", methods=["GET", "POST"])
def said() -> dict[str, Any]:
    return {"headers": {name.lower(): value for name, value in request.headers}, "body": request.get_data(as_text=True)}


@echo.get("/away")
def away() -> Any:
    return redirect("http://api.partner.example/")


@front.route("/", methods=["GET", "POST"])
def passed() -> str:
    return requests.get("http://mockb:8000/", timeout=SECONDS).text


@pytest.fixture
def mesh(mesh: Mesh) -> Mesh:
    mesh.service("mocka", v1=front, v2=front, v3=front)
    mesh.service("mockb", v1=echo, v2=echo, v3=echo)
    mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3")
    lanebaggage.auto_instrument()
    return mesh


def lanes(mesh: Mesh) -> list[str | None]:
    """The lane of each call so far, which is the one that its hops arrived in."""
    for call in mesh.calls:
        assert {hop.lane for hop in call.hops} == {call.lane}, call.tree
    return [call.lane for call in mesh.calls]


# --- which lane


def test_the_innermost_lane_counts(mesh: Mesh) -> None:
    """What the request says, then the block, the lane that is entered by hand, and the mesh's own; none says so too."""
    mesh.get("mocka")
    mesh.default_lane = "s1"
    mesh.get("mocka")
    mesh.get("mocka", lane=None)
    with lanebaggage.lane("s2"):
        mesh.get("mocka")
        with mesh.lane("s3"):
            mesh.get("mocka")
            mesh.get("mocka", lane="s2")
            with mesh.lane(None):
                mesh.get("mocka")
            mesh.get("mocka")
        mesh.get("mocka")
    with mesh.lane("s3"), lanebaggage.lane("s2"):
        mesh.get("mocka")
    mesh.get("mocka")
    assert lanes(mesh) == [None, "s1", None, "s2", "s3", "s2", None, "s3", "s2", "s3", "s1"]


def test_a_block_is_over_even_after_an_error(mesh: Mesh) -> None:
    """And can be entered again; a name that is none is refused before."""
    block = mesh.lane("s2")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), block, block:
            raise ZeroDivisionError
    mesh.get("mocka")
    assert lanes(mesh) == [None]
    with pytest.raises(LaneError):
        mesh.lane("two words")


def test_instrumented_clients_of_the_test_are_in_the_block_too(mesh: Mesh) -> None:
    """Without the mesh's help, in the block and not after it."""
    with mesh.lane("s2"):
        assert requests.get("http://mockb/", timeout=SECONDS).json()["headers"][HEADER] == "s2"
    assert HEADER not in requests.get("http://mockb/", timeout=SECONDS).json()["headers"]


def test_threads_and_tasks_have_the_block_of_whoever_started_them(mesh: Mesh) -> None:
    """A task copies it and keeps it; a thread that is started in it has it by the instrumentation; another has none."""

    async def main() -> None:
        with mesh.lane("s2"):
            task = asyncio.create_task(mesh.aget("mocka"))
        await task
        await mesh.aget("mocka")

    asyncio.run(main())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(mesh.get, "mocka").result(SECONDS)
        with mesh.lane("s3"):
            pool.submit(mesh.get, "mocka").result(SECONDS)
            thread = threading.Thread(target=mesh.get, args=("mocka",))
            thread.start()
            thread.join()
    assert lanes(mesh) == ["s2", None, None, "s3", "s3"]


def test_blocks_of_tasks_stay_apart(mesh: Mesh) -> None:
    """Concurrent tasks, each in a block of its own."""

    async def in_lane(lane: str) -> list[str | None]:
        with mesh.lane(lane):
            return [(await mesh.aget("mocka")).lane for _ in range(3)]

    async def main() -> list[list[str | None]]:
        return await asyncio.gather(*map(in_lane, ("s1", "s2", "s3")))

    assert asyncio.run(main()) == [["s1"] * 3, ["s2"] * 3, ["s3"] * 3]
    assert sorted(map(str, lanes(mesh))) == ["s1"] * 3 + ["s2"] * 3 + ["s3"] * 3


# --- requests


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_event_loops_are_not_held_up(mesh: Mesh, run: Callable[..., Any]) -> None:
    """asyncio's and trio's: a request that waits leaves the loop to others, one of which lets it go on."""

    async def main() -> None:
        with mesh.hang("mockb", lane="s2") as fault:
            if run is trio.run:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    nursery.start_soon(release, fault, trio.sleep)
            else:
                await asyncio.gather(ask(), release(fault, asyncio.sleep))
        assert (await mesh.apost("mockb", data="posted", lane="s3")).json()["body"] == "posted"

    async def ask() -> None:
        call = await mesh.aget("mocka", lane="s2", timeout=SECONDS)
        assert call.path == [("mocka", "v2"), ("mockb", "v2")]

    async def release(fault: Any, sleep: Any) -> None:
        while not any(hop.note for call in mesh.calls for hop in call.hops):
            await sleep(0.005)
        fault.end()

    mesh.start()
    run(main) if run is trio.run else run(main())
    assert [call.lane for call in mesh.calls] == ["s2", "s3"]


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_request_has_headers_and_a_body(mesh: Mesh) -> None:
    """Text, bytes and JSON, with the content type that the test gives or else JSON's; its own headers win over the lane's."""
    call = mesh.post("mockb", json={"a": 1}, headers={"X-Mine": "ä"})
    assert call.json()["body"] == '{"a": 1}'
    assert call.json()["headers"]["content-type"] == "application/json"
    assert (
        mesh.post("mockb", json=[], headers={"content-type": "text/x-mine"}).json()["headers"]["content-type"] == "text/x-mine"
    )
    assert mesh.post("mockb", data="ä").json()["body"] == "ä"
    assert mesh.post("mockb", data=b"bytes", json={}).json()["body"] == "bytes"
    assert mesh.get("mockb", lane="s2", headers={HEADER: "s3"}).json()["headers"][HEADER] == "s3"
    assert mesh.get("/", lane="s2").path == [("mocka", "v2"), ("mockb", "v2")]
    with pytest.raises(MeshError, match=r"the header 'x-mine' has a line break or NUL in it"):
        mesh.get("mockb", headers={"x-mine": "a\r\nb"})


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_slow_answer_is_an_error_with_its_tree(mesh: Mesh) -> None:
    """After the request's own timeout, or the mesh's."""
    with mesh.hang("mockb", version="v1"):
        for wrong in (lambda: mesh.get("mocka", timeout=0.2), lambda: mesh.post("mockb", timeout=0.2)):
            with pytest.raises(MeshError, match=r"(?s)^no answer in time: .*└─ mockb v1  (no lane|under way).*fault: hangs"):
                wrong()


# --- lanes by headers


@pytest.mark.parametrize(
    ("trace_header", "permissive", "expected"),
    [
        (None, True, {HEADER: "s2"}),
        ("baggage", True, {HEADER: "s2", "baggage": f"{HEADER}=s2"}),
        ("my-trace-id", True, {HEADER: "s2", "my-trace-id": "..."}),
        (None, False, {}),
    ],
)
def test_the_headers_of_a_lane_are_those_of_the_groups_mode(
    mesh: Mesh, trace_header: str | None, permissive: bool, expected: dict[str, str]
) -> None:
    """For a client that the mesh does not know; none for no lane; a trace ID is new each time."""
    mesh.lanes(baseline="s1", s1="v1", s2="v2", permissive=permissive, trace_header=trace_header)
    headers = mesh.lane_headers("s2")
    again = mesh.lane_headers("s2")
    if "my-trace-id" in expected:
        assert headers.pop("my-trace-id") != again.pop("my-trace-id")
        del expected["my-trace-id"]
    assert headers == again == expected
    assert mesh.lane_headers() == mesh.lane_headers(None) == {}
    with mesh.lane("s2"):
        assert mesh.lane_headers().keys() == mesh.lane_headers("s2").keys()


# --- clients of one's own


def by_requests(client: Client, path: str) -> tuple[int, Any]:
    with client.requests as session:
        answer = session.get(path, timeout=SECONDS)
        return answer.status_code, answer.json()


def by_httpx(client: Client, path: str) -> tuple[int, Any]:
    with client.httpx as session:
        answer = session.get(path)
        return answer.status_code, answer.json()


def by_httpx_async(client: Client, path: str) -> tuple[int, Any]:
    async def fetch() -> tuple[int, Any]:
        async with client.httpx_async as session:
            answer = await session.get(path)
            return answer.status_code, answer.json()

    return asyncio.run(fetch())


@pytest.mark.parametrize("send", [by_requests, by_httpx, by_httpx_async])
@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_clients_have_a_base_url_and_the_lane_in_force(mesh: Mesh, send: Callable[[Client, str], tuple[int, Any]]) -> None:
    """The gateway's, or one service's; in the lane of the client, of the block, or of the mesh; each call is recorded."""
    for instrumented in (False, True):
        if not instrumented:
            lanebaggage.uninstrument()
        else:
            lanebaggage.auto_instrument()
        before = len(mesh.calls)
        mesh.default_lane = "s3"
        assert send(mesh.client("mockb"), "/")[1]["headers"][HEADER] == "s3"
        with mesh.lane("s2"):
            assert send(mesh.client("mockb"), "/")[1]["headers"][HEADER] == "s2"
            assert send(mesh.client("mockb", lane="s1"), "/")[1]["headers"][HEADER] == "s1"
            assert HEADER not in send(mesh.client("mockb", lane=None), "/")[1]["headers"]
        calls = mesh.calls[before:]
        assert [call.path for call in calls] == [[("mockb", version)] for version in ("v3", "v2", "v1", "v1")]
    assert send(mesh.client(lane="s2"), "/")[0] == 200
    assert mesh.calls[-1].path == [("mocka", "v2"), ("mockb", "v2")]
    assert mesh.calls[-1].lost_at is None


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_client_can_be_kept_while_lanes_change(mesh: Mesh) -> None:
    """One session for many requests, each in the lane that is in force then; other hosts get nothing of it."""
    partner = mesh.external("api.partner.example")
    with mesh.client("mockb").requests as session, mesh.client("mockb").httpx as client:
        for lane in ("s2", "s3", None):
            with mesh.lane(lane):
                assert session.get("/").json()["headers"].get(HEADER) == lane
                assert client.get("/").json()["headers"].get(HEADER) == lane
        with mesh.lane("s2"):
            assert session.get("/", headers={HEADER: "s1"}).json()["headers"][HEADER] == "s1"
            assert client.get("/", headers={HEADER: "s1"}).json()["headers"][HEADER] == "s1"
            session.get("http://api.partner.example/", timeout=SECONDS)
            client.get("http://api.partner.example/")
            session.get("/away", timeout=SECONDS)
            client.get("/away", follow_redirects=True)
    assert len(partner.requests) == 4
    assert partner.saw_lane is False


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_base_url_serves_any_client(mesh: Mesh) -> None:
    """As text: of a service in this process, of the gateway for any program where there are sockets."""
    assert mesh.client("mocka").base_url == "http://mocka"
    base = mesh.client.base_url
    assert requests.get(f"{base}/", headers=mesh.lane_headers("s2"), timeout=SECONDS).status_code == 200
    assert mesh.calls[-1].path == [("mocka", "v2"), ("mockb", "v2")]
    assert (mesh.gateway is None) == (mesh.engine_name == "inprocess")
    if mesh.gateway is not None:
        assert base == mesh.gateway


def test_a_client_that_is_not_installed_says_so(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    for name in ("requests", "httpx"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, name, None)
            with pytest.raises(MeshError, match=f"^mesh.client.{name} needs {name}: pip install {name}$"):
                getattr(mesh.client, name)
    assert isinstance(mesh.client.httpx, httpx.Client)
