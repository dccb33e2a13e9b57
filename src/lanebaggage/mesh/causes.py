"""Why a hop lost its lane, as far as it can be told by looking, and the line that keeps it.

Looked at are the request as it arrived, the request being served, the settings in force, what is instrumented, and where in
the code the request was made. The first explanation that fits is given; each is one that was seen to be true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _causes_elsewhere, _causes_here
from ._cause import (
    EDGE,
    LEFT,
    NOT_INSTRUMENTED,
    NOT_READ,
    OFF,
    OTHER_HEADERS,
    OWN_VALUE,
    PROCESS,
    REFUSED_HOST,
    REFUSED_VALUE,
    SIGNED,
    TAKEN_AWAY,
    THREAD,
    TOO_LATE,
    UNKNOWN,
    Cause,
)
from .apps import ASGI, WSGI

if TYPE_CHECKING:
    from .hops import Hop
    from .topology import Topology

__all__ = [
    "EDGE",
    "LEFT",
    "NOT_INSTRUMENTED",
    "NOT_READ",
    "OFF",
    "OTHER_HEADERS",
    "OWN_VALUE",
    "PROCESS",
    "REFUSED_HOST",
    "REFUSED_VALUE",
    "SIGNED",
    "TAKEN_AWAY",
    "THREAD",
    "TOO_LATE",
    "UNKNOWN",
    "Cause",
    "cause_of",
]


def cause_of(hop: Hop, topology: Topology) -> Cause | None:
    """The likely cause of a lost lane; None for a hop that lost none.

    :param topology: of the mesh, as it was during the call.
    """
    parent = hop.parent
    if not hop.lost or parent is None:
        return None
    ours = parent.instance is not None and isinstance(parent.instance.app, (WSGI, ASGI))
    looks = _causes_here.LOOKS if ours else _causes_elsewhere.LOOKS
    state = topology.current
    found = next((cause for look in looks if (cause := look(hop, parent, state)) is not None), None)
    if found is not None:
        return found
    why = f"not found by looking: {parent.service} had the lane, and its call did not{_causes_here.place(hop)}"
    return Cause(
        UNKNOWN, why, "lanebaggage.auto_instrument(debug=True) logs each decision; lanebaggage doctor lists what is patched"
    )
