"""What a gateway or a sidecar does with one request: decides, picks an instance, links the hop, sets the headers.

Both engines of this package ask it for every hop, so that they cannot differ.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final

from .. import instrumentation
from ..routing import Decision, Request, plain_host
from .hops import BY_CONTEXT, BY_EXCLUSION, BY_HEADER, HOP_HEADER, UNLINKED, Call, Hop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._made import Made
    from .recorder import Recorder
    from .topology import Compiled, Instance, Topology

BAD_GATEWAY: Final = 502
UNAVAILABLE: Final = 503
REASON_HEADER: Final = "x-lanebaggage-reason"
"""Why the mesh itself answered; on such responses only."""

Headers = list[tuple[str, str]]
"""Names and values in wire order, each byte a character (ISO 8859-1)."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, as far as the engine can tell.

    :param instance: the calling instance; None where it is not known, or it is none.
    :param serving: the hop being served by the code that called.
    :param outside: whether it is no instance that called but a client: a test, a person.
    :param gateway: whether the request came to the gateway.
    :param made: what there was to see where it was made.
    """

    instance: Instance | None = None
    serving: Hop | None = None
    outside: bool = False
    gateway: bool = False
    made: Made | None = None


CLIENT: Final = Origin(outside=True)
GATEWAY: Final = Origin(outside=True, gateway=True)


class Route:
    """One request on its way: its hop, and the instance that it goes to or the error that answers it."""

    __slots__ = ("_again", "headers", "hop", "instance", "reason", "status")

    def __init__(self, hop: Hop, again: Callable[[Route, Sequence[Instance]], None]) -> None:
        self.hop = hop
        self.instance: Instance | None = None
        self.headers: Headers = []
        """What the application gets."""
        self.status = 200
        """What the mesh answers itself, where there is no instance."""
        self.reason = ""
        self._again = again
        again(self, ())

    def again(self, refused: Sequence[Instance]) -> None:
        """Decide anew as if some instances did not exist: they refused the connection and nothing was sent."""
        self._again(self, refused)


class Traffic:
    """Routes the requests of one mesh.

    :param seed: of the random choice among weights; None for a different one each time.
    """

    def __init__(self, topology: Topology, recorder: Recorder, seed: int | None) -> None:
        self.topology = topology
        self.recorder = recorder
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - shares traffic out, guards nothing
        self._lock = Lock()

    def clear(self) -> None:
        """Begin the random choices anew."""
        with self._lock:
            self._random.seed(self._seed)

    def route(self, origin: Origin, method: str, path: str, host: str, headers: Headers) -> Route:
        """Route one request.

        :param origin: where it comes from.
        :param path: with query.
        :param host: the authority that it is for, with or without port.
        :param headers: as they arrived, hop-by-hop headers removed.
        """
        sent = [pair for pair in headers if pair[0].lower() != HOP_HEADER]
        marks = [value for name, value in headers if name.lower() == HOP_HEADER]
        hop = self.open(origin, marks[0] if len(marks) == 1 else None, method, path, host)
        request = Request(method, path, host, sent)
        choice = self.choice() if origin.gateway else 0.0
        return Route(hop, partial(self._decide, self.topology.current, origin, request, choice))

    def open(self, origin: Origin, mark: str | None, method: str, path: str, host: str, id: str | None = None) -> Hop:  # noqa: A002
        """A new hop, linked to the request that it is made for.

        :param mark: the hop header that came with the request.
        :param id: of the hop, where an engine numbers them itself.
        """
        parent, linked = self._parent(origin, mark, method, path, host)
        hop = self.recorder.open(parent, linked, method, path, id)
        hop.host, hop.made = host, origin.made
        hop.external = not origin.gateway and self.topology.is_external(host)
        hop.switched_on = bool(instrumentation.report().rows)
        if origin.instance is not None:
            hop.caller = origin.instance.service.name
        return hop

    def choice(self) -> float:
        """The next random number from 0 up to 1, which picks among the weights."""
        with self._lock:
            return self._random.random()

    def _parent(self, origin: Origin, mark: str | None, method: str, path: str, host: str) -> tuple[Hop | Call, str]:
        found = self.recorder.find(mark)
        if found is not None:
            return found, BY_HEADER
        if origin.serving is not None:
            return origin.serving, BY_CONTEXT
        if not origin.outside:
            only = self.recorder.only(origin.instance)
            if only is not None:
                return only, BY_EXCLUSION
        title = f"{method} {path}" if origin.gateway else f"{method} http://{host}{path}"
        return self.recorder.begin(title, None, unlinked=not origin.outside), BY_HEADER if origin.outside else UNLINKED

    def _decide(
        self, state: Compiled, origin: Origin, request: Request, choice: float, route: Route, refused: Sequence[Instance]
    ) -> None:
        hop = route.hop
        now = time.monotonic()
        usable = (lambda one: one.up and one not in refused) if refused else None
        decision, candidates = self.decision(state, origin, request, hop, usable, choice, now)
        instance = state.pick(candidates, refused)
        hop.service = decision.service or ("gateway" if origin.gateway else plain_host(request.host))
        hop.routed, hop.lane, hop.target, hop.fallback = True, decision.lane, decision.target, decision.fallback
        hop.reason = route.reason = decision.reason
        if hop.instance is not None:
            hop.instance.serving.pop(hop.id, None)
        hop.instance = route.instance = instance
        hop.version = instance.version if instance is not None else None
        route.headers = sent = _changed(request.headers, decision)
        route.status = decision.status
        if instance is None:
            if decision.ok:
                route.status, route.reason = UNAVAILABLE, f"{decision.service} was stopped just now"
            return
        if state.group.mode == "trace ID":
            state.router.arrived(Request(request.method, request.path, request.host, sent), instance.memory, now)
        sent.append((HOP_HEADER, hop.id))
        hop.request_headers = sent
        instance.serving[hop.id] = hop

    def decision(
        self,
        state: Compiled,
        origin: Origin,
        request: Request,
        hop: Hop,
        usable: Callable[[Instance], bool] | None = None,
        choice: float = 0.0,
        now: float = 0.0,
    ) -> tuple[Decision, Sequence[Instance]]:
        """What the router decides about a hop, and the instances that may serve it.

        :param usable: whether an instance counts as a healthy endpoint; by its own say unless given.
        """
        up = usable or (lambda one: one.up)

        def available(service: str, lane: str) -> bool:
            return any(map(up, state.candidates(service, lane)))

        healthy = available if usable is not None else state.available
        if origin.gateway:
            decision = state.router.ingress(request, available=healthy, choice=choice)
            return decision, state.candidates(decision.service, decision.target or "")
        host = plain_host(request.host)
        if (others := state.outside.get(host)) is not None:
            lane = state.wire.from_pairs(request.headers)
            name = others[0].service.name
            known = None if lane is None else lane.lane
            if not any(map(up, others)):
                return Decision(name, known, status=UNAVAILABLE, reason=f"{name} has no healthy endpoint"), ()
            return Decision(name, known, reason=f"{name} is in no lane"), others
        caller = origin.instance or (hop.parent.instance if hop.parent is not None else None)
        if host not in state.hosts:
            reason = (
                f"{host[:253]} is no service of this mesh; declare it with mesh.service({host[:253]!r}, v1=...), or with "
                f"mesh.external({host[:253]!r}) where it is outside of it, or correct the address"
            )
            return Decision(host[:253], status=BAD_GATEWAY, reason=reason), ()
        decision = state.router.route(
            request.host,
            request,
            source=state.lane_of(caller) if caller is not None else hop.call.lane or state.group.baseline,
            available=healthy,
            memory=caller.memory if caller is not None else None,
            now=now,
        )
        return decision, state.candidates(decision.service, decision.target or "")


def _changed(headers: Sequence[tuple[str, str]], decision: Decision) -> Headers:
    """The headers with those that the decision sets, adds and removes; the others keep their bytes and order."""
    gone = {name.lower() for name in (*decision.set_headers, *decision.remove_headers)}
    kept = [pair for pair in headers if pair[0].lower() not in gone] if gone else list(headers)
    kept.extend(decision.set_headers.items())
    kept.extend(decision.add_headers.items())
    return kept
