"""What an engine is: it makes instances reachable, carries the requests between them, and asks :class:`Traffic` or tells it.

Three of them fit: in-process, real sockets, and an Envoy that decides by itself and reports its hops afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from .._errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .hops import Call
    from .topology import Instance, Topology
    from .traffic import Headers, Traffic

    Progress = Callable[[Instance], None]

ENGINES: Final = {
    "inprocess": "lanebaggage.mesh.inprocess:InProcess",
    "sockets": "lanebaggage.mesh.sockets:Sockets",
    "envoy": "lanebaggage.mesh.envoy:EnvoyMesh",
    "envoy-health": "lanebaggage.mesh.envoy:EnvoyHealthMesh",
    "envoy-istio": "lanebaggage.mesh.envoy:EnvoyIstioMesh",
}
"""Import string of each engine by the name that ``Mesh(engine=...)`` takes; imported at first use."""


@dataclass(slots=True)
class Outgoing:
    """A request from outside: from a test or a person.

    :param method: as on the wire.
    :param path: with query.
    :param host: of the service it goes straight to, as its caller's sidecar would send it; None for the gateway.
    :param headers: names and values, ``Host`` included.
    :param body: whole.
    :param timeout: seconds until the response must be there whole.
    """

    method: str
    path: str
    host: str | None
    headers: Headers
    body: bytes = b""
    timeout: float = 30.0


@dataclass(slots=True)
class Incoming:
    """The response to a request from outside, whole."""

    status: int
    reason: str = ""
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)
    body: bytes = b""


class Engine(Protocol):
    """Carries the requests of one mesh. Methods may be called from any thread, but not at the same time."""

    topology: Topology

    def __init__(self, traffic: Traffic) -> None: ...

    @property
    def sidecar(self) -> tuple[str, int] | None:
        """Where connections of this process to service names go; None without sockets."""

    @property
    def alive(self) -> bool:
        """Whether requests can be carried: nobody has killed what carries them."""

    @property
    def gateway(self) -> str | None:
        """The gateway's ``http://host:port``, or None without sockets."""

    def address_for(self, instance: Instance | None) -> str | None:
        """The ``http://host:port`` of an instance's sidecar, where its outgoing requests go; of clients for None."""

    def start(self, instances: Iterable[Instance], progress: Progress) -> None:
        """Make instances reachable, and wait until they are; what runs already, as it would be started now, goes on running.

        :param progress: told of each that is; from any thread.
        :raises MeshError: one cannot be started; the message says which, why, and what it printed.
        """

    def set_available(self, instance: Instance, available: bool) -> None:
        """Stop an instance, or start it again where it was."""

    def faulted(self, instances: Iterable[Instance]) -> None:
        """The faults of instances have changed; each has its own in ``faults``."""

    def end(self, instance: Instance) -> None:
        """End for good what runs of an instance that is no longer declared."""

    def ended(self) -> list[tuple[Instance, int]]:
        """The commands that have ended by themselves, with their status."""

    def printed(self) -> list[tuple[Instance, str]]:
        """The lines that commands have printed since this was asked last."""

    def changed(self) -> None:
        """Services or lanes have changed; ``traffic.topology.current`` has the new state."""

    def exchange(self, request: Outgoing) -> Incoming:
        """Send a request from outside and read its response.

        :raises TimeoutError: it was not there in time.
        :raises ConnectionError: it broke off.
        """

    def settle(self, call: Call) -> None:
        """Make a call's hops complete, on an engine that learns of them afterwards."""

    def close(self) -> None:
        """End everything that was started, and wait for it. May be called twice."""


def engine_class(name: str) -> type[Engine]:
    """The engine of this name.

    :raises MeshError: there is none, or what it needs is not installed.
    """
    if name not in ENGINES:
        raise MeshError(f"no engine is called {name[:40]!r}; engines are {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    try:
        found: type[Engine] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MeshError(f"engine {name!r} needs {error.name}: pip install 'lanebaggage[mesh]'") from error
    return found
