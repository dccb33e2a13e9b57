"""Servers: situations, and the applications that are under test in them; the drivers are in ``support/server_*.py``."""

from __future__ import annotations

from support import server_asgi, server_grpc, server_own, server_typed, server_wsgi
from support.server_processes import PROCESSES as COMMANDS

from .table import Role

SERVERS = Role(
    "servers",
    "Servers",
    {
        "import-after": "library imported after `auto_instrument()` (a process of its own)",
        "import-before": "library imported, and its class taken, before",
        "made-before": "application made, and server started, before",
        "subclass": "subclass of the application class",
        "view-sync": "synchronous view",
        "view-async": "asynchronous view",
        "thread": "work given to a thread or a pool",
        "nested": "mounted application, sub-application, blueprint",
        "middleware": "outer and inner middleware",
        "error": "exception in the handler: the error handler",
        "stream": "streaming response, synchronous generator",
        "stream-async": "streaming response, asynchronous generator",
        "stream-thread": "body iterated in another thread",
        "file": "file response",
        "background": "background task",
        "websocket": "websocket, stream both ways",
        "disconnect": "client disconnects: the cleanup",
        "cancel": "server cancels the request: the cleanup",
        "time-out": "time-out of a part of the work: its cleanup, and what follows",
        "keep-alive": "second request on a kept connection, without a lane",
        "surrounded": "request without a lane on a server that was started inside one",
        "lifespan": "lifespan untouched",
        "several-values": "two different lane headers: no lane, one warning without content",
        "malformed": "value that is no lane's name: no lane, one warning without content",
        "header-case": "header name in any case",
        "edge": "`edge=True`: what arrives is ignored",
        "trace-id": "trace-ID mode",
        "baggage": "baggage mode, several baggage lines",
        "concurrent": "200 requests at the same time over 5 lanes",
        "twice": "`auto_instrument()` called twice, undone once",
        "undone": "after `uninstrument()`",
    },
)

_NO_TASKS = {"background": "no background tasks of its own"}
_WSGI = {
    **_NO_TASKS,
    "stream_async": "WSGI has no asynchronous bodies",
    "websocket": "WSGI has no websockets",
    "cancel": "a WSGI server cannot cancel a view",
    "lifespan": "WSGI has no lifespan",
}
_ASGI = {"stream_thread": "the task that serves the request sends its body"}
_OWN = {**_ASGI, "lifespan": "no ASGI"}
_SYNC = {"view_async": "views are synchronous"}
_ASYNC = {"view_sync": "views are coroutines"}
_WRITTEN = {"stream": "a coroutine sends the chunks"}
_NO_FILES = {"file": "no file responses"}
_BY_HAND = {"subclass": "a callable", "undone": "put there by hand"}
_GRPC = {
    **_NO_FILES,
    "subclass": "servers are made by a function",
    "header_case": "metadata keys are lower case",
    "cancel": "cancelled when the client leaves only",
}

SERVERS.add("WSGI", server_wsgi.Bare, **_WSGI, **_SYNC, **_BY_HAND)
SERVERS.add("ASGI", server_asgi.Bare, **_ASGI, **_ASYNC, **_WRITTEN, **_NO_FILES, **_BY_HAND)
SERVERS.add("Flask", server_wsgi.Flask, **_WSGI)
SERVERS.add("Django WSGI", server_wsgi.Django, **{name: why for name, why in _WSGI.items() if name != "stream_async"})
SERVERS.add(
    "Django ASGI",
    server_asgi.Django,
    **_ASGI,
    **_NO_TASKS,
    websocket="Django leaves websockets to Channels",
    cancel="cancelled when the client leaves only",
    lifespan="Django refuses the lifespan",
)
SERVERS.add("Starlette", server_asgi.Starlette, **_ASGI)
SERVERS.add("FastAPI", server_typed.FastAPI, **_ASGI)
SERVERS.add(
    "aiohttp.web", server_own.Aiohttp, **_OWN, **_ASYNC, cancel="a server cancels a request when its client leaves only"
)
SERVERS.add("Tornado", server_own.Tornado, **_OWN, **_WRITTEN, cancel="requests are not cancelled")
SERVERS.add("grpc", server_grpc.Grpc, **_OWN, **_GRPC, **_SYNC, stream_async="methods are synchronous")
SERVERS.add("grpc.aio", server_grpc.GrpcAio, **_OWN, **_GRPC)
SERVERS.add("Falcon WSGI", server_wsgi.Falcon, **_WSGI, **_SYNC)
SERVERS.add(
    "Falcon ASGI",
    server_asgi.Falcon,
    **_ASGI,
    **_ASYNC,
    stream="bodies are asynchronous",
    disconnect="a body that waits is not told",
)
SERVERS.add("Pyramid", server_wsgi.Pyramid, **_WSGI, **_SYNC)
SERVERS.add("Bottle", server_wsgi.Bottle, **_WSGI, **_SYNC)
SERVERS.add("Quart", server_asgi.Quart, **_ASGI)
SERVERS.add("Litestar", server_typed.Litestar, **_ASGI)
SERVERS.add("Sanic", server_own.Sanic, **_OWN, **_WRITTEN)
SERVERS.add(
    "Channels",
    server_asgi.Channels,
    **_ASGI,
    **_ASYNC,
    **_WRITTEN,
    **_NO_FILES,
    **_NO_TASKS,
    error="consumers have no error handlers",
    lifespan="the lifespan goes to no consumer",
)

PROCESSES = Role(
    "processes",
    "Server processes, given a bare WSGI, ASGI or RSGI callable",
    {
        "bare": "with a lane, without, with another: on one connection where it is kept",
        "stream": "body made while it is sent",
        "file": "file, in a wrapper where the server has one",
        "framework": "a framework's application inside: the lane is entered once",
        "websocket": "websocket",
        "http2": "HTTP/2",
    },
)

for _name, _process in COMMANDS.items():
    _without = {}
    if _process.app == "asgi":
        _without["file"] = "ASGI has no file bodies"
    elif _process.app == "rsgi":
        _without["framework"] = "no framework that is supported speaks RSGI"
    else:
        _without["websocket"] = "WSGI has no websockets"
    if not _process.http2:
        _without["http2"] = "run so, without TLS, the server speaks HTTP/1 only"
    PROCESSES.add(_name, _process, **_without)
