"""The sockets engine: services on real sockets of this machine, the embedded proxy between them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

from . import _intercept, _names
from ._process import Process, variables
from ._servers import ASGIServer, WSGIServer
from ._threads import LoopThread
from .apps import ASGI, WSGI, Address, Command
from .proxy import Listener, Proxy
from .topology import headers_of
from .traffic import GATEWAY, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .engine import Incoming, Outgoing, Progress
    from .hops import Call
    from .topology import Instance
    from .traffic import Traffic

_intercept.register("socket", _names.patch_socket)

_DRAIN_SECONDS = 1.0


class _Running(Protocol):
    def stop(self) -> None: ...


class Sockets:
    """Carries requests over real sockets through the embedded proxy.

    :param traffic: routes them.
    """

    def __init__(self, traffic: Traffic) -> None:
        self.topology = traffic.topology
        self._traffic = traffic
        self._running: dict[Instance, _Running] = {}
        self._sidecars: dict[Instance, tuple[str, int]] = {}
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
        waiting = list(instances)
        failures: list[BaseException] = []

        def start(instance: Instance) -> None:
            try:
                self._start(instance)
                progress(instance)
            except Exception as error:
                failures.append(error)

        with ThreadPoolExecutor(max(len(waiting), 1), "lanebaggage-mesh-start") as pool:
            for instance in waiting:
                pool.submit(Context().run, start, instance)
        if failures:
            raise failures[0]

    def _start(self, instance: Instance) -> None:
        app = instance.app
        if isinstance(app, Address):
            instance.address = (app.host, app.port)
        elif isinstance(app, WSGI):
            self._running[instance] = WSGIServer(instance, self._traffic.recorder)
        elif isinstance(app, ASGI):
            self._running[instance] = ASGIServer(instance, self._traffic.recorder)
        elif isinstance(app, Command):
            process = self._process(instance)
            self._running[instance] = process
            process.wait()

    def _process(self, instance: Instance) -> Process:
        """Start a command with a sidecar of its own: one listener as its proxy, and one for each other service."""
        origin = Origin(instance)
        if instance not in self._sidecars:
            self._sidecars[instance] = self._listen(Listener(lambda _peer: origin))
        names = dict.fromkeys(one.service for one in self.topology.instances if one.service != instance.service)
        addresses = {ref.name: self._listen(Listener(lambda _peer: origin, ref.host)) for ref in names}
        env = variables(self._sidecars[instance], addresses, headers_of(self.topology.current.group))
        return Process(instance, env, {name: f"{host}:{port}" for name, (host, port) in addresses.items()})

    def set_available(self, instance: Instance, available: bool) -> None:
        """Stop an instance once it has served what it is serving, or start it where it was."""
        if available:
            if instance not in self._running:
                self._start(instance)
            instance.up = True
            return
        instance.up = False
        self._drain(instance)
        running = self._running.pop(instance, None)
        if running is not None:
            running.stop()

    def _drain(self, instance: Instance) -> None:
        pause = threading.Event()
        for _ in range(int(_DRAIN_SECONDS / 0.005)):
            if not instance.serving:
                return
            pause.wait(0.005)

    def changed(self) -> None:
        """The proxy asks for the state at each request."""

    def settle(self, call: Call) -> None:
        """Hops are recorded as they happen."""

    def close(self) -> None:
        """Stop every server and process, then the proxy."""
        _intercept.remove(self)
        with ThreadPoolExecutor(max(len(self._running), 1), "lanebaggage-mesh-stop") as pool:
            for running in self._running.values():
                pool.submit(Context().run, running.stop)
        self._running.clear()
        if not self._thread.loop.is_closed():
            try:
                self._thread.call(self._proxy.close(), 5)
            finally:
                self._thread.close()

    # --- carrying

    def exchange(self, request: Outgoing) -> Incoming:
        """Send a request from outside and read its response."""
        return self._thread.call(self._exchange(request))

    async def _exchange(self, request: Outgoing) -> Incoming:
        to = self._gateway if request.host is None else self.sidecar
        try:
            return await asyncio.wait_for(self._proxy.send(request, to), request.timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"nothing came back within {request.timeout:g} s") from None


def _url(address: tuple[str, int]) -> str:
    return f"http://{address[0]}:{address[1]}"
