"""What went through the mesh: hops, and the calls that they belong to.

A mesh keeps thousands of calls. They hold no cycles, or Python's cycle collector would have to find those that are gone, and
requests would wait for it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ._made import Made
    from .topology import Instance

    Headers = Sequence[tuple[str, str]]

HOP_HEADER: Final = "x-lanebaggage-hop"
"""Names the request being served; set by the mesh on what reaches an application, forwarded by its instrumentation."""

BY_HEADER: Final = "header"
BY_CONTEXT: Final = "context"
BY_EXCLUSION: Final = "only request"
"""The instance that called was serving one request and no other."""
UNLINKED: Final = "unlinked"
"""Nothing tells which of several requests the hop was made for."""


class _Headers:
    """Headers kept as they are given, and made a mapping once somebody reads them."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, holder: Any, owner: type) -> CIMultiDict[str]:
        kept = getattr(holder, self._name)
        if not isinstance(kept, CIMultiDict):
            kept = CIMultiDict(kept)
            setattr(holder, self._name, kept)
        return kept

    def __set__(self, holder: Any, headers: Headers) -> None:
        setattr(holder, self._name, tuple(headers))


class Hop:
    """One request from a service, from the gateway or from a test to a service.

    Its call keeps what it says, which is its ``__dict__``, and not the hop, which is made anew around that whenever it is
    asked for. So a hop has its call, and a call its hops, but both are freed as soon as nobody holds them.
    """

    __slots__ = ("__dict__", "__weakref__", "call")

    request_headers = _Headers()
    """As they reached the application."""
    response_headers = _Headers()

    def __init__(self, id: str, call: Call, parent: Hop | None, linked: str, method: str, path: str) -> None:  # noqa: A002
        self.call = call
        self.id = id
        self._parent = parent.id if parent is not None else None
        self.linked = linked
        """How the request it was made for was found: ``header``, ``context``, ``only request`` or ``unlinked``."""
        self.method = method
        self.path = path
        """With query."""
        self.host = ""
        """The authority that was called, as it was called."""
        self.external = False
        """Whether that is outside the mesh: a partner's, or one that the mesh does not know."""
        self.made: Made | None = None
        """What was there to see where the request was made, as far as it could be seen."""
        self.switched_on = False
        """Whether anything was instrumented in this process as it began."""
        self.instance: Instance | None = None
        self.service = ""
        self.version: str | None = None
        """Of the instance that served it; None where none did."""
        self.caller: str | None = parent.service if parent is not None else None
        self.routed = False
        """Whether the mesh has said how it was routed; Envoy says it at the hop's end."""
        self.lane: str | None = None
        """The lane on arrival; None too while that is not known."""
        self.target: str | None = None
        """The lane whose instance served it."""
        self.fallback = False
        self.reason = ""
        """Why it was routed there, or why it was not."""
        self.status: int | None = None
        """Of the response; None while it is awaited."""
        self.note = ""
        """What the mesh did to it: the faults that it met."""
        self.error: str | None = None
        """What went wrong in the application or on the way to it."""
        self.request_headers = ()
        self.response_headers = ()
        self.started = time.perf_counter()
        self.duration: float | None = None
        """Seconds until the response had been passed on whole; None while it is not."""

    @classmethod
    def _again(cls, call: Call, said: dict[str, Any]) -> Hop:
        hop = cls.__new__(cls)
        hop.call, hop.__dict__ = call, said
        return hop

    @property
    def parent(self) -> Hop | None:
        """The request that it was made for; None where that came from outside."""
        return self.call.find(self._parent) if self._parent is not None else None

    @property
    def children(self) -> list[Hop]:
        """Hops that were made while this one was served."""
        return [child for id in tuple(self.__dict__.get("_children", ())) if (child := self.call.find(id)) is not None]  # noqa: A001

    @property
    def lost(self) -> bool:
        """Whether it arrived without the lane though the request being served had one; it must where it leaves the mesh."""
        parent = self.parent
        if parent is None or not self.routed:
            return False
        return parent.lane is not None and self.lane != parent.lane and not self.external

    def __iter__(self) -> Iterator[Hop]:
        """The hop and all below it, each before its children."""
        waiting = [self]  # a service that calls itself without end makes more than a recursion can go down
        while waiting:
            hop = waiting.pop()
            yield hop
            waiting.extend(reversed(hop.children))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hop) and self.__dict__ is other.__dict__

    def __hash__(self) -> int:
        return id(self.__dict__)

    def __repr__(self) -> str:
        mark = ", lane lost" if self.lost else ", fallback" if self.fallback else ""
        return f"Hop({self.service}@{self.version}, lane={self.lane!r}, status={self.status}{mark})"


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    return {name: _pairs(value) if isinstance(value, CIMultiDict) else value for name, value in said.items()}


