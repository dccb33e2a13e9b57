"""Clients of well-known libraries that call a mesh: with a base URL, and in the lane that is in force at each request."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from .._errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Callable

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
        base, headers = self.base_url, self._headers

        class Session(library.Session):  # type: ignore[misc, name-defined] # the user's requests
            def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
                url = urljoin(f"{base}/", url)
                if url.startswith(f"{base}/"):
                    kwargs["headers"] = {**headers(), **(kwargs.get("headers") or {})}
                return super().request(method, url, *args, **kwargs)

        session: RequestsSession = Session()
        session.trust_env = False
        return session

    @property
    def httpx(self) -> SyncClient:
        """A new client of httpx; URLs without a host are the mesh's."""
        found: SyncClient = _library("httpx").Client(
            base_url=self.base_url, trust_env=False, event_hooks={"request": [self._hook()]}
        )
        return found

    @property
    def httpx_async(self) -> AsyncClient:
        """The asynchronous one."""
        hook = self._hook()

        async def add(request: Any) -> None:
            hook(request)

        found: AsyncClient = _library("httpx").AsyncClient(
            base_url=self.base_url, trust_env=False, event_hooks={"request": [add]}
        )
        return found

    def _headers(self) -> dict[str, str]:
        return self._mesh.lane_headers(self._lane)

    def _hook(self) -> Callable[[Any], None]:
        base = f"{self.base_url}/"

        def add(request: Any) -> None:
            if str(request.url).startswith(base):
                for name, value in self._headers().items():
                    request.headers.setdefault(name, value)

        return add


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MeshError(f"mesh.client.{name} needs {name}: pip install {name}") from error
