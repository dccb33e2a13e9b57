"""The embedded proxy: an asynchronous HTTP/1.1 reverse proxy on aiohttp that plays the gateway and every sidecar.

Bodies stream both ways and are never held; header values pass byte for byte. An instance that refuses the connection counts
as missing for that very request, since nothing was sent yet, and is tried again at the next one.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
from aiohttp import web
from yarl import URL

from .._errors import MeshError
from ._raw import RawRequest, RawResponse, as_bytes, end_to_end, head, raw_request, tokens, with_head
from ._tunnel import CONNECT_SECONDS, tunnel
from .apps import Address
from .engine import Incoming
from .faults import FOREVER, hold_async
from .traffic import REASON_HEADER, UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from .engine import Outgoing
    from .topology import Instance
    from .traffic import Headers, Origin, Route, Traffic

MAX_HEADER_BYTES: Final = 60 * 1024
"""Envoy's default ``max_request_headers_kb``."""
MAX_HEADERS: Final = 100
"""Envoy's default ``max_headers_count``."""

_LINE: Final = 2 * MAX_HEADER_BYTES
"""Limit of aiohttp's parser, well above ours, so that what is too much gets Envoy's answer and not aiohttp's."""

_IDLE_SECONDS: Final = 1.0
"""Python's servers close idle connections after 2 to 5 seconds; a request sent just then would be lost."""

_GRACE: Final = 0.1
"""Seconds that a request in progress has once the proxy is closed."""

_quiet: Final = logging.getLogger("lanebaggage.mesh.proxy")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
_quiet.setLevel(logging.CRITICAL + 1)


class Listener(NamedTuple):
    """One port of the proxy.

    :param origin: tells, from the client's address, where a request comes from.
    :param host: the authority of every request, whatever its Host header says; None to go by the request.
    """

    origin: Callable[[tuple[str, int]], Origin]
    host: str | None = None


