"""The calls that a mesh keeps: the latest as they are, older ones packed until somebody asks for them.

Python's cycle collector walks every object that it tracks, and requests wait meanwhile. Of a packed call it tracks none.
"""

from __future__ import annotations

import marshal
from collections import OrderedDict, deque
from threading import RLock
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary, ref

from .hops import Call

if TYPE_CHECKING:
    from .hops import Hop
    from .topology import Instance

    Packed = tuple[bytes, str]
    """What a call says, and the ids of its hops in one text; the collector passes over a tuple that holds no objects."""

RECENT: Final = 100
"""The latest calls, which are not packed."""


class KeptCalls:
    """Calls by their ids and those of their hops; for any thread.

    :param keep: how many are kept. Others are found for as long as somebody holds them or one of their hops.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._lock = RLock()  # entered again where the collector, at any time, runs a finalizer that makes a request
        self._shelf, self._former = _Shelf(), _Shelf()
        self._forgotten: WeakValueDictionary[str, Call] = WeakValueDictionary()

    def all(self) -> list[Call]:
        """The oldest first."""
        with self._lock:
            return [self._shelf.take(id) for id in self._shelf.calls]  # noqa: A001

    def add(self, call: Call) -> None:
        """Keep a call, and forget the oldest where there are too many."""
        with self._lock:
            if len(self._shelf.calls) == self._keep:
                self._forget(self._shelf.drop())
            self._shelf.add(call)

    def add_hop(self, hop: Hop) -> None:
        """Add a hop to its call, whether or not that is still kept."""
        call = hop.call
        with self._lock:
            call.add(hop)
            for shelf in (self._shelf, self._former):
                if call.id in shelf.calls:
                    shelf.owners[hop.id] = call.id
                    return
            self._forgotten[hop.id] = call

    def find(self, id: str) -> Call | None:  # noqa: A002
        """The call of this id, or that has the hop of this id."""
        with self._lock:
            for shelf in (self._shelf, self._former):
                owner = shelf.owners.get(id)
                if owner is not None:
                    return shelf.take(owner)
            return self._forgotten.get(id)

    def clear(self) -> None:
        """Forget all; they are found until this is called again."""
        with self._lock:
            former, self._former, self._shelf = self._former, self._shelf, _Shelf()
            while former.calls:
                self._forget(former.drop())

    def _forget(self, call: Call | None) -> None:
        if call is not None:
            self._forgotten.update(dict.fromkeys((call.id, *call.ids), call))


class _Shelf:
    def __init__(self) -> None:
        self.calls: OrderedDict[str, Call | Packed] = OrderedDict()
        self.owners: dict[str, str] = {}
        """Ids of calls, by themselves and by those of their hops."""
        self._recent: deque[str] = deque()
        self._instances: list[Instance | None] = []

    def add(self, call: Call) -> None:
        self.calls[call.id] = call
        self.owners[call.id] = call.id
        self._recent.append(call.id)
        if len(self._recent) > RECENT:
            self._pack(self._recent.popleft())

    def take(self, id: str) -> Call:  # noqa: A002
        """A call, unpacked."""
        call = self.calls[id]
        if not isinstance(call, Call):
            call = self.calls[id] = Call.unpacked(marshal.loads(call[0]), self._instances)  # noqa: S302 - from this process
        return call

    def drop(self) -> Call | None:
        """Take the oldest call away; None where it is packed, so that nobody holds it."""
        id, call = self.calls.popitem(last=False)  # noqa: A001
        for one in (id, *(call.ids if isinstance(call, Call) else call[1].split())):
            del self.owners[one]
        return call if isinstance(call, Call) else None

    def _pack(self, id: str) -> None:  # noqa: A002
        call = self.calls.get(id)
        if not isinstance(call, Call):
            return
        try:
            packed = marshal.dumps(call.packed(self._instances)), " ".join(call.ids)
        except ValueError:  # something in it is no plain value, such as where code of this process made a hop
            return
        held = ref(call)
        self.calls[id] = packed
        del call
        if (call := held()) is not None:  # somebody holds it or one of its hops
            self.calls[id] = call
