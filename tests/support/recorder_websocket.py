"""Records websocket handshakes on a real socket; answers each message with itself."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.sync.server import serve

from .recorder import Received, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def recording_websocket() -> Iterator[Recorder]:
    """Run a recorder; ``/redirect?to=URL`` redirects, ``/fail?times=N`` answers 503 N times."""
    recorder = Recorder(0, scheme="ws")

    def process_request(connection: Any, request: Any) -> Response | None:
        received = Received("GET", request.path, list(request.headers.raw_items()))
        recorder.add(received)
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if received.path == "/redirect":
            return Response(302, "Found", Headers({"Location": query["to"], "Content-Length": "0"}), b"")
        if received.path == "/fail" and sum(r.path == "/fail" for r in recorder.requests) <= int(query["times"]):
            return Response(503, "Not yet", Headers({"Content-Length": "0"}), b"")
        if received.path == "/slow":
            recorder.released.wait(10)
        return None

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    logger = logging.getLogger("websockets.recorder")
    logger.disabled = True
    server = serve(echo, "127.0.0.1", 0, process_request=process_request, logger=logger)
    recorder.port = server.socket.getsockname()[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.released.set()
        server.shutdown()
        thread.join()
