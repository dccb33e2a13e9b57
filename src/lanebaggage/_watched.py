"""The wire while hops are watched: it reads as the other one does, and tells what arrived."""

from __future__ import annotations

from . import _watch
from ._wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ._wire import Carried


class WatchedWire(Wire):
    """Tells the watchers of each request and message that arrives."""

    __slots__ = ()

    def from_environ(self, environ: Mapping[str, Any]) -> Carried | None:
        carried = super().from_environ(environ)
        _watch.incoming(carried)
        return carried

    def from_raw(self, headers: Iterable[tuple[bytes, bytes]]) -> Carried | None:
        carried = super().from_raw(headers)
        _watch.incoming(carried)
        return carried

    def from_pairs(self, headers: Iterable[tuple[Any, Any]]) -> Carried | None:
        carried = super().from_pairs(headers)
        _watch.incoming(carried)
        return carried
