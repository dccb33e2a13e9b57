"""Records the metadata of gRPC calls, of all four kinds, on a real socket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from .recorder import Received, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator


class GrpcRecorder(Recorder):
    """Its ``url`` is a channel's target."""

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{host}:{self.port}"


class _Handler(grpc.GenericRpcHandler):
    """``/lane.Test/UnaryUnary`` and its like echo bytes; a request ``fail N`` is refused N times, ``slow`` waits."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def service(self, details: Any) -> Any:
        kind = details.method.rpartition("/")[2]
        many_requests, many_answers = kind.startswith("Stream"), kind.endswith("Stream")
        word = {False: "unary", True: "stream"}
        make = getattr(grpc, f"{word[many_requests]}_{word[many_answers]}_rpc_method_handler")
        answer = self._many if many_answers else self._one
        return make(lambda requests, context: answer(kind, requests if many_requests else [requests], context))

    def _record(self, kind: str, requests: Any, context: Any) -> list[bytes]:
        metadata = [(pair.key, pair.value) for pair in context.invocation_metadata()]
        received = Received(kind, kind, metadata)
        self._recorder.add(received)
        bodies = list(requests)
        received.body = b"".join(bodies)
        word, _, number = received.body.decode().partition(" ")
        if word == "fail" and len(self._recorder.requests) <= int(number):
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        if word == "slow":
            self._recorder.released.wait(10)
        return bodies

    def _one(self, kind: str, requests: Any, context: Any) -> bytes:
        return b"".join(self._record(kind, requests, context))

    def _many(self, kind: str, requests: Any, context: Any) -> Iterator[bytes]:
        yield from self._record(kind, requests, context)


@contextmanager
def recording_grpc() -> Iterator[GrpcRecorder]:
    """Run a recorder."""
    recorder = GrpcRecorder(0, scheme="grpc")
    server = grpc.server(ThreadPoolExecutor(8), handlers=(_Handler(recorder),))
    recorder.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield recorder
    finally:
        recorder.released.set()
        server.stop(None).wait()
