"""Decides with routes as Istio does: host, then first match, then weight; the same questions as the lane router's.

Upstream Istio knows neither lanes nor fallback. What is called a lane here is a subset's name in the route header.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .decision import NOT_FOUND, OK, UNAVAILABLE, Decision
from .model import Lane, LaneGroup
from .routes import MESH, NO_CHANGES, Destination
from .services import ServiceRef, plain_host
from .workloads import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .memory import TraceMemory
    from .plans import Available
    from .request import Request
    from .routes import Route, RouteMatch, Subsets, VirtualHost


class RouteTable:
    """Answers as :class:`~lanebaggage.routing.Router` does, from Istio's or Gateway API's routes.

    :param hosts: in the order of their creation; what several say of one host at a gateway is put together.
    :param subsets: of the services.
    :param route_header: the header whose value is the lane's name; found out from the routes where empty.
    :param repeated: how matches see a repeated header: ``joined`` by commas (Envoy up to 1.38), or ``each`` by itself.
    """

    def __init__(
        self,
        hosts: Iterable[VirtualHost],
        subsets: Iterable[Subsets] = (),
        *,
        route_header: str = "",
        repeated: Literal["joined", "each"] = "joined",
    ) -> None:
        self.hosts = tuple(hosts)
        self.subsets: dict[ServiceRef, Mapping[str, Mapping[str, str]]] = {}
        for each in subsets:
            self.subsets.setdefault(each.service, each.labels)
        self.lanes = _common_labels(self.subsets.values())
        self._each = repeated == "each"
        self._mesh = [each for each in self.hosts if MESH in each.gateways]
        self._services = self._known()
        self.route_header = route_header.lower() or self._lane_header()

    # --- deciding

    def route(
        self,
        service: str,
        request: Request,
        *,
        source: str | None = None,
        available: Available | None = None,
        memory: TraceMemory | None = None,
        now: float = 0.0,
        source_labels: Mapping[str, str] | None = None,
        choice: float | None = None,
    ) -> Decision:
        """Decide one outbound hop. ``memory`` and ``now`` are ignored: upstream sidecars remember nothing.

        :param source: name of the caller's subset, whose labels count where ``source_labels`` is not given.
        :param source_labels: labels of the calling workload.
        :param choice: a random number from 0 up to 1, which picks among weights; None counts as 0.
        """
        del memory, now
        called = self._service(service)
        if called is None:
            return Decision("", status=NOT_FOUND, reason="no route and no DestinationRule names this host")
        labels = source_labels or self.lanes.get(source or "", {})
        host = next((each for each in self._mesh if called in self.meant(each)), None)
        if host is None:
            return self._deliver(request, None, Destination(called), available, f"no route for {called.name}")
        for route in _reachable(host):
            if any(self._hop_matches(match, request, labels) for match in route.matches) or not route.matches:
                return self._take(route, request, available, choice or 0.0, called)
        return Decision(self._label(called), status=NOT_FOUND, reason=f"no route of {host.name} matches")

    def ingress(
        self,
        request: Request,
        *,
        available: Available | None = None,
        choice: float | None = None,
        gateway: str = "",
    ) -> Decision:
        """Decide where a request from outside goes.

        :param gateway: ``namespace/name``; any gateway where empty.
        :param choice: as for :meth:`route`.
        """
        for route in self._at_gateway(gateway, request.host):
            if any(self._ingress_matches(match, request, gateway) for match in route.matches) or not route.matches:
                return self._take(route, request, available, choice or 0.0, None)
        return Decision("", status=NOT_FOUND, reason="no route of the gateway matches")

    def arrived(self, request: Request, memory: TraceMemory, now: float) -> None:
        """Do nothing: upstream sidecars remember nothing."""

    # --- the group that these routes stand for

    def group(self, name: str = "istio") -> LaneGroup:
        """Services, subsets as lanes, and the baseline: the subset that most routes without condition send to."""
        defaults = Counter(
            route.destinations[0].subset
            for host in self._mesh
            for route in host.routes[-1:]
            if route.destinations and route.destinations[0].subset in self.lanes
        )
        lanes = [
            Lane(lane, labels, tuple(service for service, each in self.subsets.items() if lane in each))
            for lane, labels in self.lanes.items()
        ]
        return LaneGroup(
            name=name,
            services=tuple(dict.fromkeys(self._services.values())),
            lanes=tuple(lanes),
            permissive=True,
            baseline=next(iter(defaults), ""),
            route_header=self.route_header,
        )

    # --- parts

    def _known(self) -> dict[str, ServiceRef]:
        found = dict.fromkeys([*self.subsets, *(service for host in self._mesh for service in self.meant(host))])
        found.update(dict.fromkeys(each.service for host in self.hosts for route in host.routes for each in route.destinations))
        names = Counter(service.name for service in found)
        texts = {text: service for service in found for text in (str(service), *service.hosts)}
        return texts | {service.name: service for service in found if names[service.name] == 1}

    def _lane_header(self) -> str:
        """The header that is compared with, or set to, names of subsets most often."""
        seen: Counter[str] = Counter()
        for route in (route for host in self.hosts for route in host.routes):
            for match in route.matches:
                seen.update(name for name, condition in match.headers if condition.value in self.lanes)
            for changes in (route.changes, *(each.changes for each in route.destinations)):
                seen.update(name for name, value in changes.set if value in self.lanes)
        return seen.most_common(1)[0][0] if seen else ""

    def _service(self, text: str) -> ServiceRef | None:
        return self._services.get(text) or self._services.get(plain_host(text))

    def _label(self, service: ServiceRef) -> str:
        return service.name if self._services.get(service.name) == service else str(service)

    @staticmethod
    def meant(host: VirtualHost) -> Iterator[ServiceRef]:
        """The services of the mesh that a host's names mean; none for names from outside and patterns."""
        for text in host.hosts:
            if "*" not in text and (plain_host(text).count(".") < 2 or ".svc" in text):
                yield ServiceRef.parse(text, host.namespace)

    def _at_gateway(self, gateway: str, host: str) -> Iterator[Route]:
        at_gateway = [each for each in self.hosts if _applies(each.gateways, gateway)]
        best = max((_specificity(pattern, host) for each in at_gateway for pattern in each.hosts), default=-1)
        chosen = [each for each in at_gateway if best >= 0 and any(_specificity(text, host) == best for text in each.hosts)]
        routes = [route for each in chosen for route in _reachable(each)]
        yield from sorted(routes, key=lambda route: route.is_catch_all)

    def _hop_matches(self, match: RouteMatch, request: Request, labels: Mapping[str, str]) -> bool:
        if match.gateways and MESH not in match.gateways:
            return False
        return selects(match.source_labels, labels) and match.matches(request, each=self._each)

    def _ingress_matches(self, match: RouteMatch, request: Request, gateway: str) -> bool:
        if match.source_labels or match.source_namespace or (match.gateways and not _applies(match.gateways, gateway)):
            return False
        return match.matches(request, each=self._each)

    def _take(
        self, route: Route, request: Request, available: Available | None, choice: float, called: ServiceRef | None
    ) -> Decision:
        why = f"route {route.name}" if route.name else "a route"
        rule = route.name or None
        label = self._label(called) if called is not None else ""
        if route.status is not None:
            return Decision(label, status=route.status, reason=f"{why} answers {route.status}", rule=rule)
        picked = _picked(route.destinations, choice)
        if picked is None:
            return Decision(label, status=UNAVAILABLE, reason=f"{why} has no destination with a weight", rule=rule)
        return self._deliver(request, route, picked, available, why)

    def _deliver(
        self, request: Request, route: Route | None, destination: Destination, available: Available | None, why: str
    ) -> Decision:
        changes = (destination.changes, route.changes if route is not None else NO_CHANGES)
        headers = {name: value for each in changes for name, value in each.set}
        value = headers.get(self.route_header) if self.route_header in headers else request.value(self.route_header)
        lane = value if value in self.lanes else None
        service = self._label(destination.service)
        reason = why
        for each in (destination, *destination.fallback):
            target = each.subset or None
            label = self._label(each.service)
            if each.subset and each.subset not in self.subsets.get(each.service, {}):
                reason += f": {label} has no subset {each.subset}"
            elif self._healthy(each.service, each.subset, available):
                fell_back = each is not destination
                reason += f", fell back to {each.subset or label}" if fell_back else ""
                status = OK
                service = label
                break
            else:
                reason += f": {label} has no healthy endpoint{f' in {each.subset}' if each.subset else ''}"
        else:
            target, status = None, UNAVAILABLE
        return Decision(
            service,
            lane,
            target,
            status == OK and lane is not None and target != lane,
            status,
            reason,
            (route.name or None) if route is not None else None,
            MappingProxyType(headers),
            MappingProxyType({name: value for each in changes for name, value in each.add}),
            tuple(name for each in changes for name in each.remove),
        )

    def _healthy(self, service: ServiceRef, subset: str, available: Available | None) -> bool:
        if available is None:
            return True
        label = self._label(service)
        known = self.subsets.get(service, {})
        return available(label, subset) if subset or not known else any(available(label, each) for each in known)


