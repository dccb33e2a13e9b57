"""The mesh: services in versions, lanes over them, an engine that carries their requests, and the calls that were made."""

from __future__ import annotations

import json as _json
import secrets
import time
from threading import RLock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from multidict import CIMultiDict

from .._errors import MeshError
from .._settings import BAGGAGE, BAGGAGE_MODE, DEFAULT_HEADER, TRACE_ID_MODE
from ..routing import STRICT_MODE, LaneGroup, RoutingError, ServiceRef, load
from ._intercept import NoProxy
from ._serving import Forwarding
from .apps import resolve
from .engine import Outgoing, engine_class
from .hops import HOP_HEADER, Recorder
from .topology import Instance, Lanes, Topology
from .traffic import Traffic

_SAFE: Final = "/?#[]@!$&'()*+,;=:%-._~|{}^`\"<>\\"
"""What a path may hold as it stands: all that is printable but spaces; whether it is a legal URL is the test's affair."""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike
    from types import TracebackType

    from .engine import Incoming
    from .hops import Call


class Mesh:
    """A lane mesh on this machine, for tests and development; usable without pytest, as a context manager.

    :param group: the lane group; declared later with :meth:`lanes` or :meth:`load` unless given.
    :param engine: ``inprocess`` (applications of this process, no sockets), ``sockets`` (the embedded proxy) or ``envoy``.
    :param seed: of the random choice among weights at the gateway; None for a different one each time.
    :param timeout: seconds that a call may take.
    :param router: settings of :class:`lanebaggage.routing.Router` other than the group, such as ``unmatched="error"``.
    :param network: hosts besides this machine that applications of this process may reach: names, ``*.suffix``, addresses,
        CIDR blocks, or ``*``. Any other host is an error that says so.
    :raises MeshError: there is no such engine, or what it needs is not installed.
    :raises SettingsError: ``network`` has what is no host.
    """

    def __init__(
        self,
        group: LaneGroup | None = None,
        *,
        engine: str = "inprocess",
        seed: int | None = None,
        timeout: float = 30.0,
        router: Mapping[str, Any] | None = None,
        network: Iterable[str] = (),
    ) -> None:
        self.timeout = timeout
        self.recorder = Recorder()
        self.topology = Topology(group, router or {}, network)
        self.engine_name = engine
        self.engine = engine_class(engine)(Traffic(self.topology, self.recorder, seed))
        self._waiting: list[Instance] = []
        self._lock = RLock()
        self._forwarding = Forwarding()
        self._no_proxy = NoProxy()
        self._closed = False
        self._starting = False
        self.topology.ready = self._ready

    @classmethod
    def from_yaml(cls, *paths: str | PathLike[str], group: str | None = None, **settings: Any) -> Mesh:
        """A mesh over the lane group of YAML files, as they are deployed.

        :param paths: files or directories with ASMSwimLaneGroup and ASMSwimLane documents.
        :param group: name of the lane group, where the files hold several.
        :param settings: as for :class:`Mesh`.
        :raises RoutingError: the files cannot be used.
        """
        return cls(_one_group(paths, group), **settings)

    # --- declaring

    def service(
        self,
        name: str,
        versions: Mapping[str, Any] | None = None,
        /,
        *,
        labels: Mapping[str, Mapping[str, str]] | None = None,
        **more: Any,
    ) -> None:
        """Declare a service and its versions; it is started before the next request.

        :param name: the service's name, or ``namespace/name``.
        :param versions: what serves each version: a WSGI or ASGI application, a factory, ``"module:attribute"``, a command
            as a list with ``{bind}`` or ``{port}`` (or a :class:`~lanebaggage.mesh.Command`), or ``"http://host:port"``.
        :param labels: pod labels by version, for the selectors of lanes. A label that is not given counts as the version.
        :param more: versions whose names are identifiers, as in ``v1=app``.
        :raises MeshError: one cannot be served, or is declared already.
        """
        try:
            ref = ServiceRef.parse(name)
        except RoutingError as error:
            raise MeshError(str(error)) from error
        given = {**(versions or {}), **more}
        if not given:
            raise MeshError(f"service {name} has no version; declare it as in mesh.service({name!r}, v1=app)")
        with self._lock:
            for version, app in given.items():
                instance = Instance(ref, version, resolve(app, f"{name} {version}"), (labels or {}).get(version, {}))
                self.topology.add(instance)
                self._waiting.append(instance)
            self._no_proxy.apply([host for one in self.topology.instances for host in (one.service.name, *one.service.hosts)])

    def lanes(
        self,
        versions: Mapping[str, str] | None = None,
        /,
        *,
        baseline: str,
        permissive: bool = True,
        route_header: str = DEFAULT_HEADER,
        trace_header: str | None = None,
        entry: str | None = None,
        **more: str,
    ) -> None:
        """Declare lanes without a file: each is the services that have its version.

        :param versions: version by lane.
        :param baseline: the baseline lane.
        :param permissive: whether a missing service falls back to the baseline lane.
        :param route_header: the header whose value is the lane's name.
        :param trace_header: the end-to-end pass-through header; the route header unless given.
        :param entry: service behind the gateway; the first one declared unless given.
        :param more: lanes whose names are identifiers, as in ``s1="v1"``.
        """
        given = {**(versions or {}), **more}
        self.use(Lanes(given, baseline, permissive, route_header, trace_header or route_header, entry))

    def load(self, *paths: str | PathLike[str], group: str | None = None) -> None:
        """Put the lane group of YAML files in force; services go on running. As :meth:`from_yaml`."""
        self.use(_one_group(paths, group))

    def use(self, lanes: LaneGroup | Lanes) -> None:
        """Put another lane group in force; services go on running, sidecars forget what they remembered."""
        with self._lock:
            self.topology.use(lanes)
            self.engine.changed()

    # --- running

    def start(
        self,
        service: str | None = None,
        *,
        lane: str | None = None,
        version: str | None = None,
        progress: Callable[[Instance], None] | None = None,
    ) -> None:
        """Start all that was declared, or start again what was stopped.

        :param service: the service to start again; None for all that was declared and never started.
        :param lane: of this lane only.
        :param version: of this version only.
        :param progress: told of each instance that is ready, from any thread.
        :raises MeshError: something cannot be started.
        """
        if service is not None:
            self._make_ready()
            for instance in self.topology.find(service, lane=lane, version=version):
                self.engine.set_available(instance, available=True)
            return
        self._make_ready(progress)

    def stop(self, service: str, *, lane: str | None = None, version: str | None = None) -> None:
        """Stop instances of a service: it is missing there until :meth:`start`.

        :param service: the service.
        :param lane: of this lane only.
        :param version: of this version only.
        :raises MeshError: there is none.
        """
        self._make_ready()
        for instance in self.topology.find(service, lane=lane, version=version):
            self.engine.set_available(instance, available=False)

    @property
    def calls(self) -> list[Call]:
        """The calls so far; the oldest of very many are forgotten."""
        return list(self.recorder.calls)

    @property
    def gateway(self) -> str | None:
        """The gateway's ``http://host:port``; None in-process."""
        self._make_ready()
        return self.engine.gateway

    # --- calling

    def request(
        self,
        method: str,
        service: str,
        path: str | None = None,
        *,
        lane: str | None = None,
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
        :param lane: enters this lane by the headers of the group's mode; in strict mode as a caller of this lane would.
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
        for name, value in self.lane_headers(lane).items():
            given.setdefault(name, value)
        path = quote(path, safe=_SAFE)
        call = self.recorder.begin(f"{method} {host or ''}{path}", lane)
        given[HOP_HEADER] = call.id
        started = time.perf_counter()
        try:
            answer = self.engine.exchange(Outgoing(method, path, host, _as_bytes(given), body, timeout or self.timeout))
        except (TimeoutError, ConnectionError) as error:
            self.engine.settle(call)
            what = "no answer in time" if isinstance(error, TimeoutError) else "the answer broke off"
            raise MeshError(f"{what}: {error}\n{call.tree}") from error
        call.duration = time.perf_counter() - started
        self._fill(call, answer)
        return call

    def get(self, service: str, path: str | None = None, **more: Any) -> Call:
        """``GET``; as :meth:`request`."""
        return self.request("GET", service, path, **more)

    def post(self, service: str, path: str | None = None, **more: Any) -> Call:
        """``POST``; as :meth:`request`."""
        return self.request("POST", service, path, **more)

    def lane_headers(self, lane: str | None) -> dict[str, str]:
        """The headers that put a request into a lane, as the gateway sets them; none in strict mode or for None."""
        group = self.topology.current.group
        if lane is None or group.mode == STRICT_MODE:
            return {}
        headers = {group.route_header: lane}
        if group.mode == BAGGAGE_MODE:
            headers[BAGGAGE] = f"{group.route_header}={lane}"
        elif group.mode == TRACE_ID_MODE:
            headers[group.trace_header] = secrets.token_hex(8)
        return headers

    # --- ending

    def close(self) -> None:
        """End everything that the mesh started; may be called twice."""
        if not self._closed:
            self._closed = True
            self.engine.close()
            self._forwarding.undo()
            self._no_proxy.undo()

    def __enter__(self) -> Mesh:  # noqa: PYI034 - typing has no Self in 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _make_ready(self, progress: Callable[[Instance], None] | None = None) -> None:
        self._forwarding.ensure()
        if not self._waiting:
            return
        with self._lock:
            if self._closed:
                raise MeshError("the mesh is closed; make requests inside 'with Mesh(...) as mesh:'")
            waiting = list(self._waiting)
            self._starting = True

            def started(instance: Instance) -> None:
                instance.up = True
                self._waiting.remove(instance)
                if progress is not None:
                    progress(instance)

            try:
                if waiting:
                    self.engine.start(waiting, started)
            finally:
                self._starting = False
                self.engine.changed()

    def _ready(self) -> None:
        """As :meth:`start`, but not for what calls a service while it is being started itself, which would wait for itself."""
        if not self._starting:
            self._make_ready()

    def _fill(self, call: Call, answer: Incoming) -> None:
        call.status, call.reason, call.content = answer.status, answer.reason, answer.body
        call.headers.extend(answer.headers)
        self.engine.settle(call)


def _as_bytes(headers: CIMultiDict[str]) -> list[tuple[str, str]]:
    """Headers with a character for each byte on the wire: ISO 8859-1 where it suffices, UTF-8 otherwise."""
    pairs = []
    for name, value in headers.items():
        if any(character in name + value for character in "\r\n\0"):
            raise MeshError(f"the header {name[:40]!r} has a line break or NUL in it, which no request can carry")
        latin = max(value, default="") <= "\xff"
        pairs.append((name, value if latin else value.encode().decode("latin-1")))
    return pairs


def _one_group(paths: tuple[str | PathLike[str], ...], name: str | None) -> LaneGroup:
    groups = load(*paths)
    found = [group for group in groups if name in (None, group.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(group.name for group in groups) or "none"
    raise MeshError(f"the files hold the lane groups {names}; name one of them with group=...")