def _pairs(headers: CIMultiDict[str]) -> Headers:
    return tuple((str(name), value) for name, value in headers.items())


class Path(list[tuple[str, str | None]]):
    """Services and versions in the order of the hops; compares with a list of pairs, and prints short.

    :param call: the call that took it.
    """

    def __init__(self, pairs: Iterable[tuple[str, str | None]] = (), call: Call | None = None) -> None:
        super().__init__(pairs)
        self.call = call

    def __repr__(self) -> str:
        return " > ".join(f"{service}@{version}" for service, version in self)


class Call:
    """One request from outside and its response, with every hop that was made for it.

    What hops hold goes on being filled in while background work of the request makes more of them.
    """

    headers = _Headers()

    def __init__(self, id: str, title: str, lane: str | None, *, unlinked: bool = False) -> None:  # noqa: A002
        self.id = id
        self.title = title
        """Method, service or gateway, and path."""
        self.lane = lane
        """The lane that was asked for; None where that is left to the gateway."""
        self.unlinked = unlinked
        """Whether it came from a service, for a request that cannot be told."""
        self._hops: dict[str, dict[str, Any]] = {}
        self.status = 0
        self.reason = ""
        self.headers = ()
        self.content = b""
        self.duration: float | None = None
        """Seconds."""
        self.deadline = float("inf")
        """When its caller stops waiting, on the clock of ``time.monotonic``."""

    def add(self, hop: Hop) -> None:
        """Keep a hop that was made for this call."""
        self._hops[hop.id] = hop.__dict__
        if (parent := hop.parent) is not None:
            parent.__dict__.setdefault("_children", []).append(hop.id)

    def find(self, id: str) -> Hop | None:  # noqa: A002
        """The hop of this id, or None."""
        said = self._hops.get(id)
        return None if said is None else Hop._again(self, said)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the hops."""
        return tuple(self._hops)

    def packed(self, instances: list[Instance | None]) -> dict[str, Any]:
        """What it says, as plain values where its hops were not made in this process.

        :param instances: those that hops name by their place; others are added.
        """
        hops = {}
        for id, said in self._hops.items():  # noqa: A001
            if said["instance"] not in instances:
                instances.append(said["instance"])
            hops[id] = {**_plain(said), "instance": instances.index(said["instance"])}
        return {**_plain(self.__dict__), "_hops": hops}

    @classmethod
    def unpacked(cls, said: dict[str, Any], instances: Sequence[Instance | None]) -> Call:
        """The call of which :meth:`packed` gave this."""
        call = cls.__new__(cls)
        call.__dict__.update(said)
        for hop in call._hops.values():
            hop["instance"] = instances[hop["instance"]]
        return call

    @property
    def roots(self) -> list[Hop]:
        """The hops from outside: one, unless the client was redirected or repeated the request."""
        return [hop for id in self.ids if (hop := self.find(id)) is not None and hop._parent is None]  # noqa: A001

    @property
    def hops(self) -> list[Hop]:
        """All hops, each before those made while it was served."""
        return [hop for root in self.roots for hop in root]

    @property
    def path(self) -> Path:
        """Service and version of each hop."""
        return Path(((hop.service, hop.version) for hop in self.hops), self)

    @property
    def lost(self) -> list[Hop]:
        """The hops that arrived without the lane though the request being served had one."""
        return [hop for hop in self.hops if hop.lost]

    @property
    def lost_at(self) -> str | None:
        """Service of the first hop that arrived without the lane, or None."""
        return next((hop.service for hop in self.hops if hop.lost), None)

    @property
    def tree(self) -> str:
        """The hops drawn as text."""
        from .report import draw

        return draw(self)

    @property
    def text(self) -> str:
        """The response's body as text, by the charset of its ``Content-Type`` or UTF-8."""
        charset = self.headers.get("content-type", "").lower().partition("charset=")[2].partition(";")[0].strip(' "')
        try:
            return self.content.decode(charset or "utf-8", "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The response's body as JSON.

        :raises ValueError: it is none.
        """
        return json.loads(self.content)

    def __repr__(self) -> str:
        return f"<{self.title}: {self.status or 'no answer yet'}, {self.path!r}>"
