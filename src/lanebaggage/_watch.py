"""Watching hops: the callbacks of ``on_hop``, and worker threads that were started while a lane was active.

While nobody watches, an outgoing hop pays one look at an empty tuple and an incoming one nothing at all: the wire is
replaced by one that reports only as long as there is a watcher.
"""

from __future__ import annotations

from _thread import get_ident

from . import _log
from ._stats import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from ._wire import Carried

    Watcher = Callable[["Hop"], object]

IN: Final = "in"
OUT: Final = "out"

_STARTED_IN: Final = "_lanebaggage_started_in"
"""On a worker thread: the lane that was active when it was started, which it does not keep."""

watchers: tuple[Watcher, ...] = ()

workers = False
"""Whether a worker was ever started while a lane was active."""

_low_level: dict[int, str] = {}
"""By identifier, the same of threads that have no object: those of ``_thread``, while they run."""

lost: Callable[[str, str, str], None] | None = None
"""Told of a call without a lane from such a worker; the debug mode's."""


class Hop:
    """One request or message that arrived, or one request to a host that was decided about."""

    __slots__ = ("direction", "host", "lane", "reason", "sent")

    direction: str
    """``in`` or ``out``."""
    lane: str | None
    """The lane that arrived, or that the request being served is in."""
    host: str
    """Where an outgoing request goes; empty for an incoming one."""
    sent: bool
    """Whether an outgoing request gets the pass-through headers."""
    reason: str
    """Why it does not, in words; empty where it does."""

    def __init__(self, direction: str, lane: str | None, host: str = "", reason: str = "") -> None:
        self.direction = direction
        self.lane = lane
        self.host = host
        self.sent = direction == OUT and not reason
        self.reason = reason

    def __repr__(self) -> str:
        return f"Hop({self.direction!r}, lane={self.lane!r}, host={self.host!r}, sent={self.sent}, reason={self.reason!r})"


def on_hop(callback: Watcher) -> Callable[[], None]:
    """Have a function called at each hop.

    :param callback: called with a :class:`Hop`, in the thread and task that makes or serves it; what it raises is logged,
        never passed on. Outgoing hops are those of a request that carries something.
    :return: a function without arguments that ends the calls.
    """
    global watchers
    watchers = (*watchers, callback)
    _replace_wire()

    def stop() -> None:
        global watchers
        watchers = tuple(watcher for watcher in watchers if watcher is not callback)
        _replace_wire()

    return stop


def outgoing(host: str, carried: Carried, reason: str = "") -> None:
    """Tell the watchers of a decision about a host."""
    _tell(Hop(OUT, carried.lane, host.lower(), reason))


def incoming(carried: Carried | None) -> None:
    """Tell the watchers of what arrived; not again where an outer server of the same request has entered it."""
    from ._context import CARRIED

    current = CARRIED.get()
    if carried is current or (carried and current and carried.headers and carried.headers == current.headers):
        return
    _tell(Hop(IN, None if carried is None else carried.lane))


def _tell(hop: Hop) -> None:
    for watcher in watchers:
        try:
            watcher(hop)
        except Exception as error:
            _log.warn_limited("on_hop", "a callback of on_hop() raised %s", type(error).__name__)


def _replace_wire() -> None:
    from . import _runtime
    from ._watched import WatchedWire
    from ._wire import Wire

    _runtime.make_wire = WatchedWire if watchers else Wire
    _runtime.wire = _runtime.make_wire(_runtime.settings)


# --- workers


def worker_started(thread: Any, lane: str | None) -> None:
    """Remember that a worker, which keeps no lane, was started by a request that has one."""
    global workers
    if lane is not None:
        setattr(thread, _STARTED_IN, lane)
        workers = True


def low_level_worker(function: Callable[..., object], lane: str) -> Callable[..., object]:
    """A function for a thread of ``_thread`` that is started by a request in a lane, and keeps none."""
    global workers
    workers = True

    def run(*args: Any, **kwargs: Any) -> object:
        number = get_ident()
        _low_level[number] = lane
        try:
            return function(*args, **kwargs)
        finally:
            _low_level.pop(number, None)

    return run


def started_in() -> str | None:
    """The lane that was active when the worker that runs here was started, or None where no such worker runs."""
    lane = _low_level.get(get_ident())
    if lane is None:
        import threading

        lane = getattr(threading.current_thread(), _STARTED_IN, None)
    return lane


def without_lane(host: str) -> None:
    """Count a call that carries nothing where it comes from such a worker."""
    lane = started_in()
    if lane is not None:
        counts.lost_in_thread += 1
        if lost is not None:
            import threading

            lost(host, threading.current_thread().name, lane)
