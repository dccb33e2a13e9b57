"""The service that server processes run: bare WSGI, ASGI and RSGI callables, a framework's application inside of the first two.

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


async def rsgi(scope: Any, protocol: Any) -> None:
    if scope.proto == "ws":
        socket = await protocol.accept()
        while (await socket.receive()).kind:  # 0 for its end
            await socket.send_str(call("websocket").decode())
    elif scope.path == "/file":
        protocol.response_file(200, [], __file__)
    elif scope.path == "/stream":
        body = protocol.response_stream(200, [])
        for chunk in chunks():
            await body.send_bytes(chunk)
    else:
        protocol.response_bytes(200, [], call("bare"))
