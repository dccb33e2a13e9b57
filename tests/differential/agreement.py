"""One world on one engine beside the router: each request must come to the same version, with the same headers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from differential.wire import Client
from lanebaggage.mesh import Mesh
from lanebaggage.routing import Request, Router, TraceMemory
from lanebaggage.routing.envoy import CHOICE_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from differential.asking import Asked
    from differential.world import World

    Ports = dict[tuple[str, str], int]

UNKNOWN_HOST = 502
"""What a mesh answers where the router says 404: no such service, but no page of a service either."""
_OF_PROXIES = ("host", "x-forwarded-proto", "x-lanebaggage-hop")


class Reference:
    """The router, with the memory of each sidecar."""

    def __init__(self, world: World) -> None:
        self.down: set[tuple[str, str]] = set()
        self.hops: list[tuple[str | None, str | None, bool]] = []
        """Lane, version and fallback of each answer, as a mesh must report them."""
        self.use(world)

    def __repr__(self) -> str:
        return f"{self.world.group}\n  {self.world.settings}, down {self.down}"

    def use(self, world: World) -> None:
        """Other lanes; what was remembered is forgotten."""
        self.world = world
        self.router = Router(world.group, **world.settings)
        self._memories: dict[tuple[str, str], TraceMemory] = {}
        names = [service.name for service in world.group.services]
        self._labels = {one.name if names.count(one.name) == 1 else str(one): str(one) for one in world.group.services}

    def answer(self, asked: Asked) -> tuple[int, tuple[str, str] | None, dict[str, list[str]]]:
        """Status, service and version that serve it, and the headers that arrive there."""
        world = self.world

        def available(label: str, lane: str) -> bool:
            service = self._labels[label]
            return (service, world.version(lane)) not in self.down

        request = Request("GET", asked.path, asked.host, asked.headers)
        if asked.caller is None:
            decision = self.router.ingress(request, available=available, choice=asked.choice)
        else:
            source = next((lane.name for lane in world.group.lanes if lane.selector["version"] == asked.caller[1]), None)
            memory = self._memory(asked.caller)
            decision = self.router.route(asked.host, request, source=source, available=available, memory=memory)
        version = world.version(decision.target) if decision.target else None
        self.hops.append((decision.lane, version, decision.fallback))
        if not decision.ok:
            return decision.status, None, {}
        changed = {name.lower() for name in decision.set_headers}
        headers = [pair for pair in asked.headers if pair[0].lower() not in changed] + list(decision.set_headers.items())
        served = self._labels[decision.service], world.version(decision.target or "")
        self.router.arrived(Request("GET", asked.path, asked.host, headers), self._memory(served), 0.0)
        return 200, served, values(headers)

    def _memory(self, instance: tuple[str, str]) -> TraceMemory:
        return self._memories.setdefault(instance, TraceMemory())


class Running:
    """The same world on an engine."""

    def __init__(self, world: World, engine: str, ports: Ports) -> None:
        self.mesh = Mesh(world.group, engine=engine, router=world.settings)
        for service, version in ports:
            self.mesh.service(service, {version: f"http://127.0.0.1:{ports[service, version]}"})
        self._instances = {port: instance for instance, port in ports.items()}
        self.mesh.start()
        self._clients: dict[tuple[str, str] | None, Client] = {None: Client(str(self.mesh.gateway))}
        for one in self.mesh.topology.instances:
            if engine == "sockets":
                self.mesh.engine._reached(one)  # only commands get a sidecar of their own there by themselves
            self._clients[str(one.service), one.version] = Client(str(self.mesh.engine.address_for(one)))

    def use(self, world: World) -> None:
        """Other lanes."""
        self.mesh.use(world.group)

    def switch(self, instance: tuple[str, str], *, up: bool) -> None:
        """Stop an instance, or start it again."""
        (self.mesh.start if up else self.mesh.stop)(instance[0], version=instance[1])

    def answer(self, asked: Asked, total: int) -> tuple[int, tuple[str, str] | None, dict[str, list[str]]]:
        """As :meth:`Reference.answer`."""
        headers = [("host", asked.host), *asked.headers]
        if asked.caller is None and total:
            headers.append((CHOICE_HEADER, str(int(asked.choice * total))))
        if asked.caller is None and self.mesh.engine_name == "sockets":
            self.mesh.engine._traffic.choice = lambda: asked.choice
            headers = [pair for pair in headers if pair[0] != CHOICE_HEADER]
        status, body = self._clients[asked.caller].get(asked.path, headers)
        if status != 200:
            return 404 if status == UNKNOWN_HOST else status, None, {}
        port, arrived, _ = json.loads(body)
        return 200, self._instances[port], values(arrived)

    def hops(self, number: int) -> list[tuple[str | None, str | None, bool]]:
        """As :attr:`Reference.hops`, from what the mesh recorded; Envoy's last lines may be on their way."""
        found = []
        pause = threading.Event()
        for _ in range(200):
            if len(self.mesh.calls) >= number:
                break
            pause.wait(0.01)
        for call in self.mesh.calls:
            self.mesh.engine.settle(call)
            found += [(hop.lane, hop.version, hop.fallback) for hop in call.hops]
        return found

    def close(self) -> None:
        """End the mesh."""
        for client in self._clients.values():
            client.close()
        self.mesh.close()


def values(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Values by lower-case name, those aside that proxies set."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() not in _OF_PROXIES:
            found.setdefault(name.lower(), []).append(value.strip(" \t"))
    return found
