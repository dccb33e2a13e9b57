"""Records requests of HTTP/2 on a real socket: hypercorn, which takes it over TLS and in plain text with prior knowledge."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from .certificates import server_file
from .recorder import Received, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def recording_http2(*, tls: bool = False) -> Iterator[Recorder]:
    """Run a recorder; each request must be one of HTTP/2."""
    listening = socket.create_server(("127.0.0.1", 0))
    recorder = Recorder(listening.getsockname()[1], scheme="https" if tls else "http")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        recorder.add(Received(scope["method"], scope["path"], headers, body))
        await send({"type": "http.response.start", "status": 200 if scope["http_version"] == "2" else 505, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.errorlog = None
    config.graceful_timeout = 1
    if tls:
        config.certfile = config.keyfile = server_file()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve(app, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
