"""HTTP clients, gRPC and websockets: situations, drivers, and why a situation does not apply to a library."""

from __future__ import annotations

import sys
from importlib.metadata import version

from .client_drivers.aiohttp import Aiohttp
from .client_drivers.blocking import Requests, Urllib3
from .client_drivers.httpx import AsyncHttpx2, AsyncHttpxOne, Httpx2, HttpxOne
from .client_drivers.rpc import Grpc, GrpcAio
from .client_drivers.stdlib import HttpClient, Urllib
from .client_drivers.tornado import Tornado, TornadoCurl
from .client_drivers.websocket import Websockets, WebsocketsLegacy, WebsocketsSync
from .table import Role

CLIENTS = Role(
    "clients",
    "Clients",
    {
        "import-before": "library imported before `auto_instrument()`",
        "import-after": "library imported after it",
        "object-made-before": "session, channel or client made before it, as at import",
        "function-taken-before": "`from library import function` before it",
        "keep-alive": "second request on a kept connection, without a lane",
        "redirect-same": "redirect to the same host",
        "redirect-allowed": "redirect to a host that is allowed",
        "redirect-stranger": "redirect to a host outside the mesh, and back",
        "stranger": "request to a host outside the mesh",
        "retries": "retries: one value on each try",
        "request-reused": "request object sent again outside the lane, and in another one",
        "user-header": "the caller's own lane header: kept, not doubled",
        "user-baggage": "the caller's own baggage: merged, its bytes kept",
        "containers": "headers in every type that is legal; none is changed",
        "positional": "headers as a positional argument",
        "proxy": "through a proxy, absolute request target",
        "proxy-connect": "through a proxy's tunnel",
        "mocks": "the mocks of tests see the header",
        "response-hook": "a hook for answers that makes a call",
        "auth-callback": "an authentication callback that makes a call",
        "layers": "several instrumented layers, an SDK among them: one header",
        "streaming-response": "answer streamed, and read outside the lane",
        "streaming-upload": "body streamed",
        "http2": "HTTP/2",
        "websocket": "websocket handshake",
        "signed": "signed request (SigV4), in a header or in the URL: left alone",
        "exception": "connection refused, or ended without an answer: nothing left behind",
        "time-out": "time-out: nothing left behind",
        "cancellation": "cancellation: nothing left behind",
        "concurrent": "200 requests at the same time in 5 lanes",
        "loop-in-thread": "an event loop in another thread",
        "instrument-twice": "instrumented twice: one header",
        "undo": "undone below a later patch of somebody else, and instrumented again",
        "trace-id-mode": "trace-ID mode",
        "baggage-mode": "baggage mode",
    },
)

SYNC = "synchronous"
ONE = "one request: it follows no redirects"
NO_OBJECT = "no request object that a caller could keep"
HTTP1 = "HTTP/1.1 only"
NO_WEBSOCKET = "no websockets"
NO_MOCK = "no mock in common use that replaces it"
NO_HOOK = "no hooks"
NO_RETRY = "no retries after an answer"
LOWEST = "talks to the network itself, on nothing that is instrumented"
KEYWORD = "headers are a keyword argument"
NO_PROXY = "no proxies"
TUNNEL = "tunnels through proxies only"
HANDSHAKE = "a handshake has no body"
NOT_HTTP1 = "HTTP/2 always, as in every other situation"
NOT_SIGNED = "no signed requests"

