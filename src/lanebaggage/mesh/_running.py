"""Instances as something that runs on a real socket: servers in this process, processes, or an address elsewhere."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import TYPE_CHECKING, Final, Protocol

from .._errors import MeshError
from ._process import Process, variables
from ._servers import ASGIServer, WSGIServer
from .apps import ASGI, WSGI, Address, Command
from .topology import headers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..routing import ServiceRef
    from ._servers import Hops
    from .engine import Progress
    from .topology import Instance, Topology

    Reached = Callable[[Instance], tuple[tuple[str, int], Mapping[ServiceRef, tuple[str, int]]]]

_DRAIN_SECONDS: Final = 5.0
_DRAIN_POLL: Final = 0.005


class _Server(Protocol):
    @property
    def running(self) -> bool: ...

    def stop(self) -> None: ...


class Running:
    """What runs of one mesh.

    :param topology: of the mesh.
    :param hops: finds the hop that an application of this process is about to serve.
    :param reached: gives the address of an instance's sidecar, and the one for each other service.
    """

    def __init__(self, topology: Topology, hops: Hops, reached: Reached) -> None:
        self._topology = topology
        self._hops = hops
        self._reached = reached
        self._servers: dict[Instance, _Server] = {}
        self._starting: ThreadPoolExecutor | None = None
        self._given_up = threading.Event()
        self._closed = False

    def start(self, instances: Iterable[Instance], progress: Progress) -> None:
        """Start instances, all at once, and wait until they listen; when one fails, the others are not waited for."""
        waiting = list(instances)
        failures: list[BaseException] = []
        given_up = self._given_up = threading.Event()

        def start(instance: Instance) -> None:
            try:
                self._start(instance, given_up)
                progress(instance)
            except Exception as error:
                failures.append(error)
                given_up.set()

        self._starting = ThreadPoolExecutor(max(len(waiting), 1), "lanebaggage-mesh-start")
        try:
            for instance in waiting:
                self._starting.submit(Context().run, start, instance)
            self._starting.shutdown()
        except BaseException:  # somebody does not want to wait
            given_up.set()
            self._starting.shutdown(cancel_futures=True)
            raise
        if failures:
            raise failures[0]

    def start_again(self, instance: Instance) -> None:
        """Start an instance where it was, unless it runs."""
        server = self._servers.get(instance)
        if server is not None and server.running:
            return
        if server is not None:
            server.stop()
        self._start(instance, threading.Event())

    def stop(self, instance: Instance) -> None:
        """Stop an instance once it has served what it is serving; five seconds of that at most."""
        pause = threading.Event()
        for _ in range(int(_DRAIN_SECONDS / _DRAIN_POLL)):
            if not instance.serving:
                break
            pause.wait(_DRAIN_POLL)
        running = self._servers.pop(instance, None)
        if running is not None:
            running.stop()

    def ended(self) -> list[tuple[Instance, int]]:
        """The commands that have ended by themselves, with their status."""
        processes = [(instance, one) for instance, one in self._servers.items() if isinstance(one, Process)]
        return [(instance, status) for instance, one in processes if (status := one.status) is not None]

    def printed(self) -> list[tuple[Instance, str]]:
        """The lines that commands have printed since this was asked last."""
        processes = [(instance, one) for instance, one in self._servers.items() if isinstance(one, Process)]
        return [(instance, line) for instance, one in processes for line in one.lines()]

    def close(self) -> None:
        """Stop everything, what is just being started too: an interrupt may come at any time."""
        self._closed = True
        self._given_up.set()
        self._stop_all()
        if self._starting is not None:
            self._starting.shutdown(wait=True, cancel_futures=True)
            self._stop_all()

    def _stop_all(self) -> None:
        with ThreadPoolExecutor(max(len(self._servers), 1), "lanebaggage-mesh-stop") as pool:
            for running in tuple(self._servers.values()):
                pool.submit(Context().run, running.stop)
        self._servers.clear()

    def _start(self, instance: Instance, given_up: threading.Event) -> None:
        if self._closed or given_up.is_set():
            raise MeshError(f"{instance} was not started: the mesh is being closed, or another service failed")
        app = instance.app
        running = self._servers.get(instance)
        if running is not None and running.running and not isinstance(app, Command):
            return
        if isinstance(app, Address):
            instance.address = (app.host, app.port)
        elif isinstance(app, WSGI):
            self._servers[instance] = WSGIServer(instance, self._hops)
        elif isinstance(app, ASGI):
            self._servers[instance] = ASGIServer(instance, self._hops)
        elif isinstance(app, Command):
            sidecar, services = self._reached(instance)
            env = variables(sidecar, services, headers_of(self._topology.current.group))
            if isinstance(running, Process):
                if running.running and running.variables == env:
                    return
                running.stop()
            process = Process(instance, env, {ref.name: f"{host}:{port}" for ref, (host, port) in services.items()})
            self._servers[instance] = process
            process.wait(given_up)
