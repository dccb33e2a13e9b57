"""Requests into a mesh from outside: from a test or a person, by the mesh itself or by a client of their own."""

from __future__ import annotations

import asyncio
import json as _json
import secrets
import time
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from multidict import CIMultiDict

from .. import _context
from .._errors import MeshError
from .._settings import BAGGAGE, BAGGAGE_MODE, TRACE_ID_MODE
from ..routing import STRICT_MODE
from .client import Client
from .engine import Outgoing
from .hops import HOP_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import EllipsisType

    from .engine import Engine
    from .hops import Call
    from .recorder import Recorder
    from .topology import Topology

    LaneOrDefault = str | None | EllipsisType

_SAFE: Final = "/?#[]@!$&'()*+,;=:%-._~|{}^`\"<>\\"
"""What a path may hold as it stands: all that is printable but spaces; whether it is a legal URL is the test's affair."""

_entered: ContextVar[LaneOrDefault] = ContextVar("lanebaggage.mesh.lane", default=...)
"""The lane of the innermost ``with mesh.lane(...)``; set in the block's own context and nowhere else."""


class Calling:
    """The part of a mesh that makes requests."""

    timeout: float
    recorder: Recorder
    topology: Topology
    engine: Engine
    default_lane: str | None = None
    """The lane of requests that name none and are made outside every :meth:`lane` block."""

    if TYPE_CHECKING:

        def _make_ready(self) -> None: ...

    def request(
        self,
        method: str,
        service: str,
        path: str | None = None,
        *,
        lane: LaneOrDefault = ...,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        data: bytes | str = b"",
        json: Any = None,
        timeout: float | None = None,
    ) -> Call:
        """Send a request into the mesh and wait for the whole response.

        :param method: as on the wire.
        :param service: name of the service that it goes straight to, as its caller's sidecar would send it; or, without
            ``path``, a path at the gateway such as ``"/mock"``.
        :param path: with query; ``/`` unless given.
        :param lane: enters this lane by the headers of the group's mode; in strict mode as a caller of this lane would. None
            for no lane. Unless given, that of the :meth:`lane` block, or else :attr:`default_lane`.
        :param headers: more headers.
        :param data: the body.
        :param json: the body as JSON, unless ``data`` is given.
        :param timeout: seconds; the mesh's own unless given.
        :return: the call: status, headers, body, and the hops that it took.
        :raises MeshError: there was no whole answer in time, or the mesh cannot be started.
        """
        self._make_ready()
        if path is None and service.startswith("/"):
            host, path = None, service
        else:
            host, path = service, path or "/"
        given = CIMultiDict(headers or {})
        body = data.encode() if isinstance(data, str) else data
        if json is not None and not body:
            body = _json.dumps(json).encode()
            given.setdefault("Content-Type", "application/json")
        given.setdefault("Host", host or "gateway")
        if body:
            given.setdefault("Content-Length", str(len(body)))
        lane = self.lane_in_force(lane)
        for name, value in self.lane_headers(lane).items():
            given.setdefault(name, value)
        path = quote(path, safe=_SAFE)
        call = self.recorder.begin(f"{method} {host or ''}{path}", lane)
        given[HOP_HEADER] = call.id
        started = time.monotonic()
        seconds = timeout or self.timeout
        call.deadline = started + seconds
        try:
            answer = self.engine.exchange(Outgoing(method, path, host, _as_bytes(given), body, seconds))
        except (TimeoutError, ConnectionError) as error:
            self.engine.settle(call)
            what = "no answer in time" if isinstance(error, TimeoutError) else "the answer broke off"
            raise MeshError(f"{what}: {error}\n{call.tree}") from error
        call.duration = time.monotonic() - started
        call.status, call.reason, call.content = answer.status, answer.reason, answer.body
        call.headers = answer.headers
        self.engine.settle(call)
        if call.duration > seconds:
            raise MeshError(f"no answer in time: it took more than {seconds:g} s\n{call.tree}")
        return call

    def get(self, service: str, path: str | None = None, **more: Any) -> Call:
        """``GET``; as :meth:`request`."""
        return self.request("GET", service, path, **more)

    def post(self, service: str, path: str | None = None, **more: Any) -> Call:
        """``POST``; as :meth:`request`."""
        return self.request("POST", service, path, **more)

    async def arequest(self, method: str, service: str, path: str | None = None, **more: Any) -> Call:
        """Send a request without holding up the event loop, asyncio's or trio's; as :meth:`request`."""
        return await _in_thread(partial(self.request, method, service, path, **more))

    async def aget(self, service: str, path: str | None = None, **more: Any) -> Call:
        """``GET`` as :meth:`arequest`."""
        return await self.arequest("GET", service, path, **more)

    async def apost(self, service: str, path: str | None = None, **more: Any) -> Call:
        """``POST`` as :meth:`arequest`."""
        return await self.arequest("POST", service, path, **more)

    # --- lanes

    def lane(self, name: str | None) -> AbstractContextManager[None]:
        """Make every request of a block that names no lane in this one; None for no lane.

        Requests of the mesh, of its :attr:`client`, and of instrumented clients alike. The block's own context has it, and
        what that starts, no other thread or task.
        """
        return _Block(name)

    def lane_in_force(self, lane: LaneOrDefault = ...) -> str | None:
        """The lane of a request that is made here.

        :param lane: that it names; nothing named unless given.
        """
        if lane is ...:
            lane = _entered.get()
        if lane is ...:
            lane = _context.current_lane() or self.default_lane
        return lane

    def lane_headers(self, lane: LaneOrDefault = ...) -> dict[str, str]:
        """The headers that put a request into a lane, as the gateway sets them, for a client that the mesh does not know.

        :param lane: as for :meth:`request`.
        :return: none in strict mode, or for no lane.
        """
        group = self.topology.current.group
        lane = self.lane_in_force(lane)
        if lane is None or group.mode == STRICT_MODE:
            return {}
        headers = {group.route_header: lane}
        if group.mode == BAGGAGE_MODE:
            headers[BAGGAGE] = f"{group.route_header}={lane}"
        elif group.mode == TRACE_ID_MODE:
            headers[group.trace_header] = secrets.token_hex(8)
        return headers

    @property
    def client(self) -> Client:
        """Clients of requests and httpx with the gateway as their base URL; call it for one service, or a lane.

        ``mesh.client.requests.get("/mock")``, ``mesh.client("mocka", lane="s2").httpx.get("/")``.
        """
        return Client(self)


class _Block:
    """A ``with mesh.lane(...)`` block."""

    def __init__(self, lane: str | None) -> None:
        self._lane = lane
        self._scope = _context.lane(lane)
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> None:
        self._scope.__enter__()
        self._undo.append(partial(_entered.reset, _entered.set(self._lane)))

    def __exit__(self, *exception: object) -> None:
        self._undo.pop()()
        self._scope.__exit__(*exception)


async def _in_thread(function: Callable[[], Call]) -> Call:
    """Call a function in a thread, in a copy of this context."""
    if asyncio._get_running_loop() is not None:
        return await asyncio.to_thread(function)
    found: Call = await import_module("trio").to_thread.run_sync(function)
    return found


def _as_bytes(headers: CIMultiDict[str]) -> list[tuple[str, str]]:
    """Headers with a character for each byte on the wire: ISO 8859-1 where it suffices, UTF-8 otherwise."""
    pairs = []
    for name, value in headers.items():
        if any(character in name + value for character in "\r\n\0"):
            raise MeshError(f"the header {name[:40]!r} has a line break or NUL in it, which no request can carry")
        latin = max(value, default="") <= "\xff"
        pairs.append((str(name), value if latin else value.encode().decode("latin-1")))
    return pairs
