"""Decides with routes as Istio does: host, then first match, then weight; the same questions as the lane router's.

Upstream Istio knows neither lanes nor fallback. What is called a lane here is a subset's name in the route header.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .decision import NOT_FOUND, OK, UNAVAILABLE, Decision
from .regroup import group_of
from .routes import MESH, NO_CHANGES, Destination
from .selection import RouteList, applies, common_labels, picked, reachable, specificity
from .services import ServiceRef, is_outside, plain_host
from .workloads import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .memory import TraceMemory
    from .model import LaneGroup
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
        for each in subsets:  # Istio puts the rules of one host together; of a subset's name the first counts
            known = self.subsets.get(each.service, {})
            self.subsets[each.service] = {**known, **each.labels, **known}
        self.lanes = common_labels(self.subsets.values())
        self._each = repeated == "each"
        self._mesh = [each for each in self.hosts if MESH in each.gateways]
        self._services = self._known()
        self._in_mesh = self._sidecar_routes()
        names = {name for each in self.hosts for name in each.gateways if name != MESH}
        self._at_gateways = {name: self._gateway_routes(name) for name in ("", *names)}
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
        called = self.service(service)
        if called is None:
            return Decision("", status=NOT_FOUND, reason="no route and no DestinationRule names this host")
        labels = source_labels or self.lanes.get(source or "", {})
        routes = self._in_mesh.get(called)
        if routes is None:
            return self._deliver(request, None, Destination(called), available, f"no route for {called.name}")
        for route in routes.candidates(request, each=self._each):
            if self.wants(route, request, labels):
                return self._take(route, request, available, choice or 0.0, called)
        return Decision(self._label(called), status=NOT_FOUND, reason="no route of the service matches")

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
        routes = self._entered(request, gateway)
        for route in routes.candidates(request, each=self._each) if routes is not None else ():
            if self.wants(route, request, None, gateway):
                return self._take(route, request, available, choice or 0.0, None)
        return Decision("", status=NOT_FOUND, reason="no route of the gateway matches")

    def arrived(self, request: Request, memory: TraceMemory, now: float) -> None:
        """Do nothing: upstream sidecars remember nothing."""

    def group(self, name: str = "lanes") -> LaneGroup:
        """The lane group that these routes stand for: subsets as lanes, and the baseline they default to.

        :raises RoutingError: no subset is in the routes.
        """
        return group_of(self, [], name)

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

    def service(self, text: str) -> ServiceRef | None:
        """The service that a name or a host means, or None."""
        return self._services.get(text) or self._services.get(plain_host(text))

    def _label(self, service: ServiceRef) -> str:
        return service.name if self._services.get(service.name) == service else str(service)

    @staticmethod
    def meant(host: VirtualHost) -> Iterator[ServiceRef]:
        """The services of the mesh that a host's names mean; none for names from outside and patterns."""
        for text in host.hosts:
            if "*" not in text and not is_outside(text):
                yield ServiceRef.parse(text, host.namespace)

    def routes_for(self, called: ServiceRef | None, request: Request, gateway: str = "") -> tuple[Route, ...]:
        """The routes that a request is compared with, in order.

        :param called: the service; None for a request from outside.
        """
        found = self._entered(request, gateway) if called is None else self._in_mesh.get(called)
        return () if found is None else found.routes

    def _sidecar_routes(self) -> dict[ServiceRef, RouteList]:
        """Of each service the routes of the first VirtualService that names it, or else of the closest pattern."""
        found: dict[ServiceRef, RouteList] = {}
        for host in self._mesh:
            routes = RouteList(reachable(host))
            for service in self.meant(host):
                found.setdefault(service, routes)
        for service in set(self._services.values()) - found.keys():
            patterns = ((specificity(text, service.host), host) for host in self._mesh for text in host.hosts)
            best, closest = max(patterns, key=lambda each: each[0], default=(-1, None))
            if closest is not None and best >= 0:
                found[service] = RouteList(reachable(closest))
        return found

    def _gateway_routes(self, gateway: str) -> dict[str, RouteList]:
        """Routes by host; those without condition come last where several VirtualServices have the host."""
        found: dict[str, list[Route]] = {}
        for each in self.hosts:
            if applies(each.gateways, gateway):
                for text in dict.fromkeys(map(plain_host, each.hosts)):
                    found.setdefault(text, []).extend(reachable(each))
        return {text: RouteList(sorted(routes, key=lambda route: route.is_catch_all)) for text, routes in found.items()}

    def _entered(self, request: Request, gateway: str) -> RouteList | None:
        """The routes of a gateway for the host that fits best."""
        by_host = self._at_gateways.get(gateway, {})
        exact = by_host.get(plain_host(request.host))
        if exact is not None:
            return exact
        fitting = ((specificity(text, request.host), text) for text in by_host if "*" in text)
        best, text = max(fitting, default=(-1, ""))
        return by_host[text] if best >= 0 else None

    def wants(self, route: Route, request: Request, labels: Mapping[str, str] | None, gateway: str = "") -> bool:
        """Whether a route is for a request.

        :param labels: of the calling workload; None at a gateway.
        """
        return not route.matches or any(self._matches(match, request, labels, gateway) for match in route.matches)

    def _matches(self, match: RouteMatch, request: Request, labels: Mapping[str, str] | None, gateway: str) -> bool:
        if labels is None:
            if match.source_labels or (match.gateways and not applies(match.gateways, gateway)):
                return False
        elif (match.gateways and MESH not in match.gateways) or not selects(match.source_labels, labels):
            return False
        return match.matches(request, each=self._each)

    def _take(
        self, route: Route, request: Request, available: Available | None, choice: float, called: ServiceRef | None
    ) -> Decision:
        why = f"route {route.name}"
        rule = route.name
        label = self._label(called) if called is not None else ""
        if route.status is not None:
            return Decision(label, status=route.status, reason=f"{why} answers {route.status}", rule=rule)
        destination = picked(route.destinations, choice)
        if destination is None:
            lacking = "with a weight" if route.destinations else "in the cluster"
            return Decision(label, status=UNAVAILABLE, reason=f"{why} has no destination {lacking}", rule=rule)
        return self._deliver(request, route, destination, available, why)

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
            route.name if route is not None else None,
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
