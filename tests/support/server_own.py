"""Applications under test on the servers of their own libraries: aiohttp.web, Tornado, Sanic; the same paths in each."""

from __future__ import annotations

import asyncio
import os
import socket
from inspect import signature
from typing import TYPE_CHECKING, Any

from .server_drive import Sockets
from .server_probe import FILE, HandledError

if TYPE_CHECKING:
    from .server_drive import Headers


class Aiohttp(Sockets):
    distribution = "aiohttp"

    def make(self) -> Any:
        from aiohttp import web

        probe = self.probe

        def handler(view: Any) -> Any:
            async def handle(request: Any) -> Any:
                made = view()
                return web.Response(text=made if isinstance(made, str) else await made)

            return handle

        def streamed(chunks: Any) -> Any:
            async def handle(request: Any) -> Any:
                response = web.StreamResponse()
                await response.prepare(request)
                async for chunk in chunks():
                    await response.write(chunk)
                return response

            return handle

        async def body(request: Any) -> Any:
            return web.Response(body=probe.achunks())

        async def file(request: Any) -> Any:
            return web.FileResponse(FILE)

        async def background(request: Any) -> Any:
            async def job() -> None:
                probe("background")

            self.job = asyncio.ensure_future(job())
            return web.Response()

        async def talk(request: Any) -> Any:
            answers = web.WebSocketResponse()
            await answers.prepare(request)
            async for _ in answers:
                await answers.send_str(probe())
            return answers

        def noting(place: str) -> Any:
            @web.middleware
            async def middleware(request: Any, handler: Any) -> Any:
                probe(place)
                try:
                    return await handler(request)
                except HandledError:
                    return web.Response(status=500, text=probe("error"))

            return middleware

        def made(views: dict[str, Any], *middlewares: Any) -> Any:
            app = self.own(web.Application)(middlewares=middlewares)
            for path, handle in views.items():
                app.router.add_get(path, handle)
            return app

        texts = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed, "/wait": probe.wait}
        del texts["/sub/lane"]
        views = {path: handler(view) for path, view in texts.items()}
        views |= {"/stream": body, "/stream-async": streamed(probe.achunks), "/hold": streamed(probe.hold)}
        views |= {"/file": file, "/background": background, "/ws": talk}
        app = made(views, noting("outer"), noting("inner"))
        app.add_subapp("/sub", made({"/lane": handler(probe)}))
        return app

    async def start(self) -> int:
        from aiohttp import web

        cancels = "handler_cancellation" in signature(web.Server.__init__).parameters  # since 3.9
        self.runner = web.AppRunner(self.app, **({"handler_cancellation": True} if cancels else {}))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return int(self.runner.addresses[0][1])

    async def stop(self) -> None:
        await self.runner.cleanup()


