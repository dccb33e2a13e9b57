"""Clients of well-known libraries that call a mesh: with a base URL, and in the lane that is in force at each request."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from .. import _context
from .._errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from contextlib import AbstractContextManager

    from httpx import AsyncClient
    from httpx import Client as SyncClient
    from requests import Session as RequestsSession

    from .calling import Calling, LaneOrDefault

GATEWAY_NAME: Final = "lanebaggage-gateway"
"""Host by which clients of this process reach the gateway of the in-process engine."""


class Client:
    """What clients need to call a mesh.

    :param mesh: the mesh.
    :param service: that they call; None for the gateway.
    :param lane: of their requests; that in force at each request unless given.
    """

    def __init__(self, mesh: Calling, service: str | None = None, lane: LaneOrDefault = ...) -> None:
        self._mesh = mesh
        self._service = service
        self._lane = lane

    def __call__(self, service: str | None = None, *, lane: LaneOrDefault = ...) -> Client:
        """The same for one service, or in one lane.

        :param service: as for :meth:`Mesh.request <lanebaggage.mesh.Mesh.request>`; None for the gateway.
        :param lane: of its requests; that in force at each request unless given.
        """
        return Client(self._mesh, service, lane)

    @property
    def base_url(self) -> str:
        """For any client of this process; of the gateway with sockets, for any program of this machine."""
        self._mesh._make_ready()
        if self._service is not None:
            return f"http://{self._service}"
        return self._mesh.engine.gateway or f"http://{GATEWAY_NAME}"

    @property
    def requests(self) -> RequestsSession:
        """A new session of requests; URLs without a host are the mesh's."""
        library = _library("requests")
        base, lane, mark = f"{self.base_url}/", self._scope, self._marker()

        class Session(library.Session):  # type: ignore[misc, name-defined] # the user's requests
            def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
                return super().request(method, urljoin(base, url), *args, **kwargs)

            def send(self, request: Any, **kwargs: Any) -> Any:
                with lane():
                    mark(request.url, request.headers)
                    return super().send(request, **kwargs)

        session: RequestsSession = Session()
        session.trust_env = False
        return session

    @property
    def httpx(self) -> SyncClient:
        """A new client of httpx; URLs without a host are the mesh's."""
        library = _library("httpx")
        lane, mark = self._scope, self._marker()

        def add(request: Any) -> None:
            mark(str(request.url), request.headers)

        class Client(library.Client):  # type: ignore[misc, name-defined]
            def send(self, request: Any, **kwargs: Any) -> Any:
                with lane():
                    return super().send(request, **kwargs)

        found: SyncClient = Client(base_url=self.base_url, trust_env=False, event_hooks={"request": [add]})
        return found

    @property
    def httpx_async(self) -> AsyncClient:
        """The asynchronous one."""
        library = _library("httpx")
        lane, mark = self._scope, self._marker()

        async def add(request: Any) -> None:
            mark(str(request.url), request.headers)

        class Client(library.AsyncClient):  # type: ignore[misc, name-defined]
            async def send(self, request: Any, **kwargs: Any) -> Any:
                with lane():
                    return await super().send(request, **kwargs)

        found: AsyncClient = Client(base_url=self.base_url, trust_env=False, event_hooks={"request": [add]})
        return found

    def _scope(self) -> AbstractContextManager[object]:
        """The lane in force, for what instrumentation adds to the request that is being made."""
        return _context.lane(self._mesh.lane_in_force(self._lane))

    def _marker(self) -> Callable[[str, MutableMapping[str, str]], None]:
        """A function that gives each request on the wire the lane's headers; none to a host outside the mesh, by redirect."""
        base, mesh, lane = f"{self.base_url}/", self._mesh, self._lane
        added: dict[str, str] = {}

        def mark(url: str, headers: MutableMapping[str, str]) -> None:
            if url.startswith(base):
                for name, value in mesh.lane_headers(lane).items():
                    added[name] = headers.setdefault(name, value)
            elif mesh.topology.is_external(urlsplit(url).hostname or ""):
                for name in [name for name, value in added.items() if headers.get(name) == value]:
                    del headers[name]

        return mark


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MeshError(f"mesh.client.{name} needs {name}: pip install {name}") from error
