"""What one test did with its mesh, as plain data: the lanes, the services in them, the calls and their hops.

Plain, so that it passes between processes and into a file; bounded, so that a test of thousands of calls does not weigh on
the run. A picture holds no body, and of the headers only those that are passed through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ... import _runtime
from ..._errors import LanebaggageError
from ..causes import cause_of
from ..hops import HOP_HEADER
from ..report import draw
from .matrix import lanes_of, short, short_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..causes import Cause
    from ..hops import Call, Hop
    from ..mesh import Mesh
    from ..topology import Topology

    Picture = dict[str, Any]

MOST_CALLS: Final = 50
MOST_HOPS: Final = 200
"""Of one call."""
MOST_DEEP: Final = 40
"""Hops below one another: who takes a picture apart may do so by recursion."""
MOST_HOPS_IN_ALL: Final = 1000
MOST_HEADERS: Final = 6


def snapshot(mesh: Mesh) -> Picture:
    """What was done with a mesh since it was new, or since its reset; never raises for what the mesh holds or lacks.

    :param mesh: the mesh, before it is closed or reset.
    :return: plain data for :meth:`LaneReport.add`, which JSON and pytest-xdist carry. ``lanes`` is None for a mesh without
        lanes or without calls. Of very many calls some are left out, and their number is in ``left_out``: the latest
        are there, before them those that lost a lane. ``totals`` counts all: calls, hops, fallbacks, lost lanes, and those
        that were permitted to be lost.
    """
    calls = mesh.calls
    picture: Picture = {"engine": mesh.engine_name, "lanes": None, "totals": _totals(mesh, calls), "calls": [], "left_out": 0}
    if not calls:
        return picture
    try:
        picture["lanes"] = lanes_of(mesh.topology.current, mesh.topology.instances)
    except LanebaggageError:
        pass
    chosen = _chosen(calls)
    look = _Look(mesh.topology, set(mesh.lost))
    picture["calls"] = [look.call(call) for call in chosen]
    picture["left_out"] = len(calls) - len(chosen)
    return picture


def _totals(mesh: Mesh, calls: Sequence[Call]) -> dict[str, int]:
    hops = [hop for call in calls for hop in call.hops]
    lost = len(mesh.lost)
    return {
        "calls": len(calls),
        "hops": len(hops),
        "fallbacks": sum(hop.fallback for hop in hops),
        "lost": lost,
        "permitted": sum(hop.lost for hop in hops) - lost,
    }


def _chosen(calls: Sequence[Call]) -> Sequence[Call]:
    """The calls that the picture has room for, in order."""
    room = MOST_HOPS_IN_ALL
    found: list[int] = []
    for number in sorted(range(len(calls)), key=lambda number: (bool(calls[number].lost), number), reverse=True):
        room -= min(len(calls[number].hops), MOST_HOPS)
        if found and (room < 0 or len(found) == MOST_CALLS):
            break
        found.append(number)
    return [calls[number] for number in sorted(found)]


class _Look:
    """Turns the calls of one mesh into plain data.

    :param not_permitted: the hops that must not have lost their lane.
    """

    def __init__(self, topology: Topology, not_permitted: set[Hop]) -> None:
        self._topology = topology
        self._not_permitted = not_permitted
        self._causes: dict[Hop, Cause | None] = {}
        settings = _runtime.settings
        names = {settings.route_header, settings.trace_header}
        try:
            group = topology.current.group
            names |= {group.route_header, group.trace_header}
        except LanebaggageError:
            pass
        names |= {name for name in settings.pass_through if not name.endswith("*")}
        self._names = names - {"", HOP_HEADER}
        self._prefixes = tuple(name[:-1] for name in settings.pass_through if name.endswith("*"))

    def call(self, call: Call) -> Picture:
        """One call."""
        hops = call.hops
        start = min((hop.started for hop in hops), default=0.0)
        room = [MOST_HOPS]
        tree = [self._hop(hop, start, room, 1) for hop in tuple(call.roots)[:MOST_HOPS]]
        whole = len(hops) <= MOST_HOPS and room[0] == MOST_HOPS - len(hops)
        return {
            "title": short(call.title),
            "lane": short_or_none(call.lane),
            "status": int(call.status),
            "duration": call.duration,
            "unlinked": call.unlinked,
            "lost_at": short_or_none(call.lost_at),
            "hops": [hop for hop in tree if hop is not None],
            "left_out": len(hops) - (MOST_HOPS - room[0]),
            "drawn": draw(call, self._cause) if whole else "",
        }

    def _hop(self, hop: Hop, start: float, room: list[int], depth: int) -> Picture | None:
        if depth > MOST_DEEP or room[0] == 0:
            return None
        room[0] -= 1
        found = {
            "service": short(hop.service),
            "version": short_or_none(hop.version),
            "lane": short_or_none(hop.lane),
            "target": short_or_none(hop.target),
            "fallback": hop.fallback,
            "reason": short(hop.reason),
            "lost": self._lost(hop),
            "external": hop.external,
            "left_mesh": hop.external and hop.lane is not None and hop.version is not None,
            "error": short(hop.error or ""),
            "note": short(hop.note),
            "linked": hop.linked,
            "status": None if hop.status is None else int(hop.status),
            "at": round(hop.started - start, 6),
            "duration": None if hop.duration is None else round(hop.duration, 6),
            "method": short(hop.method, 20),
            "host": short(hop.host, 100),
            "path": short(hop.path),
            "headers": self._headers(hop),
        }
        below = [self._hop(child, start, room, depth + 1) for child in tuple(hop.children)]
        return {**found, "hops": [child for child in below if child is not None]}

    def _lost(self, hop: Hop) -> dict[str, Any] | None:
        if not hop.lost or hop.parent is None:
            return None
        cause = self._cause(hop)
        return {
            "serving": short(hop.parent.service),
            "lane": short_or_none(hop.parent.lane),
            "permitted": hop not in self._not_permitted,
            "cause": short(cause.why) if cause is not None else "",
            "fix": short(cause.fix) if cause is not None else "",
        }

    def _cause(self, hop: Hop) -> Cause | None:
        if hop not in self._causes:
            try:
                self._causes[hop] = cause_of(hop, self._topology)
            except LanebaggageError:  # the mesh has no lanes any more
                self._causes[hop] = None
        return self._causes[hop]

    def _headers(self, hop: Hop) -> list[list[str]]:
        passed = [
            [short(name, 60), short(value, 200)]
            for name, value in hop.request_headers.items()
            if name.lower() in self._names or (self._prefixes and name.lower().startswith(self._prefixes))
        ]
        return passed[:MOST_HEADERS]
