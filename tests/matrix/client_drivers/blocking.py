"""urllib3 and requests."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .base import Driver, Reply, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Urllib3(Driver):
    """urllib3 with a pool manager."""

    distribution = "urllib3"
    module = "urllib3"
    patched = ("http.client",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        import urllib3

        self.urllib3 = urllib3
        if self.http2:
            import_module("urllib3.http2").inject_into_urllib3()
        tls = {"ca_certs": self.ca} if self.ca else {}
        self.pool = urllib3.ProxyManager(self.proxy, **tls) if self.proxy else urllib3.PoolManager(**tls)

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        retries = self.urllib3.Retry(5, connect=0, read=0)
        answer = self.pool.request(method, url, headers=headers, body=body, timeout=timeout, retries=retries)
        return Reply(answer.status, answer.data)

    def containers(self) -> Iterator[Any]:
        yield from super().containers()
        yield MappingProxyType({"X-Mine": "1"})
        yield import_module("urllib3._collections").HTTPHeaderDict({"X-Mine": "1"})  # public since 2.0

    def positional(self, url: str, headers: Any) -> None:
        self.pool.connection_from_url(url).urlopen("GET", path_of(url), None, headers)

    def function(self) -> Callable[[str], object]:
        from urllib3 import request

        return lambda url: request("GET", url)

    def retry(self, url: str) -> None:
        self.pool.request("GET", url, retries=self.urllib3.Retry(5, status_forcelist=[503]))

    def stream(self, url: str) -> Iterator[bytes]:
        answer = self.pool.request("GET", url, preload_content=False)
        yield from answer.stream(3)
        answer.release_conn()

    def layers(self) -> Iterator[Callable[[str], object]]:
        from .layers import transport

        yield lambda url: transport("urllib3", url).perform_request("GET", "/")

    def close(self) -> None:
        self.pool.clear()
        if self.http2:
            import_module("urllib3.http2").extract_from_urllib3()


class Requests(Driver):
    """requests with a Session."""

    distribution = "requests"
    module = "requests"
    patched = ("http.client", "requests")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.requests = import_module(self.module)
        self.session = self.make()
        if self.proxy:
            self.session.proxies = {"http": self.proxy, "https": self.proxy}

    def make(self) -> Any:
        return self.requests.Session()

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, timeout: float = 10) -> Reply:
        answer = self.session.request(method, url, headers=headers, data=body, timeout=timeout, verify=self.ca or None)
        return Reply(answer.status_code, answer.content)

    def containers(self) -> Iterator[Any]:
        yield from super().containers()
        yield MappingProxyType({"X-Mine": "1"})
        yield self.requests.structures.CaseInsensitiveDict({"X-Mine": "1"})
        yield {"X-Mine": b"1"}

    def positional(self, url: str, headers: Any) -> None:
        self.session.request("GET", url, None, None, headers)

    def function(self) -> Callable[[str], object]:
        from requests import get

        return get

    def request_object(self, url: str) -> Callable[[], object]:
        prepared = self.session.prepare_request(self.requests.Request("GET", url))
        return lambda: self.session.send(prepared)

    def retry(self, url: str) -> None:
        from urllib3 import Retry

        self.session.mount("http://", self.requests.adapters.HTTPAdapter(max_retries=Retry(5, status_forcelist=[503])))
        self.session.get(url)

    def stream(self, url: str) -> Iterator[bytes]:
        with self.session.get(url, stream=True) as answer:
            yield from answer.iter_content(3)

    def hooked(self, url: str, hook: Callable[[], object]) -> None:
        self.session.get(url, hooks={"response": lambda response, **_: hook() and None})

    def authenticated(self, url: str, token: Callable[[], object]) -> None:
        def auth(request: Any) -> Any:
            token()
            request.headers["Authorization"] = "Bearer t"
            return request

        self.session.get(url, auth=auth)

    def mocks(self, url: str) -> Iterator[Callable[[], list[str]]]:
        """Each makes a request that a mock answers, and says which values the mock saw."""
        import requests_mock
        import responses

        def seen(request: Any) -> list[str]:
            return [value for name, value in request.headers.items() if name.lower() == "x-asm-prefer-tag"]

        def with_responses() -> list[str]:
            with responses.RequestsMock() as mock:
                mock.get(url)
                self.session.get(url)
                return seen(mock.calls[0].request)

        def with_requests_mock() -> list[str]:
            with requests_mock.Mocker() as mock:
                mock.get(url)
                self.session.get(url)
                return seen(mock.last_request)

        def with_requests_mock_of_a_session() -> list[str]:
            with self.requests.Session() as session, requests_mock.Mocker(session=session) as mock:
                mock.get(url)
                session.get(url)
                return seen(mock.last_request)

        yield with_responses
        yield with_requests_mock
        yield with_requests_mock_of_a_session

    def layers(self) -> Iterator[Callable[[str], object]]:
        from .layers import transport

        yield self.send
        yield lambda url: transport("requests", url).perform_request("GET", "/")

    def close(self) -> None:
        self.session.close()