class Tornado(Sockets):
    distribution = "tornado"

    def make(self) -> Any:
        from tornado import httpserver, iostream, routing, web, websocket

        probe = self.probe

        class Handler(web.RequestHandler):
            def initialize(self, view: Any = None) -> None:
                probe("outer")
                self.view = view

            def prepare(self) -> None:
                probe("inner")

            async def get(self) -> None:
                made = self.view()
                self.finish(made if isinstance(made, str) else await made)

            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.finish(probe("error"))

            def log_exception(self, *exc_info: Any) -> None:
                probe("logged")

        class Sync(Handler):
            def get(self) -> None:
                self.finish(probe())

        class Stream(Handler):
            async def get(self) -> None:
                try:
                    async for chunk in self.view():
                        self.write(chunk)
                        await self.flush()
                except iostream.StreamClosedError:
                    pass

        class Hold(Handler):
            async def get(self) -> None:
                probe("waiting")
                self.closed = asyncio.Event()
                await self.closed.wait()

            def on_connection_close(self) -> None:
                probe("cleanup")
                self.closed.set()

        class File(Handler):
            async def get(self) -> None:
                with open(FILE, "rb") as file:  # noqa: ASYNC230, PTH123 - a small one
                    self.finish(file.read())

        class Background(Handler):
            async def get(self) -> None:
                from tornado.ioloop import IOLoop

                IOLoop.current().add_callback(probe, "background")

        @web.stream_request_body
        class Upload(Handler):
            def prepare(self) -> None:
                probe("preparing")

            async def data_received(self, chunk: bytes) -> None:
                probe("received")
                await asyncio.sleep(0)
                probe("received")

            async def post(self) -> None:
                self.finish(probe())

        class Talk(websocket.WebSocketHandler):
            def on_message(self, message: Any) -> None:
                self.write_message(probe())

            def on_close(self) -> None:
                probe("closed")

        def callback(request: Any) -> None:
            from tornado.httputil import HTTPHeaders, ResponseStartLine

            body = probe().encode()
            headers = HTTPHeaders({"Content-Length": str(len(body))})
            request.connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
            request.connection.finish()

        texts = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed}
        del texts["/sub/lane"]
        handlers: list[Any] = [(path, Handler, {"view": view}) for path, view in texts.items()]
        handlers += [("/stream-async", Stream, {"view": probe.achunks}), ("/hold", Hold), ("/file", File)]
        handlers += [("/sync", Sync), ("/background", Background), ("/upload", Upload), ("/ws", Talk)]
        app = self.own(web.Application)(handlers)
        sub = self.own(web.Application)([("/sub/lane", Handler, {"view": probe})])
        rules = [
            routing.Rule(routing.PathMatches("/sub/.*"), sub),
            routing.Rule(routing.PathMatches("/callback"), callback),
            routing.Rule(routing.AnyMatches(), app),
        ]
        return self.own(httpserver.HTTPServer)(routing.RuleRouter(rules))

    async def start(self) -> int:
        from tornado.netutil import bind_sockets

        sockets = bind_sockets(0, "127.0.0.1")
        self.app.add_sockets(sockets)
        return int(sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self.app.stop()
        await self.app.close_all_connections()


class Sanic(Sockets):
    distribution = "sanic"

    def make(self) -> Any:
        os.environ["SANIC_IGNORE_PRODUCTION_WARNING"] = "true"
        from sanic import Blueprint, response
        from sanic import Sanic as Application
        from sanic.exceptions import ServiceUnavailable

        probe = self.probe
        Application.test_mode = True
        app = self.own(Application)(f"app{id(self)}", configure_logging=False)
        app.config.MOTD = False
        sub = Blueprint("sub", url_prefix="/sub")

        def text(view: Any) -> Any:
            async def handle(request: Any) -> Any:
                made = view()
                return response.text(made if isinstance(made, str) else await made)

            return handle

        def streamed(chunks: Any) -> Any:
            async def handle(request: Any) -> Any:
                answer = await request.respond()
                async for chunk in chunks():
                    await answer.send(chunk)

            return handle

        async def file(request: Any) -> Any:
            return await response.file(FILE)

        async def background(request: Any) -> Any:
            async def job() -> None:
                probe("background")

            self.job = asyncio.ensure_future(job())
            return response.empty()

        async def talk(request: Any, ws: Any) -> None:
            async for _ in ws:
                await ws.send(probe())

        async def error(request: Any, exception: Exception) -> Any:
            return response.text(probe("error"), status=500)

        async def late(request: Any, exception: Exception) -> Any:
            return response.text(probe("error"), status=503)

        texts = {**probe.views(), "/thread": probe.threaded_async, "/timeout": probe.timed, "/wait": probe.wait}
        del texts["/sub/lane"]
        handlers = {path: text(view) for path, view in texts.items()}
        handlers |= {"/sync": lambda request: response.text(probe()), "/file": file, "/background": background}
        handlers |= {"/stream-async": streamed(probe.achunks), "/hold": streamed(probe.hold)}
        for path, handle in handlers.items():
            app.add_route(handle, path, name=path[1:])
        app.add_websocket_route(talk, "/ws", name="ws")
        sub.add_route(text(probe), "/lane", name="lane")
        app.blueprint(sub)
        app.on_request(lambda request: probe("outer") and None, priority=2)
        app.on_request(lambda request: probe("inner") and None, priority=1)
        app.error_handler.add(HandledError, error)
        app.error_handler.add(ServiceUnavailable, late)
        return app

    def cancel(self, path: str, headers: Headers = ()) -> None:
        """Sanic cancels a request that takes too long, and answers it itself."""
        self.app.config.RESPONSE_TIMEOUT = 0.01
        assert self.get(path, headers).status == 503

    async def start(self) -> int:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.running = await self.app.create_server(sock=self.listener, return_asyncio_server=True, access_log=False)
        await self.running.startup()
        await self.running.before_start()
        await self.running.start_serving()
        await self.running.after_start()
        return int(self.listener.getsockname()[1])

    async def stop(self) -> None:
        await self.running.before_stop()
        await self.running.close()
        for connection in list(self.running.connections):
            connection.abort()
        await self.running.after_stop()
        type(self.app)._app_registry.pop(self.app.name, None)