def _common_labels(subsets: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """Subsets by name, with the labels that all services of that subset share."""
    found: dict[str, dict[str, str]] = {}
    for each in subsets:
        for name, labels in each.items():
            before = found.get(name, labels)
            found[name] = {label: value for label, value in labels.items() if before.get(label) == value}
    return found


def _picked(destinations: Sequence[Destination], choice: float) -> Destination | None:
    if len(destinations) == 1:
        return destinations[0]
    point = choice * sum(each.weight for each in destinations)
    for each in destinations:
        if point < each.weight:
            return each
        point -= each.weight
    return None


def _reachable(host: VirtualHost) -> Iterator[Route]:
    """Routes up to the first that takes everything: Istio drops what comes after it."""
    for route in host.routes:
        yield route
        if route.is_catch_all:
            return


def _applies(gateways: Sequence[str], gateway: str) -> bool:
    return gateway in gateways if gateway else any(each != MESH for each in gateways)


def _specificity(pattern: str, host: str) -> int:
    """How closely a host pattern fits (Envoy's order of domains): exact, longest suffix, ``*``; -1 if not at all."""
    pattern, host = plain_host(pattern), plain_host(host)
    if pattern == host:
        return 1000
    if pattern == "*":
        return 0
    return len(pattern) if pattern.startswith("*") and host.endswith(pattern[1:]) else -1