CLIENTS.add(
    "http.client",
    HttpClient,
    cancellation=SYNC,
    loop_in_thread=SYNC,
    redirect_same=ONE,
    redirect_allowed=ONE,
    redirect_stranger=ONE,
    retries=ONE,
    request_reused=NO_OBJECT,
    response_hook=NO_HOOK,
    auth_callback=NO_HOOK,
    mocks=NO_MOCK,
    layers=LOWEST,
    http2=HTTP1,
    websocket=NO_WEBSOCKET,
)
CLIENTS.add(
    "urllib.request",
    Urllib,
    cancellation=SYNC,
    loop_in_thread=SYNC,
    retries=NO_RETRY,
    mocks=NO_MOCK,
    layers="no SDK in common use on it",
    http2=HTTP1,
    websocket=NO_WEBSOCKET,
)
CLIENTS.add(
    "urllib3",
    Urllib3,
    cancellation=SYNC,
    loop_in_thread=SYNC,
    request_reused=NO_OBJECT,
    response_hook=NO_HOOK,
    auth_callback=NO_HOOK,
    mocks=NO_MOCK,
    websocket=NO_WEBSOCKET,
)
CLIENTS.add("requests", Requests, cancellation=SYNC, loop_in_thread=SYNC, http2=HTTP1, websocket=NO_WEBSOCKET)
HTTPX = {"httpx": (HttpxOne, AsyncHttpxOne)}
if sys.version_info >= (3, 11):  # httpx2 needs that
    HTTPX["httpx2"] = (Httpx2, AsyncHttpx2)
for name, (driver, asynchronous) in HTTPX.items():
    CLIENTS.add(
        f"{name}.Client",
        driver,
        cancellation=SYNC,
        loop_in_thread=SYNC,
        retries=NO_RETRY,
        positional=KEYWORD,
        websocket=NO_WEBSOCKET,
    )
    CLIENTS.add(f"{name}.AsyncClient", asynchronous, retries=NO_RETRY, positional=KEYWORD, websocket=NO_WEBSOCKET)
CLIENTS.add("aiohttp", Aiohttp, request_reused=NO_OBJECT, positional=KEYWORD, http2=HTTP1)
CLIENTS.add(
    "tornado",
    Tornado,
    retries=NO_RETRY,
    proxy=NO_PROXY,
    proxy_connect=NO_PROXY,
    auth_callback=NO_HOOK,
    mocks=NO_MOCK,
    layers=LOWEST,
    http2=HTTP1,
)
CLIENTS.add(
    "tornado (curl)",
    TornadoCurl,
    retries=NO_RETRY,
    auth_callback=NO_HOOK,
    mocks=NO_MOCK,
    layers=LOWEST,
    streaming_response="a `streaming_callback` carries nothing unless `follow_redirects=False`",
    streaming_upload="bodies are sent in one piece",
    http2="chosen in libcurl, with the same headers",
    websocket="websockets are the simple client's",
)
RPC = {
    "redirect_same": ONE,
    "redirect_allowed": ONE,
    "redirect_stranger": ONE,
    "request_reused": NO_OBJECT,
    "proxy": TUNNEL,
    "response_hook": NO_HOOK,
    "auth_callback": NO_HOOK,
    "mocks": NO_MOCK,
    "layers": LOWEST,
    "streaming_upload": "streams both ways, under streaming-response",
    "http2": NOT_HTTP1,
    "websocket": NO_WEBSOCKET,
    "signed": NOT_SIGNED,
}
CLIENTS.add("grpc", Grpc, cancellation=SYNC, loop_in_thread=SYNC, **RPC)
CLIENTS.add("grpc.aio", GrpcAio, positional=KEYWORD, **RPC)
SOCKETS = {
    "request_reused": NO_OBJECT,
    "keep_alive": "one handshake per connection",
    "positional": KEYWORD,
    "proxy": TUNNEL,
    "response_hook": NO_HOOK,
    "auth_callback": NO_HOOK,
    "mocks": NO_MOCK,
    "layers": LOWEST,
    "streaming_response": HANDSHAKE,
    "streaming_upload": HANDSHAKE,
    "http2": HTTP1,
    "signed": NOT_SIGNED,
}
SYNC_SOCKETS = SOCKETS | {"cancellation": SYNC, "loop_in_thread": SYNC, "retries": NO_RETRY}
if int(version("websockets").partition(".")[0]) < 17:  # Python 3.10's
    SYNC_SOCKETS |= dict.fromkeys(("redirect_same", "redirect_allowed", "redirect_stranger"), ONE)
CLIENTS.add("websockets (asyncio)", Websockets, **SOCKETS)
CLIENTS.add("websockets (sync)", WebsocketsSync, **SYNC_SOCKETS)
CLIENTS.add("websockets (legacy)", WebsocketsLegacy, retries=NO_RETRY, proxy_connect=NO_PROXY, **SOCKETS)
