"""The debug mode: each decision is logged once per place in the application's code, on ``lanebaggage.debug``.

Names of lanes and hosts are logged only where they are made of the characters that lanes and hosts are made of.
"""

from __future__ import annotations

import logging
import os
import sys

from . import _watch
from ._log import LOGGER_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Final

    from ._watch import Hop

LOGGER: Final = logging.getLogger(f"{LOGGER_NAME}.debug")

_DECISIONS: Final = 500
"""How many are logged in the life of a process: hosts and lanes come from outside, and must not fill a disk."""

_OURS: Final = __file__.rpartition(os.sep)[0] + os.sep
_STANDARD: Final = os.__file__.rpartition(os.sep)[0] + os.sep

_seen: set[tuple[str, str]] = set()
_stop: Callable[[], None] | None = None


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg] # of whatever stderr is
    """Prints while the application has set up no logging, since the debug mode was asked for."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            super().emit(record)


def switch(*, on: bool) -> None:
    """Begin or end the debug mode; what was logged before counts as new again."""
    global _stop
    _seen.clear()
    if on and _stop is None:
        LOGGER.setLevel(logging.DEBUG)
        handler = _Stderr()
        handler.setFormatter(logging.Formatter("lanebaggage: %(message)s"))
        LOGGER.addHandler(handler)
        stop_watching = _watch.on_hop(_decided)
        _watch.lost = _lost

        def stop() -> None:
            LOGGER.removeHandler(handler)
            LOGGER.setLevel(logging.NOTSET)
            _watch.lost = None
            stop_watching()

        _stop = stop
    elif not on and _stop is not None:
        stop, _stop = _stop, None
        stop()


def _decided(hop: Hop) -> None:
    lane = f"in lane {hop.lane}" if hop.lane is not None else "in no lane"
    if hop.direction == _watch.IN:
        _log("", f"a request or message arrived {lane}")
    elif hop.sent:
        _log(_place(), f"a call to {_host(hop.host)} {lane}: it gets the headers")
    else:
        _log(_place(), f"a call to {_host(hop.host)} {lane}: it gets no header: {hop.reason}")


def _lost(host: str, thread: str, lane: str) -> None:
    name = thread[:60] if thread.isascii() and thread.isprintable() else "?"
    _log(
        _place(),
        f"a call to {_host(host)} in no lane, from the thread {name!r}, which was started in lane {lane}: a "
        f"daemon thread, or one of _thread, serves others too and keeps no lane; enter it for each job: "
        f"with lanebaggage.lane(name)",
    )


def _log(place: str, message: str) -> None:
    if (place, message) not in _seen and len(_seen) < _DECISIONS:
        _seen.add((place, message))
        LOGGER.debug("%s%s", f"{place}: " if place else "", message)


def _place() -> str:
    """File, line and function of the application's innermost frame, or of the library's that is outermost."""
    frame: FrameType | None = sys._getframe(2)
    outermost = ""
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith((_OURS, "<frozen")):
            outermost = f"{code.co_filename}:{frame.f_lineno} {code.co_name}"
            if not code.co_filename.startswith(_STANDARD) and "-packages" not in code.co_filename:
                return outermost
        frame = frame.f_back
    return outermost


def _host(host: str) -> str:
    return host if len(host) <= 253 and not host.strip("abcdefghijklmnopqrstuvwxyz0123456789-._:") else "a host"
