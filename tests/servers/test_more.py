"""What one library has and others have not: entries, callbacks, test clients, and frameworks inside one another."""

from __future__ import annotations

import asyncio
import http.client
from contextvars import Context
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from support import server_asgi, server_grpc, server_own
from support.server_drive import LANE, Asgi, Driver, Wsgi
from support.server_probe import Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

S2 = [(LANE, "s2")]


@pytest.fixture
def make() -> Iterator[Callable[[Any], Any]]:
    """Make an application under test, before it is instrumented; its server is stopped afterwards."""
    made: list[Driver] = []

    def make(driver: Any) -> Any:
        made.append(driver())
        lanebaggage.auto_instrument()
        return made[-1]

    yield make
    for driver in made:
        driver.close()


def test_tornado_streams_a_request_body_in_its_lane(make: Any) -> None:
    """``prepare`` and ``data_received``, also after it waited, have the lane; the next request on the connection has none."""
    driver = make(server_own.Tornado)
    connection = http.client.HTTPConnection("127.0.0.1", driver.port, timeout=20)
    for headers, lane in (({LANE: "s2"}, "s2"), ({}, None)):
        driver.probe.seen.clear()
        connection.request("POST", "/upload", body=iter([b"one", b"two"]), headers=headers, encode_chunked=True)
        assert connection.getresponse().read().decode() == str(lane)
        assert set(driver.probe.lanes("preparing", "received")) == {lane}
        assert len(driver.probe.lanes("received")) >= 2
    connection.close()


def test_tornados_bare_callback_has_the_lane(make: Any) -> None:
    """A function that a router or ``HTTPServer`` calls with the request has its lane."""
    driver = make(server_own.Tornado)
    assert driver.get("/callback", S2).text == "s2"
    driver.get("/callback")
    assert driver.probe.lanes("view") == ["s2", None]


def test_a_tornado_websocket_closes_in_its_lane(make: Any) -> None:
    """``on_close`` of a websocket has the lane of its handshake."""
    driver = make(server_own.Tornado)
    driver.websocket("/ws", S2)
    driver.probe.wait_for("closed")
    assert driver.probe.lanes("closed") == ["s2"]


def test_aiohttps_low_level_server_has_the_lane() -> None:
    """``web.Server``, which has no application, is covered."""
    from aiohttp import web
    from aiohttp.test_utils import RawTestServer

    async def handler(request: Any) -> Any:
        return web.Response(text=str(lanebaggage.current_lane()))

    async def main() -> list[str]:
        async with RawTestServer(handler) as server:
            loop = asyncio.get_running_loop()
            driver = type("Driver", (server_own.Aiohttp,), {"__init__": lambda self: None})()
            driver.port = server.port
            return [(await loop.run_in_executor(None, driver.get, "/", headers)).text for headers in (S2, [])]

    lanebaggage.auto_instrument()
    assert asyncio.run(main()) == ["s2", "None"]


@pytest.mark.parametrize("kind", [server_grpc.Grpc, server_grpc.GrpcAio])
def test_grpc_streams_of_requests_have_the_lane(make: Any, kind: Any) -> None:
    """The fourth kind of method, a stream of requests with one answer, has the lane for each of them."""
    import grpc

    driver = make(kind)
    with grpc.insecure_channel(f"127.0.0.1:{driver.port}") as channel:
        call = channel.stream_unary("/svc/count")
        assert call(iter([b"", b""]), metadata=S2, timeout=10) == b"s2 s2 "
        assert call(iter([b"", b""]), timeout=10) == b"None None "


