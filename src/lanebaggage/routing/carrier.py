"""Which lane a request is in: the route header, the baggage member, or what the sidecar remembers for the trace ID.

Baggage is read and spliced with the library's own wire, so that the application and the router never differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._settings import BAGGAGE, BAGGAGE_MODE, TRACE_ID_MODE, resolve
from .._wire import MAX_VALUE, Wire, _cut, _decoded

if TYPE_CHECKING:
    from .memory import TraceMemory
    from .model import LaneGroup
    from .request import Request

FROM_BAGGAGE: Final = "from baggage"
FROM_TRACE: Final = "remembered for its trace ID"


class Carrier:
    """Reads the lane of a request as the group's sidecars do.

    :param baggage_key: key of the lane's member in baggage; the route header's name where empty.
    :param baggage_first: whether baggage is believed before the route header.
    :param whole_traceparent: whether a ``traceparent`` is remembered whole, or by its trace ID alone.
    """

    __slots__ = ("_baggage", "_baggage_first", "_key", "_length", "_memory", "_route", "_trace", "_whole", "_wire")

    def __init__(self, group: LaneGroup, *, baggage_key: str, baggage_first: bool, whole_traceparent: bool) -> None:
        self._route = group.route_header
        self._length = len(group.route_header)
        self._trace = group.trace_header
        self._baggage = group.mode == BAGGAGE_MODE
        self._memory = group.mode == TRACE_ID_MODE
        self._baggage_first = baggage_first
        self._whole = whole_traceparent or self._trace != "traceparent"
        self._key = baggage_key or group.route_header
        names = {"route_header": self._route, "trace_header": BAGGAGE, "baggage_key": self._key}
        self._wire = Wire(resolve({name: text or None for name, text in names.items()}, {}))

    def lane(self, request: Request, memory: TraceMemory | None, now: float) -> tuple[str | None, str]:
        """The value that should name a lane, or None, and where it was found (empty for the route header)."""
        if self._baggage_first and self._baggage and (member := self._member(request)) is not None:
            return member, FROM_BAGGAGE
        route = self._route
        length = self._length
        value: str | None = None
        for name, text in request.headers:
            if len(name) == length and name.lower() == route:
                stripped = text.strip(" \t")
                value = stripped if value is None else f"{value},{stripped}"
        if value is not None:
            return value, ""
        if self._baggage:
            return self._member(request), FROM_BAGGAGE
        if memory is not None and self._memory and (trace := self.trace(request)):
            return memory.recall(trace, now), FROM_TRACE
        return None, ""

    def trace(self, request: Request) -> str | None:
        """What a sidecar remembers the request by, or None where the trace header is absent."""
        value = request.value(self._trace) if self._memory else None
        if value and not self._whole:
            parts = value.split("-")
            return parts[1] if len(parts) > 3 else value
        return value

    def baggage(self, request: Request, lane: str) -> str:
        """What the gateway makes of the request's baggage, in baggage mode."""
        existing = request.value(BAGGAGE) or ""
        if len(existing) > MAX_VALUE:
            existing = ""
        kept = _cut(existing, self._wire._members(existing)).strip(" \t,")
        member = f"{self._key}={lane}"
        return f"{kept},{member}" if kept else member

    def _member(self, request: Request) -> str | None:
        text = request.value(BAGGAGE)
        if not text or len(text) > MAX_VALUE:
            return None
        values = {_decoded(value) for _, _, value in self._wire._members(text)}
        return ",".join(sorted(values)) if values else None
