"""The Envoy engine: the same services and lanes, carried by a real Envoy, which decides by itself and reports its hops."""

from __future__ import annotations

import http.client
from contextlib import suppress
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .._context import carried
from .._errors import MeshError
from ..routing.envoy import CHOICE_HEADER, GATEWAY, Options
from . import _intercept, _names
from ._running import Running
from ._serving import origin
from ._threads import LoopThread
from .envoy_faults import Holding
from .envoy_files import Files
from .envoy_hops import BARRIER, HopReader
from .envoy_layout import UNKNOWN, Known, Layout
from .envoy_pool import lease, release
from .hops import HOP_HEADER, Call, Hop
from .proxy import Proxy
from .traffic import BAD_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..routing import LaneGroup, ServiceRef
    from .engine import Incoming, Outgoing, Progress
    from .topology import Instance
    from .traffic import Traffic

_intercept.register("socket", _names.patch_socket)

_SETTLED_WITHIN: Final = 1.0
"""Seconds that a call's hops are waited for once its response is there; a millisecond is usual."""


class EnvoyMesh:
    """Carries requests through an Envoy that it has for itself as long as the mesh is open.

    :param traffic: puts hops into words; the routing is Envoy's.
    :raises MeshError: there is no Envoy, or it does not start.
    """

    options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, traffic: Traffic) -> None:
        self.topology = traffic.topology
        self._traffic = traffic
        self._hops = HopReader(traffic)
        self._running = Running(self.topology, self._hops, self._reached)
        self._ports: dict[str, tuple[str, int]] = {}
        self._known = Known()
        self._layout: Layout | None = None
        self._group: LaneGroup | None = None
        self._generation = 0
        self._envoy = lease(each=self.topology.settings.get("repeated") == "each")
        self._envoy.on_line, self._envoy.on_end = self._hops.line, self._hops.end
        self._files = Files(self._envoy)
        self._thread = LoopThread("lanebaggage-mesh client")
        self._client = self._thread.call(self._start_client())
        self._tokens = count(1)
        self._lock = RLock()
        self._holding = Holding(self._thread, self._hops)
        self._known.held = self._holding.addresses
        self._closed = False
        _intercept.add(self)

    async def _start_client(self) -> Proxy:
        return Proxy(self._traffic)

    # --- addresses

    @property
    def alive(self) -> bool:
        """Whether Envoy runs."""
        return self._envoy.alive

    @property
    def gateway(self) -> str | None:
        """The gateway's ``http://host:port``; None before there are lanes."""
        return self._url(GATEWAY)

    def address_for(self, instance: Instance | None) -> str | None:
        """The ``http://host:port`` where an instance's outgoing requests go; those of clients for None."""
        return self._url("client" if instance is None else self._known.names.get(instance, ""))

    def _url(self, listener: str) -> str | None:
        if not self.topology.declared:
            return None
        self._current()
        found = self._ports.get(listener)
        return None if found is None else f"http://{found[0]}:{found[1]}"

    @property
    def sidecar(self) -> tuple[str, int]:
        """The sidecar of the application of this process that is about to connect, or that of clients.

        Each connection carries one request, so that the one who connects is the one who asks.
        """
        here = origin()
        if here.outside:
            return self._ports["client"]
        instance = here.instance or self._instance_of_request()
        return self._ports[UNKNOWN if instance is None else self._known.names[instance]]

    def _instance_of_request(self) -> Instance | None:
        """The instance that calls from a thread of its own: by the hop header that it forwards, or as the only one serving."""
        current = carried()
        mark = next((value for name, value in current.headers if name == HOP_HEADER), None) if current is not None else None
        hop = self._hops.find(mark) or self._traffic.recorder.only(None)
        return hop.instance if isinstance(hop, Hop) else None

    # --- running

    def start(self, instances: Iterable[Instance], progress: Progress) -> None:
        """Give each instance its sidecar, start them all at once, and wait until they listen."""
        if self.topology.declared:
            self._apply()
        self._running.start(instances, progress)  # not under the lock: what is being started may call what runs
        if self.topology.declared:
            self._apply()

    def _reached(self, instance: Instance) -> tuple[tuple[str, int], Mapping[ServiceRef, tuple[str, int]]]:
        assert self._layout is not None
        return self._ports[self._known.names[instance]], self._layout.addresses_of(instance)

    def set_available(self, instance: Instance, available: bool) -> None:
        """Take an instance out of its service's endpoints and stop it, or start it where it was and put it in again."""
        if available:
            self._running.start_again(instance)
        with self._lock:
            instance.up = available
            if self._layout is not None:
                self._layout.apply_endpoints(self._files)
                if not available:
                    self._read_all()
        if not available:
            self._hops.placed(_SETTLED_WITHIN)
            self._running.stop(instance)

    def faulted(self, instances: Iterable[Instance]) -> None:
        """Have instances with faults reached through what does them."""
        self._holding.update(instances)
        self.changed()

    def end(self, instance: Instance) -> None:
        """Stop what runs of it; its listeners go when Envoy is next given something."""
        self._running.stop(instance)
        self._known.remove(instance)

    def ended(self) -> list[tuple[Instance, int]]:
        """The commands that have ended by themselves, with their status."""
        return self._running.ended()

    def printed(self) -> list[tuple[Instance, str]]:
        """The lines that commands have printed since this was asked last."""
        return self._running.printed()

    def changed(self) -> None:
        """Have Envoy take the services and lanes as they are now; the next request says what is wrong with them."""
        if self._layout is not None:
            with suppress(MeshError):
                self._apply()

    def _current(self) -> Layout:
        """The mesh as it is, in force."""
        with self._lock:
            if self._layout is None or self._layout.state is not self.topology.current:
                return self._apply()
            return self._layout

    def _apply(self) -> Layout:
        """Have Envoy take the mesh; again where ports had to be known first."""
        with self._lock:
            state = self.topology.current
            if state.group is not self._group:
                self._group = state.group
                self._generation += 1
            settings = {**self.topology.settings, **self.options}
            options = Options(timeout=0, unknown_host=BAD_GATEWAY, observed=True, generation=self._generation, **settings)
            self._read_all()
            self._known.add(self.topology.instances)
            while True:
                before = self._ports
                layout = Layout(state, self.topology.instances, self._known, options, before, str(self._envoy.directory))
                self._hops.origins = layout.origins
                self._hops.instances = {name: one for one, name in self._known.names.items()}
                self._hops.state = self._hops.state or state
                layout.apply(self._files)
                self._ports = {name: (address, port) for name, address, port in self._envoy.listeners()}
                if self._ports == before:
                    self._layout, self._hops.state = layout, state
                    return layout

    def _read_all(self) -> None:
        """Have the lines read that Envoy has written so far: they tell of requests that the lanes before this applied to."""
        if self._layout is None:
            return
        token = f"barrier-{next(self._tokens)}"
        host, port = self._ports[UNKNOWN]
        connection = http.client.HTTPConnection(host, port, timeout=_SETTLED_WITHIN)
        try:
            connection.request("GET", "/", headers={"Host": BARRIER, HOP_HEADER: token})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):  # the request that follows says that Envoy has ended
            return
        finally:
            connection.close()
        self._hops.read_up_to(token, _SETTLED_WITHIN)

    def close(self) -> None:
        """Stop every server and process, and leave the Envoy to the next mesh."""
        if self._closed:
            return
        self._closed = True
        _intercept.remove(self)
        self._running.close()
        try:
            self._holding.close()
            self._thread.call(self._client.close(), 5)
        finally:
            self._thread.close()
            release(self._envoy, self._files)

    # --- carrying

    def exchange(self, request: Outgoing) -> Incoming:
        """Send a request from outside and read its response."""
        layout = self._current()
        if request.host is None:
            to = self._ports[GATEWAY]
            total = layout.configuration.total_weight
            if total:
                request.headers.append((CHOICE_HEADER, str(int(self._traffic.choice() * total))))
        else:
            to = self._ports[layout.clients.get(self._lane_of_caller(request), "client")]
        try:
            return self._thread.call(self._client.send(request, to))
        except ConnectionError as error:
            if self.alive:
                raise
            raise MeshError(f"Envoy has ended ({self._envoy.said()}); the next mesh starts another") from error

    def _lane_of_caller(self, request: Outgoing) -> str:
        """The lane that a call from outside is made from, in strict mode."""
        mark = next((value for name, value in request.headers if name.lower() == HOP_HEADER), None)
        call = self._traffic.recorder.find(mark)
        return (call.lane if isinstance(call, Call) else None) or ""

    def settle(self, call: Call) -> None:
        """Wait for the lines of a call's hops."""
        self._hops.settle(call, _SETTLED_WITHIN)


class EnvoyHealthMesh(EnvoyMesh):
    """Envoy finds out by itself what is down: by health checks, outlier detection and retries."""

    options: ClassVar[Mapping[str, Any]] = {"health": True}


class EnvoyIstioMesh(EnvoyMesh):
    """Envoy is configured as upstream Istio does it."""

    options: ClassVar[Mapping[str, Any]] = {"flavour": "istio"}
