"""The sockets engine: services on real sockets of this machine, the embedded proxy between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _intercept, _names
from ._running import Running
from ._threads import LoopThread
from .proxy import Listener, Proxy
from .traffic import GATEWAY, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..routing import ServiceRef
    from .engine import Incoming, Outgoing, Progress
    from .hops import Call
    from .topology import Instance
    from .traffic import Traffic

_intercept.register("socket", _names.patch_socket)


class Sockets:
    """Carries requests over real sockets through the embedded proxy.

    :param traffic: routes them.
    """

    alive = True

    def __init__(self, traffic: Traffic) -> None:
        self.topology = traffic.topology
        self._traffic = traffic
        self._running = Running(self.topology, traffic.recorder, self._reached)
        self._sidecars: dict[Instance, tuple[str, int]] = {}
        self._relays: dict[Instance, dict[ServiceRef, tuple[str, int]]] = {}
        self._thread = LoopThread("lanebaggage-mesh proxy")
        self._proxy = self._thread.call(self._start_proxy())
        self._gateway = self._listen(Listener(lambda _peer: GATEWAY))
        self.sidecar: tuple[str, int] = self._listen(Listener(_names.caller))
        """Of applications of this process, and of clients outside the mesh."""
        _intercept.add(self)

    async def _start_proxy(self) -> Proxy:
        return Proxy(self._traffic)

    def _listen(self, listener: Listener) -> tuple[str, int]:
        return self._thread.call(self._proxy.listen(listener))

    @property
    def gateway(self) -> str:
        """The gateway's ``http://host:port``."""
        return _url(self._gateway)

    def address_for(self, instance: Instance | None) -> str:
        """The ``http://host:port`` where an instance's outgoing requests go; those of clients for None."""
        return _url(self._sidecars.get(instance, self.sidecar) if instance is not None else self.sidecar)

    # --- running

    def start(self, instances: Iterable[Instance], progress: Progress) -> None:
        """Start instances, all at once, and wait until they listen."""
        self._running.start(instances, progress)

    def _reached(self, instance: Instance) -> tuple[tuple[str, int], dict[ServiceRef, tuple[str, int]]]:
        """A sidecar of an instance's own: one listener as its proxy, and one for each other service."""
        origin = Origin(instance)
        if instance not in self._sidecars:
            self._sidecars[instance] = self._listen(Listener(lambda _peer: origin))
        names = dict.fromkeys(one.service for one in self.topology.instances if one.service != instance.service)
        relays = self._relays.setdefault(instance, {})
        relays.update({ref: self._listen(Listener(lambda _peer: origin, ref.host)) for ref in names if ref not in relays})
        return self._sidecars[instance], {ref: relays[ref] for ref in names}

    def set_available(self, instance: Instance, available: bool) -> None:
        """Stop an instance once it has served what it is serving, or start it where it was."""
        if available:
            self._running.start_again(instance)
        self._thread.call(self._set_up(instance, available))
        if not available:
            self._running.stop(instance)

    async def _set_up(self, instance: Instance, up: bool) -> None:
        """In the proxy's own thread: whatever was routed before is known to be served now."""
        instance.up = up

    def faulted(self, instances: Iterable[Instance]) -> None:
        """The proxy looks at them as each request is carried."""

    def end(self, instance: Instance) -> None:
        """Stop what runs of it, and close its listeners."""
        self._running.stop(instance)
        addresses = [*self._relays.pop(instance, {}).values()]
        if instance in self._sidecars:
            addresses.append(self._sidecars.pop(instance))
        self._thread.call(self._proxy.close_listeners(addresses))

    def ended(self) -> list[tuple[Instance, int]]:
        """The commands that have ended by themselves, with their status."""
        return self._running.ended()

    def printed(self) -> list[tuple[Instance, str]]:
        """The lines that commands have printed since this was asked last."""
        return self._running.printed()

    def changed(self) -> None:
        """The proxy asks for the state at each request."""

    def settle(self, call: Call) -> None:
        """Hops are recorded as they happen."""

    def close(self) -> None:
        """Stop every server and process, then the proxy."""
        _intercept.remove(self)
        self._running.close()
        if not self._thread.loop.is_closed():
            try:
                self._thread.call(self._proxy.close(), 5)
            finally:
                self._thread.close()

    # --- carrying

    def exchange(self, request: Outgoing) -> Incoming:
        """Send a request from outside and read its response."""
        return self._thread.call(self._proxy.send(request, self._gateway if request.host is None else self.sidecar))


def _url(address: tuple[str, int]) -> str:
    return f"http://{address[0]}:{address[1]}"
