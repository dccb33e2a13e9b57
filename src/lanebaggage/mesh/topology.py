"""Services, their instances, and the lane group over them: which instances serve a service in a lane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any

from .._errors import MeshError
from .._policy import EXPLICIT, Policy
from .._settings import DEFAULT_HEADER, resolve
from .._wire import Wire
from ..routing import LaneGroup, Router, RoutingError, ServiceRef, TraceMemory, plain_host
from .apps import Address
from .external import ExternalHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .apps import App
    from .faults import Fault
    from .hops import Hop


class Instance:
    """One version of a service, with what its sidecar knows."""

    def __init__(self, service: ServiceRef, version: str, app: App, labels: Mapping[str, str], given: Any = None) -> None:
        self.service = service
        self.version = version
        self.app = app
        self.given = app if given is None else given
        """The application as the user gave it."""
        self.given_labels = labels
        self.faults: tuple[Fault, ...] = ()
        """What it does instead of answering, or before it."""
        self.relay: tuple[str, int] | None = None
        """Where an engine that carries no requests itself finds it while it has faults."""
        self.labels = {"app": service.name, "version": version, **labels}
        self.up = False
        """Whether it counts as a healthy endpoint: once it has been started, until it is stopped."""
        self.memory = TraceMemory()
        self.serving: dict[str, Hop] = {}
        """The hops that it is serving now, by id."""
        self.address: tuple[str, int] | None = None
        """Where it listens, on engines with sockets."""

    def __str__(self) -> str:
        return f"{self.service.name} {self.version}"

    def selected_by(self, selector: Mapping[str, str]) -> bool:
        """Whether it carries these labels; a label that nobody gave it counts as its version."""
        return all(self.labels.get(key, self.version) == value for key, value in selector.items())


@dataclass(frozen=True, slots=True)
class Lanes:
    """Lanes declared by name and version, from which a lane group is made once the services are known."""

    versions: Mapping[str, str]
    baseline: str
    permissive: bool = True
    route_header: str = DEFAULT_HEADER
    trace_header: str = DEFAULT_HEADER
    entry: str | None = None

    def group(self, instances: Iterable[Instance]) -> LaneGroup:
        """The lane group over these instances.

        :raises RoutingError: the parts do not fit together.
        """
        members: dict[str, list[str]] = {lane: [] for lane in self.versions}
        for instance in instances:
            for lane, version in self.versions.items():
                if instance.version == version and str(instance.service) not in members[lane]:
                    members[lane].append(str(instance.service))
        group = LaneGroup.simple(
            baseline=self.baseline,
            lanes=members,
            trace_header=self.trace_header,
            route_header=self.route_header,
            permissive=self.permissive,
            entry=self.entry,
        )
        return replace(
            group, lanes=tuple(replace(lane, selector={"version": self.versions[lane.name]}) for lane in group.lanes)
        )


class Compiled:
    """One state of the mesh's routing, replaced as a whole when services or lanes change."""

    def __init__(self, group: LaneGroup, instances: Iterable[Instance], router: Mapping[str, Any]) -> None:
        self.group = group
        self.router = Router(group, **router)
        self.wire = Wire(resolve(headers_of(group), {}))
        self.hosts: dict[str, ServiceRef] = {}
        self.outside: dict[str, tuple[Instance, ...]] = {}
        """Instances of services outside the group, by host."""
        self._turn = count()
        everything = tuple(instances)
        names = [ref.name.lower() for ref in group.services]
        self._serve: dict[tuple[str, str], tuple[Instance, ...]] = {}
        for ref in group.services:
            label = ref.name if names.count(ref.name.lower()) == 1 else str(ref)
            mine = [instance for instance in everything if instance.service == ref]
            for lane in group.lanes:
                if lane.has(ref):
                    self._serve[label, lane.name] = tuple(one for one in mine if one.selected_by(lane.selector))
        for ref in dict.fromkeys((*group.services, *(instance.service for instance in everything))):
            hosts = (ref.name.lower(), *ref.hosts)
            self.hosts.update((host, ref) for host in hosts if host not in self.hosts)
            if ref not in group.services:
                others = tuple(one for one in everything if one.service == ref)
                self.outside.update((host, others) for host in hosts if self.hosts[host] == ref)

    def available(self, service: str, lane: str) -> bool:
        """Whether a service has a healthy endpoint in a lane."""
        return any(instance.up for instance in self._serve.get((service, lane), ()))

    def candidates(self, service: str, lane: str) -> tuple[Instance, ...]:
        """The instances of a service in a lane."""
        return self._serve.get((service, lane), ())

    def pick(self, candidates: Iterable[Instance], without: Iterable[Instance] = ()) -> Instance | None:
        """A healthy one of these, in turn; None where there is none."""
        usable = [instance for instance in candidates if instance.up and instance not in without]
        return usable[next(self._turn) % len(usable)] if len(usable) > 1 else usable[0] if usable else None

    def lane_of(self, instance: Instance) -> str | None:
        """The lane of an instance by its labels; the first of several."""
        return next((lane.name for lane in self.group.lanes if instance.selected_by(lane.selector)), None)


