"""Warnings that cannot flood a log: once per subject, or once per minute and kind.

What a client sent is never a part of a message: callers pass lengths and counts. ``logging`` is imported at the first
message, since it is half of what importing the core would cost.
"""

from __future__ import annotations

import time

LOGGER_NAME = "lanebaggage"
INTERVAL = 60.0
"""Seconds between two warnings of one kind."""

_SUBJECTS = 200
"""How many subjects are remembered: what a client controls must not grow without end."""

_last: dict[str, float] = {}
_seen: set[str] = set()


def warn(message: str, *args: object) -> None:
    """Log a warning on the ``lanebaggage`` logger; never raises."""
    import logging

    try:
        logging.getLogger(LOGGER_NAME).warning(message, *args)
    except Exception:  # noqa: S110 - a user's log handler may raise, and a request must not end for it
        pass


def warn_limited(kind: str, message: str, *args: object) -> None:
    """Log at most one warning of this kind in ``INTERVAL`` seconds."""
    now = time.monotonic()
    last = _last.get(kind)
    if last is None or now - last >= INTERVAL:
        _last[kind] = now
        warn(message, *args)


def warn_once(subject: str, message: str, *args: object) -> None:
    """Log one warning per subject for the life of the process, and none once too many subjects were seen."""
    if subject in _seen or len(_seen) >= _SUBJECTS:
        return
    _seen.add(subject)
    warn(message, *args)


def forget() -> None:
    """Forget what was logged, so that a test or a second ``auto_instrument`` hears it again."""
    _last.clear()
    _seen.clear()
