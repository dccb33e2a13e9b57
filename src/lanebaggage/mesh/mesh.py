"""The mesh: services in versions, lanes over them, an engine that carries their requests, and the calls that were made."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from .._errors import MeshError
from .._settings import DEFAULT_HEADER
from ..routing import LaneGroup, RoutingError, ServiceRef
from . import _https, _intercept  # noqa: F401 - which takes TLS over
from ._serving import Forwarding
from .apps import WSGI, resolve
from .asserting import Asserting
from .calling import Calling
from .engine import engine_class
from .external import VERSION as EXTERNAL
from .external import External, ExternalHost
from .faulting import Faulting
from .keeping import Kept, make_room
from .modes import Modes, one_group
from .recorder import Recorder
from .topology import Instance, Lanes, Topology, headers_of
from .traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike
    from types import TracebackType

    from .hops import Call


class Mesh(Calling, Faulting, Asserting):
    """A lane mesh on this machine, for tests and development; usable without pytest, as a context manager.

    :param group: the lane group; declared later with :meth:`lanes` or :meth:`load` unless given.
    :param engine: ``inprocess`` (applications of this process, no sockets), ``sockets`` (the embedded proxy) or ``envoy``.
    :param seed: of the random choice among weights at the gateway; None for a different one each time.
    :param timeout: seconds that a call may take.
    :param router: settings of :class:`lanebaggage.routing.Router` other than the group, such as ``unmatched="error"``.
    :param network: hosts besides this machine that applications of this process may reach: names, ``*.suffix``, addresses,
        CIDR blocks, or ``*``. Any other host is an error that says so.
    :param mode: ``permissive`` or ``strict``, whatever the lane group says; as it says unless given.
    :param carrier: what brings the lane, whatever the lane group says: ``header`` (a header of its own), ``trace-id`` or
        ``baggage``; as it says unless given.
    :raises MeshError: there is no such engine, mode or carrier, or what the engine needs is not installed.
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
        mode: str | None = None,
        carrier: str | None = None,
    ) -> None:
        self.modes = Modes(mode, carrier)
        self.timeout = timeout
        self.recorder = Recorder()
        self.topology = Topology(None if group is None else self.modes.apply(group), router or {}, network)
        self.engine_name = engine
        self._traffic = Traffic(self.topology, self.recorder, seed)
        self.engine = engine_class(engine)(self._traffic)
        self._waiting: list[Instance] = []
        self._kept = Kept(self.engine.end)
        self._externals: dict[ExternalHost, External] = {}
        self._faults = []
        self._may_lose = set()
        self._lock = RLock()
        self._forwarding = Forwarding()
        self._no_proxy = _intercept.NoProxy()
        self._closed = False
        self._starting = False
        self._changed = False
        self.topology.ready = self._ready

    @classmethod
    def from_yaml(cls, *paths: str | PathLike[str], group: str | None = None, **settings: Any) -> Mesh:
        """A mesh over the lane group of YAML files, as they are deployed.

        :param paths: files or directories with ASMSwimLaneGroup and ASMSwimLane documents.
        :param group: name of the lane group, where the files hold several.
        :param settings: as for :class:`Mesh`.
        :raises RoutingError: the files cannot be used.
        """
        return cls(one_group(paths, group), **settings)

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
        for version, app in given.items():
            self._declare(ref, version, app, (labels or {}).get(version, {}))

    def external(
        self,
        host: str,
        status: int = 200,
        *,
        json: Any = None,
        data: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        app: Any = None,
    ) -> External:
        """Answer for a host outside the mesh, and record what it gets; nothing reaches the network.

        The scheme does not matter to applications of this process: https is answered too, as by a mesh that originates TLS.

        :param host: its name alone.
        :param status: what it answers; with ``json``, ``data`` and ``headers``, or a WSGI ``app`` instead.
        :return: the same object each time, with its ``requests`` and whether it ``saw_lane``.
        :raises MeshError: the text is no host.
        """
        ref = ExternalHost.of(host)
        found = self._externals.get(ref)
        if found is None:
            found = self._externals[ref] = External(ref.name, lambda: self.topology.current.wire)
            self._declare(ref, EXTERNAL, WSGI(found), {})
        return found.answers(status, json=json, data=data, headers=headers, app=app)

    def _declare(self, ref: ServiceRef, version: str, app: Any, labels: Mapping[str, str]) -> None:
        with self._lock:
            instance = self._kept.take(ref, version, app, labels)
            if instance is None:
                instance = Instance(ref, version, resolve(app, f"{ref.name} {version}"), labels, app)
                make_room(instance)
            self.topology.add(instance)
            self._waiting.append(instance)
            self._changed = True
            self._no_proxy.apply([host for one in self.topology.instances for host in (one.service.name, *one.service.hosts)])
            if not self._closed:
                _intercept.add(self.engine)

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
        self.use(one_group(paths, group))

    def use(self, lanes: LaneGroup | Lanes) -> None:
        """Put another lane group in force; services go on running, sidecars forget what they remembered."""
        with self._lock:
            self.topology.use(self.modes.apply(lanes))
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

    @property
    def calls(self) -> list[Call]:
        """The calls so far; the oldest of very many are forgotten."""
        return list(self.recorder.calls)

    @property
    def gateway(self) -> str | None:
        """The gateway's ``http://host:port``; None in-process."""
        self._make_ready()
        return self.engine.gateway

    # --- ending

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """End everything that the mesh started; may be called twice."""
        if not self._closed:
            self._closed = True
            self._end_faults()
            self._kept.forget()
            self.engine.close()
            self._forwarding.undo()
            self._no_proxy.undo()

    def reset(self) -> None:
        """Forget services, lanes, hosts, faults and calls: the mesh is as new.

        What runs goes on running for a while, and serves again if the same service is declared with the same application,
        import string or command: a session's servers, and each test's own mesh.
        """
        with self._lock:
            self._end_faults()
            self.default_lane = None
            self._may_lose = set()
            self._externals.clear()
            self._waiting.clear()
            self._kept.add(self.topology.clear())
            self.recorder.clear()
            self._traffic.clear()
            self._forwarding.undo()
            self._no_proxy.undo()
            _intercept.remove(self.engine)

    def __enter__(self) -> Mesh:  # noqa: PYI034 - typing has no Self in 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _make_ready(self, progress: Callable[[Instance], None] | None = None) -> None:
        if self.topology.declared:
            self._forwarding.ensure(headers_of(self.topology.current.group))
        if not self._changed:
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
                self._changed = False
            finally:
                self._starting = False
                self.engine.changed()
            self._kept.end_surplus()

    def _ready(self) -> None:
        """As :meth:`start`, but not for what calls a service while it is being started itself, which would wait for itself."""
        if not self._starting:
            self._make_ready()
