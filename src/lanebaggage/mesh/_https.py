"""https to hosts outside the mesh: an application of this process leaves the TLS to the mesh, which answers for them.

Nobody has a certificate for a partner's name; and a mesh that originates TLS is called by http inside as well. So the clients
that can be taken over speak http where such a host is called by https, on every engine. Services of the mesh have http alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _intercept

if TYPE_CHECKING:
    from types import ModuleType


def leaves_tls(host: str) -> bool:
    """Whether a request to a host that is made here and now is the mesh's, and the host outside of it."""
    found = _intercept.claimed(host)
    return found is not None and found[0].topology.is_external(host)


def _http_client(module: ModuleType, patches: _intercept.Patches) -> None:
    """``HTTPSConnection.connect``, without its TLS; of the standard library and of urllib3."""

    def make(original: Any) -> Any:
        def connect(self: Any) -> None:
            if self._tunnel_host is None and leaves_tls(self.host):
                module.HTTPConnection.connect(self)
                self.is_verified = True  # so that urllib3 does not warn
            else:
                original(self)

        return connect

    patches.put(module.HTTPSConnection, "connect", make)


def _httpx(module: ModuleType, patches: _intercept.Patches) -> None:
    """Both transports' ``handle_request``, which get an http URL; the client's own request stays as it is."""

    def plain(request: Any) -> Any:
        if request.url.scheme != "https" or not leaves_tls(request.url.host):
            return request
        url = request.url.copy_with(scheme="http")
        return module.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )

    def make(original: Any) -> Any:
        def handle_request(self: Any, request: Any) -> Any:
            return original(self, plain(request))

        return handle_request

    def make_async(original: Any) -> Any:
        async def handle_async_request(self: Any, request: Any) -> Any:
            return await original(self, plain(request))

        return handle_async_request

    patches.put(module.HTTPTransport, "handle_request", make)
    patches.put(module.AsyncHTTPTransport, "handle_async_request", make_async)


def _aiohttp(module: ModuleType, patches: _intercept.Patches) -> None:
    """``ClientRequest.is_ssl``, by which the connector decides."""

    def make(original: Any) -> Any:
        def is_ssl(self: Any) -> bool:
            return bool(original(self)) and not leaves_tls(self.url.host)

        return is_ssl

    patches.put(module.ClientRequest, "is_ssl", make)


_intercept.register("http.client", _http_client)
_intercept.register("urllib3.connection", _http_client)
_intercept.register("httpx", _httpx)
_intercept.register("httpx2", _httpx)
_intercept.register("aiohttp.client_reqrep", _aiohttp)
