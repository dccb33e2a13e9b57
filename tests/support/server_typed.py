"""ASGI applications under test whose frameworks read annotations, which are therefore evaluated: FastAPI, Litestar."""

import asyncio
from typing import Any

from .server_asgi import Noting
from .server_drive import Asgi
from .server_probe import FILE, HandledError


class FastAPI(Asgi):
    distribution = "fastapi"

    def make(self) -> Any:
        from fastapi import APIRouter, BackgroundTasks, Depends, WebSocket
        from fastapi import FastAPI as Application
        from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse

        probe = self.probe
        app = self.own(Application)(default_response_class=PlainTextResponse, dependencies=[Depends(lambda: None)])
        sub = self.own(Application)(default_response_class=PlainTextResponse)
        router = APIRouter()
        app.add_middleware(Noting, probe=probe, place="inner")
        app.add_middleware(Noting, probe=probe, place="outer")

        async def depended() -> str:
            return probe()

        @router.get("/lane")
        async def lane(text: str = Depends(depended)) -> str:
            return text

        def sync() -> str:
            return probe()

        def background(tasks: BackgroundTasks) -> str:
            tasks.add_task(probe, "background")
            return ""

        async def websocket(socket: WebSocket) -> None:
            await socket.accept()
            async for _ in socket.iter_text():
                await socket.send_text(probe())

        app.include_router(router)
        sub.include_router(router)
        app.mount("/sub", sub)
        app.get("/sync")(sync)
        app.get("/fail")(probe.fail)
        app.get("/thread")(probe.threaded_async)
        app.get("/timeout")(probe.timed)
        app.get("/wait")(probe.wait)
        app.get("/stream")(lambda: StreamingResponse(probe.chunks()))
        app.get("/stream-async")(lambda: StreamingResponse(probe.achunks()))
        app.get("/hold")(lambda: StreamingResponse(probe.hold()))
        app.get("/file")(lambda: FileResponse(FILE))
        app.get("/background")(background)
        app.websocket("/ws")(websocket)
        app.exception_handler(HandledError)(lambda request, error: PlainTextResponse(probe("error"), 500))
        return app


class Litestar(Asgi):
    distribution = "litestar"

    def make(self) -> Any:
        from litestar import Litestar as Application
        from litestar import MediaType, Response, Router, WebSocket, get, websocket
        from litestar.background_tasks import BackgroundTask
        from litestar.response import File, Stream

        probe = self.probe

        def text(path: str, view: Any, **options: Any) -> Any:
            view_function = getattr(view, "__func__", None)

            async def of_async() -> str:
                return await view()  # type: ignore[no-any-return]

            def of_sync() -> str:
                return view()  # type: ignore[no-any-return]

            function = of_async if asyncio.iscoroutinefunction(view_function) else of_sync
            return get(path, media_type=MediaType.TEXT, **options)(function)

        @get("/background")
        async def background() -> Response[str]:
            return Response("", background=BackgroundTask(probe, "background"))

        @get("/stream", sync_to_thread=False)
        def stream() -> Stream:
            return Stream(probe.chunks())

        @get("/stream-async")
        async def stream_async() -> Stream:
            return Stream(probe.achunks())

        @get("/hold")
        async def hold() -> Stream:
            return Stream(probe.hold())

        @get("/file")
        async def file() -> File:
            return File(FILE)

        @websocket("/ws")
        async def talk(socket: WebSocket) -> None:
            await socket.accept()
            async for _ in socket.iter_data():
                await socket.send_data(probe())

        return self.own(Application)(
            [
                text("/lane", probe, sync_to_thread=False),
                Router("/sub", route_handlers=[text("/lane", probe, sync_to_thread=False)]),
                text("/sync", probe, sync_to_thread=True),
                text("/fail", probe.fail, sync_to_thread=False),
                text("/thread", probe.threaded_async),
                text("/timeout", probe.timed),
                text("/wait", probe.wait),
                stream,
                stream_async,
                hold,
                file,
                background,
                talk,
            ],
            logging_config=None,
            middleware=[lambda app: Noting(app, probe, "outer"), lambda app: Noting(app, probe, "inner")],
            exception_handlers={HandledError: lambda request, error: Response(probe("error"), status_code=500)},
        )
