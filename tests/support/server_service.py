"""The service that server processes run: a bare WSGI and a bare ASGI callable, with a framework's application inside.

Everything calls DOWNSTREAM, which records what it gets; nothing here forwards a header.
"""

from __future__ import annotations

import http.client
import os
from typing import TYPE_CHECKING, Any

import flask
import starlette.applications
import starlette.responses
import starlette.routing

import lanebaggage

if TYPE_CHECKING:
    from collections.abc import Iterator

if os.environ["SWITCHED_ON"] == "by the application":
    lanebaggage.auto_instrument()


def call(place: str) -> bytes:
    """Call downstream; the lane as text."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["DOWNSTREAM"]), timeout=20)
    connection.request("GET", f"/{place}")
    connection.getresponse().read()
    connection.close()
    return str(lanebaggage.current_lane()).encode()


def chunks() -> Iterator[bytes]:
    for _ in range(2):
        yield call("stream")[:2]


pages = flask.Flask("pages")
pages.add_url_rule("/framework", "framework", lambda: call("framework"))
api = starlette.applications.Starlette(
    routes=[starlette.routing.Route("/framework", lambda request: starlette.responses.Response(call("framework")))]
)


def wsgi(environ: Any, start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    if path == "/framework":
        with lanebaggage.lane("by-hand"):
            return pages(environ, start_response)
    if path == "/stream":
        start_response("200 OK", [("Content-Length", "4")])
        return chunks()
    if path == "/file":
        start_response("200 OK", [("Content-Length", str(os.stat(__file__).st_size))])  # noqa: PTH116
        body = open(__file__, "rb")  # noqa: PTH123, SIM115 - the server closes it
        return environ["wsgi.file_wrapper"](body) if "wsgi.file_wrapper" in environ else body
    body = call("bare")
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


wsgi_by_hand = lanebaggage.wsgi_middleware(wsgi)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": call("websocket").decode()})
    elif scope["path"] == "/framework":
        with lanebaggage.lane("by-hand"):
            await api(scope, receive, send)
    else:
        bodies = list(chunks()) if scope["path"] == "/stream" else [call("bare")]
        length = str(sum(map(len, bodies))).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
