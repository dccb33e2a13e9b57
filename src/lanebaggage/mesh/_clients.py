"""How the in-process engine takes over a request: from http.client (urllib, urllib3, requests) and from httpx and httpx2."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import h11

from .. import instrumentation
from .._context import CARRIED
from .._errors import MeshError
from ..instrumentation import PATCHED
from ..instrumentation.clients.httpcore import completed
from . import _intercept
from ._made import look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import ModuleType

    from ._made import Made
    from ._replies import AsyncReply, Reply
    from .inprocess import InProcess
    from .traffic import Origin

_HTTPS = "the mesh speaks http inside, as a sidecar does for an application; call http://{host} instead of https"


class _Socket:
    """Stands for the connection of an ``http.client.HTTPConnection``: takes the request's bytes, gives the response's."""

    def __init__(self, engine: InProcess, origin: Origin, timeout: float | None) -> None:
        self._engine = engine
        self._origin = origin
        self._timeout = timeout
        self._parser = h11.Connection(h11.SERVER)
        self._made: Made | None = None

    def sendall(self, data: Any) -> None:
        if self._made is None and not self._origin.outside:
            self._made = look()  # now: the response may be read elsewhere
        self._parser.receive_data(bytes(data))

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_Response(self._exchange))

    def _exchange(self) -> tuple[Reply, bool]:
        """Carry the request, at the first read, where a client expects a failure; whether the response has no body."""
        request = self._parser.next_event()
        if not isinstance(request, h11.Request):
            raise MeshError(f"the in-process mesh was sent {request!r} where a request was due; please report this")
        body = []
        while isinstance(event := self._parser.next_event(), h11.Data):
            body.append(bytes(event.data))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw_items()]
        method, target = request.method.decode("ascii"), request.target.decode("latin-1")
        reply = self._engine.send(self._origin, method, target, headers, b"".join(body), self._timeout, self._made)
        return reply, method == "HEAD" or reply.head.status in (204, 304)

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def setsockopt(self, *_args: Any) -> None:
        """There is nothing to set."""

    def shutdown(self, _how: int) -> None:
        """There is nothing to shut."""

    def close(self) -> None:
        """The response is closed by its own file."""


class _Response(io.RawIOBase):
    """The bytes of one response: no more of the body is made than is read."""

    def __init__(self, exchange: Callable[[], tuple[Reply, bool]]) -> None:
        self._exchange = exchange
        self._reply: Reply | None = None
        self._rest = b""
        self._parts = self._bytes()

    def _bytes(self) -> Iterator[bytes]:
        self._reply, bodiless = self._exchange()
        status, reason, headers = self._reply.head
        sized = any(name.lower() == "content-length" for name, _ in headers)
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "connection: close"]
        if not sized and not bodiless:
            lines.append("transfer-encoding: chunked")
        yield "\r\n".join((*lines, "", "")).encode("latin-1")
        if bodiless:
            return
        for chunk in self._reply:
            yield chunk if sized else b"%x\r\n%b\r\n" % (len(chunk), chunk)
        if not sized:
            yield b"0\r\n\r\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        if self._reply is not None:
            self._reply.close()
        super().close()


def _connection(engine: InProcess, origin: Origin, connection: Any, secure: Any) -> _Socket:
    if isinstance(connection, secure) and not engine.topology.is_external(connection.host):
        raise MeshError(_intercept.refuse(origin, _HTTPS.format(host=connection.host)))
    timeout = connection.timeout
    return _Socket(engine, origin, timeout if isinstance(timeout, (int, float)) else None)


def patch_http_client(module: ModuleType, patches: _intercept.Patches) -> None:
    """Take over at ``HTTPConnection.connect``, once per request since each response closes its connection."""

    def make(original: Callable[[Any], None]) -> Callable[[Any], None]:
        def connect(self: Any) -> None:
            if self._tunnel_host is None and (found := _claimed(self.host)) is not None:
                self.sock = _connection(*found, self, module.HTTPSConnection)
            else:
                original(self)

        return connect

    patches.put(module.HTTPConnection, "connect", make)


def patch_urllib3(module: ModuleType, patches: _intercept.Patches) -> None:
    """Take over at ``HTTPConnection._new_conn``, from which urllib3's ``connect`` gets its socket."""

    def make(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def _new_conn(self: Any) -> Any:
            if self._tunnel_host is None and (found := _claimed(self.host)) is not None:
                return _connection(*found, self, module.HTTPSConnection)
            return original(self)

        return _new_conn

    patches.put(module.HTTPConnection, "_new_conn", make)


def patch_httpx(module: ModuleType, patches: _intercept.Patches) -> None:
    """Take over at both transports' ``handle_request``; a transport of the user's own is left alone."""

    class Body(module.SyncByteStream):  # type: ignore[misc, name-defined] # httpx's or httpx2's
        def __init__(self, reply: Reply) -> None:
            self._reply = reply

        def __iter__(self) -> Iterator[bytes]:
            yield from self._reply

        def close(self) -> None:
            self._reply.close()

    class AsyncBody(module.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, reply: AsyncReply) -> None:
            self._reply = reply

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._reply:
                yield chunk

        async def aclose(self) -> None:
            self._reply.close()

    def response(reply: Any, stream: Any) -> Any:
        status, reason, headers = reply.head
        extensions = {"http_version": b"HTTP/1.1"}
        if reason:
            extensions["reason_phrase"] = reason.encode("latin-1")
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return module.Response(status, headers=raw, stream=stream, extensions=extensions)

    def claimed(request: Any) -> tuple[InProcess, Origin] | None:
        found = _claimed(request.url.host)
        if found is not None and request.url.scheme != "http" and not found[0].topology.is_external(request.url.host):
            raise MeshError(_intercept.refuse(found[1], _HTTPS.format(host=request.url.host)))
        return found

    def parts(request: Any, body: bytes) -> tuple[str, str, list[tuple[str, str]], bytes, float | None]:
        raw = _below_httpcore(module.__name__.replace("httpx", "httpcore"), request)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        timeout = request.extensions.get("timeout", {}).get("read")
        return request.method, request.url.raw_path.decode("latin-1"), headers, body, timeout

    def make(original: Any) -> Any:
        def handle_request(self: Any, request: Any) -> Any:
            found = claimed(request)
            if found is None:
                return original(self, request)
            engine, origin = found
            try:
                reply = engine.send(origin, *parts(request, b"".join(request.stream)))
            except TimeoutError as error:
                raise module.ReadTimeout(str(error), request=request) from error
            return response(reply, Body(reply))

        return handle_request

    def make_async(original: Any) -> Any:
        async def handle_async_request(self: Any, request: Any) -> Any:
            found = claimed(request)
            if found is None:
                return await original(self, request)
            engine, origin = found
            if asyncio._get_running_loop() is None:
                raise MeshError(
                    _intercept.refuse(origin, "the in-process engine carries httpx under asyncio, and no other loop")
                )
            body = b"".join([chunk async for chunk in request.stream])
            try:
                reply = await engine.send_async(origin, *parts(request, body))
            except TimeoutError as error:
                raise module.ReadTimeout(str(error), request=request) from error
            return response(reply, AsyncBody(reply))

        return handle_async_request

    patches.put(module.HTTPTransport, "handle_request", make)
    patches.put(module.AsyncHTTPTransport, "handle_async_request", make_async)


def _below_httpcore(library: str, request: Any) -> list[tuple[bytes, bytes]]:
    """The headers of a request of httpx as they are on the wire, where httpcore's patch has looked at them once more."""
    raw: list[tuple[bytes, bytes]] = request.headers.raw
    current = CARRIED.get()
    if current is None or not any(row.status == PATCHED for row in instrumentation.report()[library]):
        return raw
    return completed(_Core(request), current)


class _Core:
    """A request of httpx as httpcore has it, as far as the patch looks at it."""

    def __init__(self, request: Any) -> None:
        self.headers, self.extensions = request.headers.raw, request.extensions
        self.host, self.target = request.url.raw_host, request.url.raw_path
        self.url = self


def _claimed(host: str) -> tuple[InProcess, Origin] | None:
    found = _intercept.claimed(host)
    if found is None or found[0].sidecar is not None:
        return None
    return found  # type: ignore[return-value] # the in-process engine is the one without a sidecar
