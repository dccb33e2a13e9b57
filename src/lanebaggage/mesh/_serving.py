"""Which hop this code is serving: a ContextVar of the mesh's own, set as a request enters an application of this process."""

from __future__ import annotations

import threading
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Final

from .. import _runtime, instrumentation
from .._context import CARRIED
from .._settings import Settings
from ..instrumentation.servers._serve import ENTERED
from .hops import HOP_HEADER
from .traffic import CLIENT, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .hops import Hop
    from .traffic import Headers

SERVING: Final[ContextVar[Hop | None]] = ContextVar("lanebaggage.mesh.serving", default=None)

_UNKNOWN: Final = Origin()


def context_of(hop: Hop, app: Any, headers: Headers, request: dict[str, Any]) -> Context:
    """A context with nothing in it but the hop, so that only headers can bring a lane into the application.

    An application whose class nobody instruments, such as a function, gets its request's lane from the server that calls
    it; where the library is on, the in-process engine does as those servers do.

    :param request: the environ or scope, which those servers mark.
    """
    context = Context()
    context.run(SERVING.set, hop)
    if not hasattr(type(app).__call__, "__wrapped__") and any(instrumentation.report()):
        context.run(CARRIED.set, _runtime.wire.from_pairs(headers))
        request[ENTERED] = True
    return context


def origin() -> Origin:
    """Where a request comes from that is made here and now.

    The main thread outside every request is a test's own code. Another thread outside every request is most likely one of
    an application, a pool's worker, whose instance is then found by the hop header or by exclusion.
    """
    hop = SERVING.get()
    if hop is not None:
        return Origin(hop.instance, hop)
    return CLIENT if threading.current_thread() is threading.main_thread() else _UNKNOWN


class Forwarding:
    """Has this process's instrumentation forward the hop header, whenever and with whatever settings it was switched on."""

    def __init__(self) -> None:
        self._before: Settings | None = None
        self._ours: Settings | None = None
        self._headers: Mapping[str, str] = {}

    def ensure(self, headers: Mapping[str, str]) -> None:
        """Add the header to the settings in force; cheap where it is there already.

        :param headers: the lane group's, by the names of their settings: they replace what nobody set, as the variables do
            that a process of the mesh is started with.
        """
        settings = _runtime.settings
        if settings is self._ours:
            if headers == self._headers:
                return
            assert self._before is not None
            settings = self._before
        if HOP_HEADER in settings.pass_through:
            return
        values = {name: getattr(settings, name) for name in settings.__slots__ if name != "sources"}
        values["pass_through"] = (*settings.pass_through, HOP_HEADER)
        if all(settings.sources[name] == "default" for name in ("route_header", "trace_header", "baggage_key")):
            values.update(headers)
            values["baggage_key"] = values["route_header"]
        self._before, self._ours, self._headers = settings, Settings(values, settings.sources), dict(headers)
        _runtime.activate(self._ours)

    def undo(self) -> None:
        """Put the settings back that were in force, unless they were changed since."""
        if self._ours is not None and self._before is not None and _runtime.settings is self._ours:
            _runtime.activate(self._before)
        self._before = self._ours = None