class Proxy:
    """All listeners of one mesh, in the running event loop, which must be in an empty context.

    :param traffic: routes the requests.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._listeners: dict[int, Listener] = {}
        self._servers: dict[int, asyncio.Server] = {}
        self._http = web.Server(
            self._handle,
            request_factory=raw_request,
            handler_cancellation=True,
            access_log=None,
            logger=_quiet,
            auto_decompress=False,
            lingering_time=1.0,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=10 * MAX_HEADERS,
        )
        self._session = aiohttp.ClientSession(
            request_class=RawRequest,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            max_line_size=_LINE,
            max_field_size=_LINE,
        )

    async def listen(self, listener: Listener) -> tuple[str, int]:
        """Open a port on 127.0.0.1 and return its address."""
        server = await asyncio.get_running_loop().create_server(self._http, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self._listeners[port] = listener
        self._servers[port] = server
        return host, port

    async def close_listeners(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Close ports that :meth:`listen` opened."""
        for _, port in addresses:
            self._servers.pop(port).close()

    async def close(self) -> None:
        """Close the ports and every connection."""
        for server in self._servers.values():
            server.close()
        for connection in self._http.connections:
            connection.close()  # an idle one ends at once; aiohttp's shutdown would wait for it like for a busy one
        await self._http.shutdown(_GRACE)
        await self._session.close()

    async def send(self, request: Outgoing, to: tuple[str, int]) -> Incoming:
        """Send a request from outside to a listener and read its response.

        :raises TimeoutError: it was not there in time.
        :raises ConnectionError: it broke off.
        """
        try:
            return await asyncio.wait_for(self._exchange(request, to), request.timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"nothing came back within {request.timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise ConnectionError(_words(error)) from error

    async def _exchange(self, request: Outgoing, to: tuple[str, int]) -> Incoming:
        first = f"{request.method} {request.path} HTTP/1.1"
        answer = await self._request(request.method, to, head(first, request.headers), request.body or None)
        async with answer:
            body = await answer.read()
        return Incoming(answer.status, as_bytes(answer.reason or ""), end_to_end(answer.raw_headers), body)

    async def _request(
        self, method: str, to: tuple[str, int], data: bytes, body: Any, length: str | None = None
    ) -> aiohttp.ClientResponse:
        headers = with_head(data)
        if length is not None:
            headers["Content-Length"] = length
        return await self._session.request(
            method, _url(*to), headers=headers, data=body, allow_redirects=False, skip_auto_headers=("Content-Type",)
        )

    # --- one request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = request.raw_headers
        target = as_bytes(request.raw_path)
        size = len(request.method) + len(target) + sum(len(name) + len(value) for name, value in raw)
        if size > MAX_HEADER_BYTES or len(raw) > MAX_HEADERS:
            return _answer(431, f"more than {MAX_HEADERS} headers, or than {MAX_HEADER_BYTES} bytes of them")
        if request.method == "CONNECT":
            return _answer(405, "the mesh carries http, and tunnels nothing; call http://service, not https")
        assert request.transport is not None
        listener = self._listeners[request.transport.get_extra_info("sockname")[1]]
        headers = end_to_end(raw)
        host, path = self._authority(listener, target, headers)
        if request.headers.get("Expect", "").lower() == "100-continue":
            headers = [pair for pair in headers if pair[0].lower() != "expect"]
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        origin = listener.origin(request.transport.get_extra_info("peername")[:2])
        try:
            route = self._traffic.route(origin, request.method, path, host, headers)
        except MeshError as failure:
            return _answer(UNAVAILABLE, str(failure))
        error: str | None = None
        try:
            return await self._forward(request, route, path)
        except asyncio.CancelledError:
            error = None if route.hop.status == 101 else "the client went away"  # which is how an upgraded one ends
            raise
        except Exception as failure:
            error = _words(failure)
            raise
        finally:
            self._traffic.recorder.close(route.hop, route.hop.status, error)

    def _authority(self, listener: Listener, target: str, headers: Headers) -> tuple[str, str]:
        """Host and path of a request; an absolute target's authority replaces Host (RFC 9112, section 3.2.2)."""
        host = next((value for name, value in headers if name.lower() == "host"), "")
        if target[:7].lower() == "http://":
            rest = target[7:]
            end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
            host = rest[:end].rpartition("@")[2]
            headers[:] = [("Host", host), *(pair for pair in headers if pair[0].lower() != "host")]
            target = rest[end:] if rest[end : end + 1] == "/" else "/" + rest[end:]
        return listener.host or host, target

    async def _forward(self, request: web.BaseRequest, route: Route, path: str) -> web.StreamResponse:
        upgrade = request.headers.get("Upgrade", "")
        if upgrade.lower() != "websocket" or "upgrade" not in tokens(_pairs(request), "connection"):
            upgrade = ""  # a proxy may ignore what it does not know (RFC 9110, section 7.8)
        refused: list[Instance] = []
        while (instance := route.instance) is not None:
            assert instance.address is not None
            if instance.faults and (fault := await hold_async(route.hop, FOREVER)) is not None:
                self._traffic.recorder.close(route.hop, fault.status)
                return _answer(fault.status, fault.reason)
            line = f"{request.method} {path} HTTP/1.1"
            headers = _for_host(instance, route.headers)
            try:
                if upgrade:
                    more = ("Connection", "Upgrade"), ("Upgrade", upgrade)
                    return await tunnel(request, head(line, headers, *more), instance.address, route.hop)
                answer = await self._send(request, line, headers, instance.address)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError) as error:
                refused.append(instance)
                reason = str(error)
                route.again(refused)
                if route.instance is None:
                    route.reason = f"{route.reason} ({instance} cannot be reached: {reason})"
            except (aiohttp.ClientError, asyncio.TimeoutError) as error:
                route.status, route.reason = UNAVAILABLE, f"{instance} failed before it answered: {_words(error)}"
                break
            else:
                return await self._pass_on(request, route, answer)
        route.hop.status, route.hop.reason = route.status, route.reason
        self._traffic.recorder.close(route.hop, route.status, route.reason)
        return _answer(route.status, route.reason)

    async def _send(self, request: web.BaseRequest, line: str, headers: Headers, to: tuple[str, int]) -> aiohttp.ClientResponse:
        chunked = "chunked" in tokens(_pairs(request), "transfer-encoding")
        if chunked:
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
            data = head(line, headers, ("Transfer-Encoding", "chunked"))
            return await self._request(request.method, to, data, _body(request))
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        body = _body(request) if length not in (None, "0") else None
        return await self._request(request.method, to, head(line, headers), body, length)

    async def _pass_on(self, request: web.BaseRequest, route: Route, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Pass a response on as it arrives. The hop ends before the client can see the end."""
        hop = route.hop
        headers = end_to_end(answer.raw_headers)
        text = answer.headers.get("Content-Length", "")
        left = int(text) if text.isascii() and text.isdigit() else None
        hop.status = answer.status
        response = RawResponse(answer.status, as_bytes(answer.reason or ""), headers, left)
        bodiless = request.method == "HEAD" or answer.status in (204, 304)
        try:
            if left == 0 or bodiless:
                self._traffic.recorder.close(hop, answer.status, headers=headers)
            await response.prepare(request)
            if not bodiless:
                async for chunk in _chunks(answer, response):
                    if left is not None:
                        left -= len(chunk)
                        if left <= 0:
                            self._traffic.recorder.close(hop, answer.status, headers=headers)
                    await response.write(chunk)
            self._traffic.recorder.close(hop, answer.status, headers=headers)
            await response.write_eof()
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            answer.close()
            raise ConnectionResetError(f"{hop.service} {hop.version} failed while it answered: {_words(error)}") from error
        except BaseException:
            answer.close()
            raise
        answer.release()
        return response


async def _chunks(answer: aiohttp.ClientResponse, response: RawResponse) -> AsyncIterator[bytes]:
    """The body as it arrives; the head waits for its first bytes only where they are there already."""
    content = answer.content
    first = content.read_nowait()
    if first:
        yield first
    else:
        response.flush_head()
    async for chunk in content.iter_any():
        yield chunk


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk


def _for_host(instance: Instance, headers: Headers) -> Headers:
    """The headers with the ``Host`` that an instance elsewhere is known by."""
    authority = instance.app.authority if isinstance(instance.app, Address) else ""
    return [("Host", authority), *(pair for pair in headers if pair[0].lower() != "host")] if authority else headers


def _pairs(request: web.BaseRequest) -> Headers:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]


def _answer(status: int, reason: str) -> web.StreamResponse:
    text = reason.encode()
    shown = reason.encode("ascii", "replace").decode()
    return web.Response(status=status, body=text, content_type="text/plain", charset="utf-8", headers={REASON_HEADER: shown})


@lru_cache
def _url(host: str, port: int) -> URL:
    return URL.build(scheme="http", host=host, port=port, path="/")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
