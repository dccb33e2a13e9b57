"""Hosts outside the mesh that its applications may call: answered here and recorded, so that nothing reaches the network."""

from __future__ import annotations

import json as _json
from collections.abc import Mapping
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from multidict import CIMultiDict

from .._errors import MeshError
from ..routing import ServiceRef, plain_host
from .hops import HOP_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .._wire import Wire

VERSION: Final = "external"
"""Version of what answers for such a host."""

_HOST_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-._"


class ExternalHost(ServiceRef):
    """A host outside the mesh, where a service of the mesh would stand.

    :raises MeshError: the text is no host.
    """

    __slots__ = ()

    @classmethod
    def of(cls, host: str) -> ExternalHost:
        """The host of a text such as ``api.partner.example``."""
        if "://" in host or "/" in host or not (name := plain_host(host)) or name.strip(_HOST_CHARACTERS):
            raise MeshError(f"{host[:80]!r} is no host; write its name alone, such as mesh.external('api.partner.example')")
        return cls(name, VERSION)

    def __post_init__(self) -> None:
        """Nothing: it has been looked at, and is no name of a Kubernetes service."""

    @property
    def host(self) -> str:
        """Its name: it has no other."""
        return self.name

    @property
    def hosts(self) -> tuple[str, ...]:
        """None besides its name."""
        return ()

    def __str__(self) -> str:
        return self.name


class Received(Mapping[str, str]):
    """One request that a host outside the mesh got: a mapping of its headers, in any case.

    :param method: as on the wire.
    :param path: with query.
    :param headers: names and values.
    :param body: whole.
    """

    def __init__(self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers: CIMultiDict[str] = CIMultiDict(headers)
        """The same with repeated headers."""
        self.body = body
        self.lane: str | None = None
        """The lane that it brought, which nothing outside the mesh should see."""

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        :raises ValueError: it is none.
        """
        return _json.loads(self.body)

    def __getitem__(self, name: str) -> str:
        return self.headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.headers)

    def __len__(self) -> int:
        return len(self.headers)

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}{f' in lane {self.lane}' if self.lane else ''}>"


class External:
    """A host outside the mesh; made by :meth:`Mesh.external <lanebaggage.mesh.Mesh.external>`.

    :param host: its name.
    :param wire: reads a lane from headers as the lane group has it.
    """

    def __init__(self, host: str, wire: Callable[[], Wire]) -> None:
        self.host = host
        self.requests: list[Received] = []
        """What it got, in order."""
        self._wire = wire
        self._lock = Lock()
        self._app: Any = None
        self._status = 200
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def answers(
        self,
        status: int = 200,
        *,
        json: Any = None,
        data: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        app: Any = None,
    ) -> External:
        """Say what it answers from now on.

        :param status: of each response.
        :param json: the body as JSON.
        :param data: the body.
        :param headers: of each response.
        :param app: a WSGI application that answers instead of all that.
        :return: itself.
        """
        self._app, self._status = app, status
        self._headers = list((headers or {}).items())
        self._body = data.encode() if isinstance(data, str) else data
        if json is not None:
            self._body = _json.dumps(json).encode()
            if not any(name.lower() == "content-type" for name, _ in self._headers):
                self._headers.append(("Content-Type", "application/json"))
        return self

    @property
    def saw_lane(self) -> bool:
        """Whether any request brought a lane."""
        return any(request.lane is not None for request in self.requests)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """The WSGI application that stands for it."""
        headers = [(_name(key), str(value)) for key, value in environ.items() if key.startswith("HTTP_")]
        headers += [(_name(f"HTTP_{key}"), environ[key]) for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)]
        path = environ.get("PATH_INFO", "") + (f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else "")
        whole = environ.get("wsgi.input_terminated", False)
        body = environ["wsgi.input"].read(-1 if whole else int(environ.get("CONTENT_LENGTH") or 0))
        received = Received(environ["REQUEST_METHOD"], path, [pair for pair in headers if pair[0] != HOP_HEADER], body)
        carried = self._wire().from_pairs(received.headers.items())
        received.lane = None if carried is None else carried.lane
        with self._lock:
            self.requests.append(received)
        if self._app is not None:
            return self._app({**environ, "wsgi.input": BytesIO(body)}, start_response)
        start_response(f"{self._status} ", [*self._headers, ("Content-Length", str(len(self._body)))])
        return [self._body]

    def __repr__(self) -> str:
        return f"<{self.host}: {len(self.requests)} requests{', one or more in a lane' if self.saw_lane else ''}>"


def _name(key: str) -> str:
    return key[5:].lower().replace("_", "-")