def test_grpc_handlers_of_ones_own_have_the_lane(make: Any) -> None:
    """A ``GenericRpcHandler`` that somebody wrote has the lane where it looks its method up, and in the method."""
    import grpc

    probe = Probe()

    class Own(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types here
        def service(self, details: Any) -> Any:
            probe("service")
            return grpc.unary_unary_rpc_method_handler(lambda request, context: probe("method").encode())

    driver = make(server_grpc.Grpc)
    driver.app.add_generic_rpc_handlers((Own(),))
    assert driver.get("/own", S2).text == "s2"
    assert probe.lanes("service", "method") == ["s2", "s2"]


def test_djangos_test_clients_have_the_lane() -> None:
    """``Client`` and ``AsyncClient``, which call no WSGI or ASGI handler, serve a request in its lane."""
    from django.test.client import AsyncClient, Client

    from support import server_django

    async def asked() -> list[bytes]:
        client = AsyncClient()
        return [(await client.get("/lane", headers=headers)).content for headers in ({LANE: "s2"}, {})]

    lanebaggage.auto_instrument()
    client = Client(headers={LANE: "s2"})
    assert [client.get("/lane").content, Client().get("/lane").content] == [b"s2", b"None"]
    assert asyncio.run(asked()) == [b"s2", b"None"]
    assert set(server_django.probe.lanes("outer")[-4:]) == {"s2", None}


def test_sanic_under_an_asgi_server_has_the_lane() -> None:
    """Sanic as an ASGI application has the lane in views, error handlers and middlewares."""
    made = server_own.Sanic.make
    driver = type("UnderAsgi", (Asgi,), {"make": made})()
    driver.app.asgi = True
    lanebaggage.auto_instrument()
    driver.run(driver.app._startup)
    for path, places in (("/lane", ("outer", "inner", "view")), ("/fail", ("failing", "error"))):
        driver.get(path, S2)
        assert set(driver.probe.lanes(*places)) == {"s2"}
        driver.probe.seen.clear()
    assert driver.get("/lane").text == "None"


def test_sync_channels_consumers_have_the_lane(make: Any) -> None:
    """A synchronous consumer, which runs in a thread, has the lane of its connection."""
    driver = make(server_asgi.Channels)
    assert driver.websocket("/ws-sync", S2) == ["s2", "s2"]
    assert driver.websocket("/ws-sync") == ["None", "None"]


def by_hand(app: Any) -> Any:
    """An ASGI middleware that enters a lane by hand."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        with lanebaggage.lane("by-hand"):
            await app(scope, receive, send)

    return middleware


def test_a_mounted_application_keeps_a_lane_entered_in_between() -> None:
    """Starlette in FastAPI: the outer one enters the lane, the inner one leaves what was entered by hand alone."""
    from fastapi import FastAPI

    class Mounted(Asgi):
        def make(self) -> Any:
            app = FastAPI()
            app.mount("/sub", by_hand(server_asgi.Starlette().app))
            return app

    driver = Mounted()
    lanebaggage.auto_instrument()
    assert driver.get("/sub/lane", S2).text == "by-hand"


def test_flask_in_starlette_has_the_lane() -> None:
    """A WSGI application in an ASGI one runs in a thread, with an environ of its own, in the request's lane."""
    import flask
    from asgiref.wsgi import WsgiToAsgi

    pages = flask.Flask("pages")
    pages.add_url_rule("/lane", view_func=lambda: str(lanebaggage.current_lane()))

    class Mounted(Asgi):
        def make(self) -> Any:
            from starlette.applications import Starlette
            from starlette.routing import Mount

            return Starlette(routes=[Mount("/sub", WsgiToAsgi(pages))])

    driver = Mounted()
    lanebaggage.auto_instrument()
    assert [driver.get("/sub/lane", headers).text for headers in (S2, [])] == ["s2", "None"]


def test_flasks_under_a_dispatcher_each_have_their_lane() -> None:
    """Werkzeug's dispatcher is no framework: each application below it enters the lane, also one inside of another."""
    import flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    def pages() -> Any:
        app = flask.Flask("pages")
        app.add_url_rule("/lane", view_func=lambda: str(lanebaggage.current_lane()))
        return app

    class Dispatched(Wsgi):
        def make(self) -> Any:
            outer = pages()
            outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/sub": pages()})
            return DispatcherMiddleware(outer, {"/other": pages()})

    driver = Dispatched()
    lanebaggage.auto_instrument()
    for path in ("/lane", "/sub/lane", "/other/lane"):
        assert [driver.get(path, headers).text for headers in (S2, [])] == ["s2", "None"]


def test_a_request_inside_a_lane_is_a_hop_of_its_own() -> None:
    """A test client called inside a lane brings only what its headers say."""
    import flask

    app = flask.Flask("app")
    app.add_url_rule("/", view_func=lambda: str(lanebaggage.current_lane()))
    lanebaggage.auto_instrument()

    def ask() -> tuple[str, str | None]:
        with lanebaggage.lane("s9"):
            return app.test_client().get("/").text, lanebaggage.current_lane()

    assert Context().run(ask) == ("None", "s9")
