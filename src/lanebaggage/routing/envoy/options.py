"""What can be chosen about the Envoy configuration, and what it is made for: endpoints and sidecars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ..errors import RoutingError

if TYPE_CHECKING:
    from ..services import ServiceRef

Json: TypeAlias = dict[str, Any]

HOP_HEADER: Final = "x-lanebaggage-hop"
"""Names the request being served; the mesh sets it on what reaches an application."""
CHOICE_HEADER: Final = "x-lanebaggage-choice"
"""Picks among the weights of an observed gateway, so that a test knows what to expect."""

MAX_PATTERN: Final = 32_768
"""Size of a compiled regular expression, as Istio sets it; Envoy's default of 100 refuses ordinary ones."""

PLAIN: Final = "plain"
ISTIO: Final = "istio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be chosen; the settings that :class:`~lanebaggage.routing.Router` has too mean the same here.

    :param flavour: ``plain``: subsets of one cluster per service, as ASM's sidecars have them; ``istio``: a cluster and a
        route per lane, as upstream Istio makes them.
    :param health: whether Envoy finds out by itself which endpoints are down: by connecting to them, by what they answer,
        and by trying again.
    :param timeout: seconds that a response may take, 0 for any; Envoy's own default.
    :param unknown_host: status for a host that is no service.
    :param observed: whether each hop is marked with ``HOP_HEADER`` and reported on standard output, for a mesh.
    :param generation: sidecars forget what they remember when this number changes.
    :raises RoutingError: two of them do not go together.
    """

    flavour: Literal["plain", "istio"] = PLAIN
    health: bool = False
    unknown_lane: Literal["baseline", "fallback", "error"] = "baseline"
    no_lane: Literal["baseline", "fallback", "error"] = "baseline"
    unmatched: Literal["baseline", "error"] = "baseline"
    repeated: Literal["joined", "each"] = "joined"
    carrier: Literal["header", "baggage"] = "header"
    baggage_key: str = ""
    traceparent: Literal["whole", "trace-id"] = "whole"
    timeout: float = 15.0
    unknown_host: int = 404
    observed: bool = False
    generation: int = 0

    def __post_init__(self) -> None:
        if self.flavour not in (PLAIN, ISTIO):
            raise RoutingError(f"the flavour of Envoy's configuration is {PLAIN} or {ISTIO}, not {self.flavour!r}")
        if self.flavour == ISTIO and (self.health or {self.unknown_lane, self.no_lane} != {"baseline"}):
            raise RoutingError("flavour istio shows what upstream Istio does, which has no fallback to choose; use plain")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An instance of a service, and where it is reached.

    :param service: the service.
    :param lanes: the lanes that it serves; none for a service outside the group.
    :param address: IP address or name.
    :param port: its port.
    :param check: IP address and port for health checks, where they are not the same.
    :param name: for what is observed.
    :param host: what requests to it must have as ``Host``; as they have it unless given.
    """

    service: ServiceRef
    lanes: tuple[str, ...]
    address: str
    port: int
    check: tuple[str, int] | None = None
    name: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A listener that applications send their requests to.

    :param name: of the listener.
    :param lane: of the pods that it stands beside, by which strict mode routes.
    :param port: to listen on; 0 for any.
    :param application: address and port of the one application that it stands before; needed in trace-ID mode, where the
        sidecar remembers what arrives.
    :param host: what requests to the application must have as ``Host``; as they have it unless given.
    :param single: whether a connection carries one request only, so that whoever connects is known to have sent it.
    """

    name: str
    lane: str | None = None
    port: int = 0
    application: tuple[str, int] | None = None
    single: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Relay:
    """A listener for one service, for applications that are given an address for each rather than a proxy.

    :param name: of the listener.
    :param service: that each request is for, whatever its ``Host`` says.
    :param sidecar: address and port of the caller's sidecar, which decides.
    :param port: to listen on; 0 for any.
    """

    name: str
    service: ServiceRef
    sidecar: tuple[str, int]
    port: int = 0
