"""ASGI applications under test: a bare callable, Starlette, Django, Falcon, Quart, Channels; the same paths in each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import lanebaggage

from .server_drive import Asgi
from .server_probe import FILE, HandledError, Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from .server_drive import Headers


class Noting:
    """An ASGI middleware that notes a place."""

    def __init__(self, app: Any, probe: Probe, place: str) -> None:
        self.app = app
        self.probe = probe
        self.place = place

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            self.probe(self.place)
        await self.app(scope, receive, send)


async def answer(send: Any, body: bytes, status: int = 200, *, more: bool = False) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": more})


class Bare(Asgi):
    """A callable inside ``asgi_middleware``."""

    def make(self) -> Any:
        probe = self.probe

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                probe("lifespan")
                return
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
                while (message := await receive())["type"] != "websocket.disconnect":
                    if message["type"] == "websocket.receive":
                        await send({"type": "websocket.send", "text": probe()})
                return
            path = scope["path"]
            if path == "/stream-async":
                await answer(send, b"", more=True)
                async for chunk in probe.achunks():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            elif path == "/background":
                await answer(send, b"")
                probe("background")
            elif path == "/hold":
                task = asyncio.ensure_future(probe.wait())
                await receive()
                await receive()
                task.cancel()
                await asyncio.wait([task])
            else:
                views = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed, "/wait": probe.wait}
                try:
                    body = views[path]()
                    await answer(send, (body if isinstance(body, str) else await body).encode())
                except HandledError:
                    await answer(send, probe("error").encode(), 500)

        inner = lanebaggage.asgi_middleware(Noting(app, probe, "inner"))
        return lanebaggage.asgi_middleware(Noting(inner, probe, "outer"))


class Starlette(Asgi):
    distribution = "starlette"

    def make(self) -> Any:
        from starlette.applications import Starlette as Application
        from starlette.background import BackgroundTask
        from starlette.middleware import Middleware
        from starlette.middleware.base import BaseHTTPMiddleware
        from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
        from starlette.routing import Mount, Route, WebSocketRoute

        probe = self.probe

        def sync(view: Any) -> Any:
            return lambda request: PlainTextResponse(view())

        def of_async(view: Any) -> Any:
            async def endpoint(request: Any) -> Any:
                return PlainTextResponse(await view())

            return endpoint

        async def fail(request: Any) -> Any:
            probe.fail()

        async def websocket(socket: Any) -> None:
            await socket.accept()
            async for _ in socket.iter_text():
                await socket.send_text(probe())

        async def inner(request: Any, call_next: Any) -> Any:
            probe("inner")
            return await call_next(request)

        sub = self.own(Application)(routes=[Route("/lane", sync(probe))])
        return self.own(Application)(
            routes=[
                Route("/lane", sync(probe)),
                Route("/sync", sync(probe)),
                Mount("/sub", sub),
                Route("/fail", fail),
                Route("/thread", of_async(probe.threaded_async)),
                Route("/timeout", of_async(probe.timed)),
                Route("/wait", of_async(probe.wait)),
                Route("/stream", lambda request: StreamingResponse(probe.chunks())),
                Route("/stream-async", lambda request: StreamingResponse(probe.achunks())),
                Route("/hold", lambda request: StreamingResponse(probe.hold())),
                Route("/file", lambda request: FileResponse(FILE)),
                Route("/background", lambda request: PlainTextResponse("", background=BackgroundTask(probe, "background"))),
                WebSocketRoute("/ws", websocket),
            ],
            middleware=[
                Middleware(Noting, probe=probe, place="outer"),
                Middleware(BaseHTTPMiddleware, dispatch=inner),
            ],
            exception_handlers={HandledError: lambda request, error: PlainTextResponse(probe("error"), 500)},
        )


class Django(Asgi):
    distribution = "django"
    paths: ClassVar[dict[str, str]] = {**Asgi.paths, "view-async": "/async", "time-out": "/timeout-async"}

    def make(self) -> Any:
        from .server_django import asgi

        return asgi(self.probe, self.own)


class Falcon(Asgi):
    distribution = "falcon"

    def make(self) -> Any:
        import falcon
        import falcon.asgi

        probe = self.probe

        class Middleware:
            def __init__(self, place: str) -> None:
                self.place = place

            async def process_request(self, req: Any, resp: Any) -> None:
                probe(self.place)

        def resource(fill: Any) -> Any:
            class Resource:
                async def on_get(self, req: Any, resp: Any) -> None:
                    await fill(resp)

            return Resource()

        def text(view: Any) -> Callable[[Any], Any]:
            async def fill(resp: Any) -> None:
                made = view()
                resp.text = made if isinstance(made, str) else await made

            return fill

        def stream(chunks: Any) -> Callable[[Any], Any]:
            async def fill(resp: Any) -> None:
                resp.stream = chunks()

            return fill

        async def background(resp: Any) -> None:
            async def job() -> None:
                probe("background")

            resp.schedule(job)

        class WebSocket:
            async def on_websocket(self, req: Any, ws: Any) -> None:
                await ws.accept()
                try:
                    while True:
                        await ws.receive_text()
                        await ws.send_text(probe())
                except falcon.WebSocketDisconnected:
                    pass

        async def handle(req: Any, resp: Any, error: Any, params: Any, ws: Any = None) -> None:
            resp.status = falcon.HTTP_500
            resp.text = probe("error")

        app = self.own(falcon.asgi.App)(middleware=[Middleware("outer"), Middleware("inner")])
        views = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed, "/wait": probe.wait}
        for path, view in views.items():
            app.add_route(path, resource(text(view)))
        app.add_route("/stream-async", resource(stream(probe.achunks)))
        app.add_route("/hold", resource(stream(probe.hold)))
        app.add_static_route("/file", FILE.rpartition("/")[0], fallback_filename="server_probe.py")
        app.add_route("/background", resource(background))
        app.add_route("/ws", WebSocket())
        app.add_error_handler(HandledError, handle)
        return app


class Quart(Asgi):
    distribution = "quart"

    def make(self) -> Any:
        import quart

        probe = self.probe
        app = self.own(quart.Quart)("app")
        sub = quart.Blueprint("sub", "sub", url_prefix="/sub")

        async def lane() -> str:
            return probe()

        async def inner() -> None:
            probe("inner")

        async def file() -> Any:
            return await quart.send_file(FILE)

        async def background() -> str:
            app.add_background_task(probe, "background")
            return ""

        async def websocket() -> None:
            while True:
                await quart.websocket.receive()
                await quart.websocket.send(probe())

        async def error(_: Exception) -> Any:
            return probe("error"), 500

        sub.add_url_rule("/lane", "lane", lane)
        app.register_blueprint(sub)
        app.add_url_rule("/lane", "lane", lane)
        app.add_url_rule("/sync", "sync", probe)
        app.add_url_rule("/fail", "fail", probe.fail)
        app.add_url_rule("/thread", "thread", probe.threaded_async)
        app.add_url_rule("/timeout", "timeout", probe.timed)
        app.add_url_rule("/wait", "wait", probe.wait)
        app.add_url_rule("/stream", "stream", lambda: quart.Response(probe.chunks()))
        app.add_url_rule("/stream-async", "stream-async", lambda: quart.Response(probe.achunks()))
        app.add_url_rule("/hold", "hold", lambda: quart.Response(probe.hold()))
        app.add_url_rule("/file", "file", file)
        app.add_url_rule("/background", "background", background)
        app.add_websocket("/ws", "ws", websocket)
        app.before_request(inner)
        app.register_error_handler(HandledError, error)
        app.asgi_app = Noting(app.asgi_app, probe, "outer")
        return app


class Channels(Asgi):
    distribution = "channels"

    def make(self) -> Any:
        from channels.generic.http import AsyncHttpConsumer
        from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
        from channels.middleware import BaseMiddleware
        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.urls import re_path

        from . import server_django

        assert server_django.settings.configured
        probe = self.probe

        class NotingMiddleware(BaseMiddleware):
            async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
                probe("inner")
                return await super().__call__(scope, receive, send)

        class Http(AsyncHttpConsumer):
            async def handle(self, body: bytes) -> None:
                path = self.scope["path"]
                if path == "/stream-async":
                    await self.send_headers(headers=[])
                    async for chunk in probe.achunks():
                        await self.send_body(chunk, more_body=True)
                    await self.send_body(b"")
                    return
                views = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed, "/wait": probe.wait}
                made = views[path]()
                await self.send_response(200, (made if isinstance(made, str) else await made).encode())

        class Async(AsyncWebsocketConsumer):
            async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
                await self.send(text_data=probe())

            async def disconnect(self, code: int) -> None:
                probe("cleanup")

        class Sync(WebsocketConsumer):
            def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
                self.send(text_data=probe())

        sockets = URLRouter([re_path("^ws$", Async.as_asgi()), re_path("^ws-sync$", Sync.as_asgi())])
        pages = URLRouter([re_path("^sub/", URLRouter([re_path("lane", Http.as_asgi())])), re_path("", Http.as_asgi())])
        return self.own(ProtocolTypeRouter)({"http": Noting(NotingMiddleware(pages), probe, "outer"), "websocket": sockets})

    def disconnect(self, path: str, headers: Headers = ()) -> None:
        self.websocket("/ws", headers, 1)
