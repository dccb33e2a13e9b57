"""http.client and urllib.request."""

from __future__ import annotations

import ssl
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .base import Driver, Reply, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class HttpClient(Driver):
    """http.client with one kept connection per server and thread."""

    module = "http.client"
    patched = ("http.client",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.http = import_module("http.client")
        self.connections: dict[tuple[str, int], Any] = {}

    def connection(self, url: str, timeout: float = 10) -> Any:
        target = urlsplit(url)
        key = target.netloc, threading.get_ident()
        if key not in self.connections:
            context = ssl.create_default_context(cafile=self.ca) if self.ca else None
            through = urlsplit(self.proxy or url)
            if target.scheme == "https":
                made = self.http.HTTPSConnection(through.netloc, timeout=timeout, context=context)
                if self.proxy:
                    made.set_tunnel(target.netloc)
            else:
                made = self.http.HTTPConnection(through.netloc, timeout=timeout)
            self.connections[key] = made
        self.connections[key].timeout = timeout
        return self.connections[key]

    def _target(self, url: str) -> str:
        return url if self.proxy and url.startswith("http:") else path_of(url)

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        connection = self.connection(url, timeout)
        try:
            connection.request(method, self._target(url), body, headers or {})
            with connection.getresponse() as answer:
                return Reply(answer.status, answer.read())
        except Exception:
            connection.close()
            raise

    def positional(self, url: str, headers: Any) -> None:
        connection = self.connection(url)
        connection.request("GET", path_of(url), None, headers)
        connection.getresponse().read()

    def function(self) -> Callable[[str], object]:
        from http.client import HTTPConnection as Taken

        def call(url: str) -> None:
            connection = Taken(urlsplit(url).netloc, timeout=10)
            connection.putrequest("GET", self._target(url))
            connection.endheaders()
            connection.getresponse().read()
            connection.close()

        return call

    def stream(self, url: str) -> Iterator[bytes]:
        connection = self.connection(url)
        connection.request("GET", self._target(url))
        answer = connection.getresponse()
        while chunk := answer.read(3):
            yield chunk

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()


class Urllib(Driver):
    """urllib.request with an opener of its own."""

    module = "urllib.request"
    patched = ("http.client",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        from urllib import request

        self.request = request
        self.handlers: list[Any] = [request.ProxyHandler({"http": self.proxy, "https": self.proxy} if self.proxy else {})]
        if self.ca:
            self.handlers.append(request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca)))
        self.opener = request.build_opener(*self.handlers)

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        with self.opener.open(self.request.Request(url, body, headers or {}, method=method), timeout=timeout) as answer:
            return Reply(answer.status, answer.read())

    def positional(self, url: str, headers: Any) -> None:
        self.opener.open(self.request.Request(url, None, headers), None, 10).close()

    def function(self) -> Callable[[str], object]:
        from urllib.request import urlopen

        def call(url: str) -> None:
            with urlopen(url, timeout=10) as answer:
                answer.read()

        return call

    def request_object(self, url: str) -> Callable[[], object]:
        request = self.request.Request(url)
        return lambda: self.opener.open(request, timeout=10).close()

    def stream(self, url: str) -> Iterator[bytes]:
        with self.opener.open(url, timeout=10) as answer:
            while chunk := answer.read(3):
                yield chunk

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        class Hook(self.request.BaseHandler):  # type: ignore[name-defined,misc]
            def http_response(self, request: Any, response: Any) -> Any:
                hook()
                return response

        with self.request.build_opener(*self.handlers, Hook()).open(url, timeout=10) as answer:
            answer.read()

    def authenticated(self, url: str, token: Callable[[], object]) -> None:
        class Auth(self.request.BaseHandler):  # type: ignore[name-defined,misc]
            def http_request(self, request: Any) -> Any:
                token()
                request.add_unredirected_header("Authorization", "Bearer t")
                return request

        with self.request.build_opener(*self.handlers, Auth()).open(url, timeout=10) as answer:
            answer.read()