class Topology:
    """The services and lanes as declared; compiled when a request wants them.

    :param router: settings of the :class:`~lanebaggage.routing.Router` other than the group.
    :param network: hosts besides this machine that applications may reach.
    :raises SettingsError: one of these is no host.
    """

    def __init__(self, group: LaneGroup | Lanes | None, router: Mapping[str, Any], network: Iterable[str] = ()) -> None:
        self.instances: list[Instance] = []
        self._lanes: LaneGroup | Lanes | None = group
        self.settings = router
        """Of the router."""
        self._network = Policy(resolve({"allow": list(network)}, {}))
        self._compiled: Compiled | None = None
        self._lock = Lock()
        self.ready: Callable[[], None] = lambda: None
        """Starts what was declared and is not started yet; asked for before a request that the mesh did not make itself."""

    def add(self, instance: Instance) -> None:
        """Declare an instance, in the place of an earlier one of its service and version."""
        with self._lock:
            for other in self.instances:
                if (other.service, other.version) == (instance.service, instance.version):
                    raise MeshError(f"{instance} is declared twice; give each version of a service once")
            self.instances.append(instance)
            self._compiled = None

    def clear(self) -> list[Instance]:
        """Forget services and lanes.

        :return: the instances that were declared.
        """
        with self._lock:
            gone, self.instances = self.instances, []
            self._lanes = self._compiled = None
        for instance in gone:
            instance.up = False
            instance.memory = TraceMemory()
            instance.serving.clear()
        return gone

    def use(self, lanes: LaneGroup | Lanes) -> None:
        """Put a lane group, or lanes by name, in force; what the sidecars remembered is forgotten."""
        with self._lock:
            self._lanes = lanes
            self._compiled = None
            for instance in self.instances:
                instance.memory = TraceMemory()

    @property
    def declared(self) -> bool:
        """Whether lanes are declared."""
        return self._lanes is not None

    @property
    def lane_names(self) -> list[str]:
        """The lanes as they are declared, whether or not they fit the services."""
        lanes = self._lanes
        if lanes is None:
            return []
        return list(lanes.versions) if isinstance(lanes, Lanes) else [lane.name for lane in lanes.lanes]

    @property
    def members(self) -> tuple[ServiceRef, ...]:
        """The services of the lane group, whether or not they are declared; none where it does not fit them."""
        try:
            return self.current.group.services if self.declared else ()
        except MeshError:
            return ()

    @property
    def current(self) -> Compiled:
        """The state that requests are routed by.

        :raises MeshError: no lanes are declared, or they do not fit the services.
        """
        return self._compiled or self._compile()

    def knows(self, host: str) -> bool:
        """Whether a host, in lower case and without port, means a service of this mesh."""
        try:
            return host in self.current.hosts
        except MeshError:
            return False

    def is_external(self, host: str) -> bool:
        """Whether a host, as it is called, is outside the mesh: a partner's, or one that the mesh does not know."""
        try:
            ref = self.current.hosts.get(plain_host(host))
        except MeshError:
            return False
        return ref is None or isinstance(ref, ExternalHost)

    def reaches(self, host: str) -> bool:
        """Whether applications of this mesh may reach a host outside it."""
        return self._network.verdict(host) == EXPLICIT or any(
            isinstance(one.app, Address) and one.app.host == host for one in self.instances
        )

    def find(self, service: str, *, lane: str | None = None, version: str | None = None) -> list[Instance]:
        """The instances of a service, of one lane or version or all of them.

        :param service: its name; or the host of what is outside the mesh, which is in no lane.
        :raises MeshError: there is none.
        """
        mine = [
            one for one in self.instances if isinstance(one.service, ExternalHost) and one.service.name == plain_host(service)
        ]
        try:
            ref = None if mine else ServiceRef.parse(service)
        except RoutingError as error:
            raise MeshError(f"no instance of {service[:253]}, which is not declared: {error}") from error
        mine = mine or [instance for instance in self.instances if instance.service == ref]
        found = [instance for instance in mine if version in (None, instance.version)]
        if lane is not None:
            selector = self._lane(lane).selector
            found = [instance for instance in found if instance.selected_by(selector)]
        if not found:
            has = ", ".join(instance.version for instance in mine) or "not declared"
            wanted = f" {version}" if version is not None else ""
            wanted += f" in lane {lane}" if lane is not None else ""
            raise MeshError(f"no instance of {service}{wanted}; {service} is {has}")
        return found

    def _lane(self, name: str) -> Any:
        try:
            return self.current.group.lane(name)
        except RoutingError as error:
            raise MeshError(str(error)) from error

    def _compile(self) -> Compiled:
        with self._lock:
            if self._compiled is None:
                if self._lanes is None:
                    raise MeshError(
                        "the mesh has no lanes; declare them with mesh.lanes(baseline='s1', s1='v1', s2='v2') or "
                        "Mesh.from_yaml('lanes.yaml')"
                    )
                try:
                    group = self._lanes.group(self.instances) if isinstance(self._lanes, Lanes) else self._lanes
                    self._compiled = Compiled(group, self.instances, self.settings)
                except RoutingError as error:
                    raise MeshError(f"the lanes do not fit the services: {error}") from error
            return self._compiled


def headers_of(group: LaneGroup) -> dict[str, str]:
    """The two headers of a group, as :func:`lanebaggage.auto_instrument` takes them; none in strict mode."""
    names = {"route_header": group.route_header, "trace_header": group.trace_header}
    return {name: header for name, header in names.items() if header}
