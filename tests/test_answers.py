"""The response header with the lane, and the debug path: off by default, on WSGI, ASGI, aiohttp and Tornado when asked for."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import lanebaggage
from lanebaggage import _runtime

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = "x-asm-prefer-tag"


def flask_get(own: str | None = None) -> Callable[[str, dict[str, str]], tuple[dict[str, str], str]]:
    app = flask.Flask("answers")

    @app.get("/")
    def view() -> Any:
        return flask.Response("body", headers={"X-Lane": own} if own else None)

    def get(path: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        answer = app.test_client().get(path, headers=headers)
        return {name.lower(): value for name, value in answer.headers}, answer.text

    return get


def starlette_get(own: str | None = None) -> Callable[[str, dict[str, str]], tuple[dict[str, str], str]]:
    async def view(request: Any) -> PlainTextResponse:
        return PlainTextResponse("body", headers={"X-Lane": own} if own else None)

    client = TestClient(Starlette(routes=[Route("/", view)]))

    def get(path: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        answer = client.get(path, headers=headers)
        return {name.lower(): value for name, value in answer.headers.items()}, answer.text

    return get


def aiohttp_get(own: str | None = None) -> Callable[[str, dict[str, str]], tuple[dict[str, str], str]]:
    from aiohttp import ClientSession, web

    async def view(request: Any) -> Any:
        return web.Response(text="body", headers={"X-Lane": own} if own else None)

    async def ask(path: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        app = web.Application()
        app.router.add_get("/", view)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with (
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{runner.addresses[0][1]}{path}", headers=headers) as answer,
        ):
            found = {name.lower(): value for name, value in answer.headers.items()}, await answer.text()
        await runner.cleanup()
        return found

    return lambda path, headers: asyncio.run(ask(path, headers))


def tornado_get(own: str | None = None) -> Callable[[str, dict[str, str]], tuple[dict[str, str], str]]:
    import tornado.web
    from tornado.httpclient import AsyncHTTPClient
    from tornado.httpserver import HTTPServer
    from tornado.testing import bind_unused_port

    class View(tornado.web.RequestHandler):
        def get(self) -> None:
            if own:
                self.set_header("X-Lane", own)
            self.write("body")

    async def ask(path: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        socket, port = bind_unused_port(address="127.0.0.1")
        server = HTTPServer(tornado.web.Application([("/", View)]))
        server.add_socket(socket)
        answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}{path}", headers=headers, raise_error=False)
        server.stop()
        await server.close_all_connections()
        return {name.lower(): value for name, value in answer.headers.get_all()}, answer.body.decode()

    return lambda path, headers: asyncio.run(ask(path, headers))


EACH = pytest.mark.parametrize(
    "make", [flask_get, starlette_get, aiohttp_get, tornado_get], ids=["wsgi", "asgi", "aiohttp", "tornado"]
)


@EACH
def test_the_response_tells_its_lane_when_asked(make: Any) -> None:
    """With response_header, an answer made in a lane names it, and one made in none does not."""
    lanebaggage.auto_instrument(response_header="X-Lane")
    get = make()
    assert get("/", {HEADER: "s2"})[0].get("x-lane") == "s2"
    assert "x-lane" not in get("/", {})[0]


@EACH
def test_the_applications_own_header_stays(make: Any) -> None:
    """A response header of that name that the application sets is left alone, and not doubled."""
    lanebaggage.auto_instrument(response_header="x-lane")
    assert make(own="mine")("/", {HEADER: "s2"})[0]["x-lane"] == "mine"


@EACH
def test_both_are_off_by_default(make: Any) -> None:
    """Without the settings nothing is added, and no path answers."""
    lanebaggage.auto_instrument()
    get = make()
    headers, text = get("/", {HEADER: "s2"})
    assert (headers.get("x-lane"), text) == (None, "body")
    assert "libraries" not in get("/debug/lanebaggage", {})[1]
    assert _runtime.answers is None


@EACH
def test_the_debug_path_reports_on_the_service(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The debug path answers with settings and their sources, libraries, and counters, as JSON that is not cached."""
    monkeypatch.setenv("LANEBAGGAGE_DEBUG_PATH", "/debug/lanebaggage")
    lanebaggage.auto_instrument()
    get = make()
    headers, text = get("/debug/lanebaggage", {})
    report = json.loads(text)
    sources = {setting["name"]: setting["source"] for setting in report["settings"]}
    assert (sources["debug_path"], sources["allow"]) == ("LANEBAGGAGE_DEBUG_PATH", "default")
    assert {row["library"]: row["status"] for row in report["libraries"]}["flask"] == "patched"
    assert report["stats"] == lanebaggage.stats()
    assert (headers["content-type"], headers["cache-control"]) == ("application/json", "no-store")
    assert get("/", {})[1] == "body"


def test_what_is_added_works_under_uvicorns_own_entry() -> None:
    """A bare ASGI callable, for which the server enters the lane, tells it as well."""
    from lanebaggage.instrumentation import _patching
    from lanebaggage.instrumentation.servers import _asgi

    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    class Cycle:
        scope: Any = {"type": "http", "path": "/", "headers": [(HEADER.encode(), b"s2")]}  # noqa: RUF012 - uvicorn's shape

        async def run_asgi(self, app: Any) -> None:
            async def send(message: Any) -> None:
                sent.append(message)

            await app(self.scope, None, send)

    lanebaggage.auto_instrument(response_header="x-lane")
    _patching.Patcher("test").method(Cycle, "run_asgi", _asgi.running)
    asyncio.run(Cycle().run_asgi(app))
    assert sent[0]["headers"] == [(b"x-lane", b"s2")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("debug_path", "debug"),
        ("debug_path", "/"),
        ("debug_path", "/a?b"),
        ("response_header", "set-cookie"),
        ("debug", "maybe"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    """What is no path, no header that may be set, and no flag is an error that names the setting."""
    with pytest.raises(lanebaggage.SettingsError, match=name):
        lanebaggage.auto_instrument(**{name: value})  # type: ignore[arg-type] # wrong on purpose
