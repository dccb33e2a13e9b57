"""The recorder, which keeps the calls and links hops to the request that they were made for, without the lane.

A hop is found by an id of the mesh's own, in a header that applications forward like any pass-through header. Where it does
not come back, the hop belongs to the request known to be served where it came from. So a lost lane never hides the tree.
"""

from __future__ import annotations

import secrets
import time
from itertools import count
from typing import TYPE_CHECKING

from ._kept_calls import KeptCalls
from .hops import Call, Hop

if TYPE_CHECKING:
    from .hops import Headers
    from .topology import Instance


class Recorder:
    """Keeps the calls, and finds the request that a hop was made for.

    :param keep: how many calls are kept; hops of others stay with whoever holds them.
    """

    def __init__(self, keep: int = 10_000) -> None:
        self._calls = KeptCalls(keep)
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)
        self._flying: dict[str, Hop] = {}

    @property
    def calls(self) -> list[Call]:
        """The calls that are kept, the oldest first."""
        return self._calls.all()

    def begin(self, title: str, lane: str | None, *, unlinked: bool = False) -> Call:
        """A new call."""
        call = Call(self._id(), title, lane, unlinked=unlinked)
        self._calls.add(call)
        return call

    def find(self, id: str | None) -> Hop | Call | None:  # noqa: A002
        """What an id names, or None."""
        call = self._calls.find(id) if id else None
        if call is None or id is None or call.id == id:
            return call
        return self._flying.get(id) or call.find(id)

    def open(self, origin: Hop | Call, linked: str, method: str, path: str, id: str | None = None) -> Hop:  # noqa: A002
        """A new hop, made for a request being served or from outside.

        :param id: that the hop has already; None for a new one.
        """
        parent = origin if isinstance(origin, Hop) else None
        call = origin.call if isinstance(origin, Hop) else origin
        hop = Hop(id or self._id(), call, parent, linked, method, path)
        self._calls.add_hop(hop)
        self._flying[hop.id] = hop
        return hop

    def close(self, hop: Hop, status: int | None = None, error: str | None = None, headers: Headers = ()) -> None:
        """Note how a hop ended; the first time counts."""
        if self._flying.pop(hop.id, None) is None:
            return
        hop.duration = time.perf_counter() - hop.started
        hop.response_headers = headers
        hop.status = status if status is not None else hop.status
        hop.error = error or hop.error
        if hop.instance is not None:
            hop.instance.serving.pop(hop.id, None)

    def only(self, instance: Instance | None) -> Hop | None:
        """The one request that an instance is serving, or None.

        :param instance: None where not even the instance is known: then the one request of the whole mesh that waits for
            no other.
        """
        if instance is not None:
            hops = tuple(instance.serving.values())
        else:
            flying = dict(self._flying)
            hops = tuple(hop for hop in flying.values() if not any(child.id in flying for child in hop.children))
        return hops[0] if len(hops) == 1 else None

    def flying(self) -> list[Hop]:
        """The hops that have not ended."""
        return list(self._flying.values())

    def clear(self) -> None:
        """Forget the calls; what background work still adds to them finds them for as long as none are forgotten again."""
        self._calls.clear()
        self._flying.clear()

    def _id(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"
