"""The lane group that a mesh uses: read from files, once as long as they stay the same, and put into another mode if asked."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .._errors import MeshError
from .._settings import BAGGAGE, DEFAULT_HEADER
from ..routing import LaneGroup, load

if TYPE_CHECKING:
    from os import PathLike

    from .topology import Lanes

PERMISSIVE: Final = "permissive"
STRICT: Final = "strict"
HEADER: Final = "header"
TRACE_ID: Final = "trace-id"
CARRIERS: Final = (HEADER, TRACE_ID, BAGGAGE)
MODES: Final = (PERMISSIVE, STRICT)

_TRACE_HEADERS: Final = ("my-trace-id", "my-request-id")
"""Where a lane group that has none is to go by trace IDs; the first is the name in ASM's documentation."""


class Modes:
    """A mode and a carrier that a test asks for, whatever its lane group says.

    :raises MeshError: there is none of this name.
    """

    def __init__(self, mode: str | None = None, carrier: str | None = None) -> None:
        for what, given, known in (("mode", mode, MODES), ("carrier", carrier, CARRIERS)):
            if given is not None and given not in known:
                raise MeshError(f"no {what} is called {given[:40]!r}; write {', '.join(known[:-1])} or {known[-1]}")
        self.mode = mode
        self.carrier = carrier

    def apply(self, lanes: LaneGroup | Lanes) -> LaneGroup | Lanes:
        """The lanes in the mode and with the carrier that are asked for."""
        if self.mode is None and self.carrier is None:
            return lanes
        permissive = lanes.permissive if self.mode is None else self.mode == PERMISSIVE
        route = lanes.route_header or DEFAULT_HEADER
        trace = lanes.trace_header
        if self.carrier is not None or not trace:
            own = next(name for name in (trace, *_TRACE_HEADERS) if name not in ("", route, BAGGAGE))
            trace = {BAGGAGE: BAGGAGE, TRACE_ID: own}.get(self.carrier or HEADER, route)
        return replace(lanes, permissive=permissive, route_header=route, trace_header=trace)


def one_group(paths: tuple[str | PathLike[str], ...], name: str | None) -> LaneGroup:
    """The lane group of files, or the one of this name.

    :raises RoutingError: the files cannot be used.
    :raises MeshError: they have several groups, or none of this name.
    """
    groups = _read(paths, tuple(_state(path) for path in paths))
    found = [group for group in groups if name in (None, group.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(group.name for group in groups) or "none"
    raise MeshError(f"the files hold the lane groups {names}; name one of them with group=...")


@lru_cache(maxsize=32)
def _read(paths: tuple[str | PathLike[str], ...], _states: tuple[object, ...]) -> tuple[LaneGroup, ...]:
    return tuple(load(*paths))


def _state(path: str | PathLike[str]) -> object:
    """Changes whenever what is read from a path might; a directory's files are looked at each by itself."""
    found = Path(path)
    files = sorted(found.rglob("*")) if found.is_dir() else [found]
    return tuple((str(one), one.stat().st_mtime_ns, one.stat().st_size) for one in files if one.exists())
