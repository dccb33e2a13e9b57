"""Hosts outside the mesh: answered and recorded here, whatever calls them; others are an error, and never the network."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import httpx
import pytest
import requests
import urllib3
from flask import Flask, request

import lanebaggage
from lanebaggage import MeshError
from lanebaggage.mesh.external import ExternalHost, Received

if TYPE_CHECKING:
    from collections.abc import Callable

    from lanebaggage.mesh import Call, Mesh

if sys.version_info >= (3, 11):  # httpx2 supports no older one
    import httpx2

    HTTPX = [httpx, httpx2]
else:
    HTTPX = [httpx]

HOST = "api.partner.example"
SECONDS = 10
ENGINES = ["inprocess", "sockets", "envoy"]


def by_requests(url: str) -> str:
    return requests.post(url, b"paid", headers={"X-Mine": "1"}, timeout=SECONDS).text


def by_urllib3(url: str) -> str:
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request("POST", url, body=b"paid", headers={"X-Mine": "1"}).data.decode()


def by_urllib(url: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, b"paid", {"X-Mine": "1"}), timeout=SECONDS) as answer:
        return answer.read().decode()


def by_http_client(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, timeout=SECONDS)
    try:
        connection.request("POST", f"/{path}", b"paid", {"X-Mine": "1"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def by_httpx(module: Any) -> Callable[[str], str]:
    def send(url: str) -> str:
        with module.Client() as client:
            return client.post(url, content=b"paid", headers={"X-Mine": "1"}).text

    return send


def by_httpx_async(module: Any) -> Callable[[str], str]:
    async def send(url: str) -> str:
        async with module.AsyncClient() as client:
            return (await client.post(url, content=b"paid", headers={"X-Mine": "1"})).text

    return lambda url: asyncio.run(send(url))


def by_aiohttp(url: str) -> str:
    async def send() -> str:
        async with aiohttp.ClientSession() as session, session.post(url, data=b"paid", headers={"X-Mine": "1"}) as answer:
            return await answer.text()

    return asyncio.run(send())


CLIENTS: dict[str, Callable[[str], str]] = {
    "requests": by_requests,
    "urllib3": by_urllib3,
    "urllib": by_urllib,
    "http.client": by_http_client,
    **{module.__name__: by_httpx(module) for module in HTTPX},
    **{f"{module.__name__} async": by_httpx_async(module) for module in HTTPX},
}
ON_SOCKETS = {**CLIENTS, "aiohttp": by_aiohttp}

app = Flask("mocka")


@app.post("/")
def view() -> str:
    """Calls a URL with a client, both as the request says."""
    return ON_SOCKETS[request.args["client"]](request.args["url"])


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose network is a failure."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).startswith("127.") or host in ("localhost", None):
            return look_up(host, *args, **kwargs)
        raise AssertionError(f"the network was asked for {host}")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def mesh(no_network: None, lane_mesh: Mesh) -> Mesh:
    """A mesh whose service calls what it is told to."""
    lane_mesh.service("mocka", v1=app, v2=app)
    lane_mesh.lanes(baseline="s1", s1="v1", s2="v2")
    lanebaggage.auto_instrument()
    return lane_mesh


def told(mesh: Mesh, client: str, url: str) -> Call:
    return mesh.post("mocka", f"/?client={client}&url={quote(url, safe='')}", lane="s2", timeout=SECONDS)


@pytest.mark.parametrize(
    ("mesh_engine", "client"),
    [
        *(("inprocess", client) for client in CLIENTS),
        *((engine, client) for engine in ENGINES[1:] for client in ON_SOCKETS),
    ],
)
def test_every_client_gets_the_answer_and_no_client_the_network(mesh: Mesh, client: str) -> None:
    """What the host got is recorded, and no lane is in it; a host that nobody declared is an error that says what to do."""
    partner = mesh.external(HOST, 201, data="taken")
    call = told(mesh, client, f"http://{HOST}/pay?a=b%20c")
    assert call.text == "taken", call.tree
    assert call.path == [("mocka", "v2"), (HOST, "external")]
    assert call.lost_at is None
    [got] = partner.requests
    assert (got.method, got.path, got.text, got["x-mine"]) == ("POST", "/pay?a=b%20c", "paid", "1")
    assert partner.saw_lane is False
    assert "x-asm-prefer-tag" not in got
    assert "x-lanebaggage-hop" not in got
    call = told(mesh, client, "http://elsewhere.example/")
    assert call.status in (200, 500)
    assert "elsewhere.example is no service of this mesh; declare it with mesh.service(" in call.tree, call.tree
    assert "mesh.external('elsewhere.example')" in call.tree
    assert len(partner.requests) == 1


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_partner_that_gets_the_lane_is_told(mesh: Mesh) -> None:
    """Where it is allowed by hand; drawn as a lane that left the mesh, which is no lost one."""
    partner = mesh.external(HOST)
    lanebaggage.uninstrument()
    lanebaggage.auto_instrument(allow=[HOST])
    call = told(mesh, "requests", f"http://{HOST}/")
    assert partner.saw_lane is True
    assert partner.requests[0].lane == "s2"
    assert partner.requests[0]["X-ASM-Prefer-Tag"] == "s2"
    assert "<-- the lane left the mesh" in call.tree
    assert call.lost_at is None
    assert repr(partner) == f"<{HOST}: 1 requests, one or more in a lane>"
    assert repr(partner.requests) == "[<POST / in lane s2>]"


@pytest.mark.parametrize(
    ("mesh_engine", "client"),
    [*(("inprocess", client) for client in CLIENTS), *(("sockets", client) for client in ON_SOCKETS), ("envoy", "requests")],
)
def test_https_is_answered_too(mesh: Mesh, client: str) -> None:
    """By every client that an engine carries: the mesh does the TLS; a service is still called by http."""
    partner = mesh.external(HOST, data="taken")
    call = told(mesh, client, f"https://{HOST}/pay")
    assert call.text == "taken", call.tree
    assert partner.requests[0].path == "/pay"
    assert partner.requests[0]["host"] == HOST
    assert partner.saw_lane is False
    call = told(mesh, client, "https://elsewhere.example/")
    assert "mesh.external('elsewhere.example')" in call.tree, call.tree
    assert told(mesh, client, "https://mocka/").status == 500


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_it_answers_json_data_or_by_an_application(mesh: Mesh) -> None:
    """The same object each time; what it answers can change, and what it got stays."""
    partner = mesh.external(HOST, json={"balance": 3})
    assert json.loads(told(mesh, "requests", f"http://{HOST}/1").text) == {"balance": 3}
    assert mesh.external("API.Partner.Example.", data=b"bytes") is partner
    assert told(mesh, "requests", f"http://{HOST}/2").text == "bytes"

    def answering(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode(), b" ", environ["wsgi.input"].read()]

    partner.answers(app=answering)
    assert told(mesh, "requests", f"http://{HOST}/3").text == "/3 paid"
    partner.answers(204)
    assert told(mesh, "requests", f"http://{HOST}/4").text == ""
    assert [one.path for one in partner.requests] == ["/1", "/2", "/3", "/4"]
    assert repr(partner) == f"<{HOST}: 4 requests>"


def test_headers_of_answers_are_the_tests_own(mesh: Mesh) -> None:
    """Beside a body or JSON, and instead of the content type that JSON has."""
    mesh.external(HOST, 429, headers={"Retry-After": "7"}, json=[])
    call = mesh.get(HOST)
    assert (call.status, call.headers["retry-after"], call.headers["content-type"]) == (429, "7", "application/json")
    mesh.external(HOST, headers={"content-type": "application/problem+json"}, json={})
    assert mesh.get(HOST).headers.getall("content-type") == ["application/problem+json"]


def test_what_it_got_is_a_mapping_in_any_case() -> None:
    """Of headers, repeated ones in ``headers``; with the body as text and as JSON."""
    got = Received("POST", "/pay", [("X-One", "1"), ("x-one", "2"), ("Content-Type", "application/json")], b'{"a": 1}')
    assert got["X-ONE"] == "1"
    assert got.headers.getall("x-one") == ["1", "2"]
    assert "content-TYPE" in got
    assert "x-two" not in got
    assert got.get("x-two") is None
    assert got.json() == {"a": 1}
    assert got.text == '{"a": 1}'
    assert repr(got) == "<POST /pay>"
    with pytest.raises(ValueError, match="Expecting"):
        Received("GET", "/", [], b"").json()


def test_what_is_no_host_is_an_error(mesh: Mesh) -> None:
    """A URL, a path, nothing, a service's own name twice: each says what to write."""
    for wrong in ("https://api.partner.example", "api.partner.example/pay", "", "two words", "ä.example"):
        with pytest.raises(MeshError, match=r"is no host; write its name alone, such as mesh\.external\('api\.partner"):
            mesh.external(wrong)
    assert str(ExternalHost.of("Api.Partner.Example:443")) == HOST


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_a_host_can_be_declared_late_and_in_any_lane_group(mesh: Mesh) -> None:
    """After requests were made, and still there when the lanes change; strict mode has no opinion of it."""
    assert told(mesh, "requests", "http://other.example/").status in (200, 500)
    other = mesh.external("other.example", data="late")
    assert told(mesh, "requests", "http://other.example/").text == "late"
    mesh.lanes(baseline="s1", s1="v1", s2="v2", permissive=False)
    assert told(mesh, "requests", "http://other.example/").text == "late"
    assert len(other.requests) == 2


@pytest.mark.parametrize("mesh_engine", ENGINES)
def test_many_requests_at_once_are_recorded_one_by_one(mesh: Mesh) -> None:
    """From threads of the application."""
    partner = mesh.external(HOST)
    mesh.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: told(mesh, "requests", f"http://{HOST}/{number}"), range(12)))
    assert sorted(int(one.path[1:]) for one in partner.requests) == list(range(12))
    assert len({call.id for call in mesh.calls}) == 12
    mesh.assert_called(HOST, times=12)
