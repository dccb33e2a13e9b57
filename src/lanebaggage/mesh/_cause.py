"""The kinds of causes why a lane was lost, and what each tells."""

from __future__ import annotations

from typing import Final, NamedTuple

OFF: Final = "off"
TOO_LATE: Final = "too late"
OWN_VALUE: Final = "own value"
OTHER_HEADERS: Final = "other headers"
EDGE: Final = "edge"
REFUSED_VALUE: Final = "refused value"
REFUSED_HOST: Final = "refused host"
SIGNED: Final = "signed"
NOT_INSTRUMENTED: Final = "not instrumented"
TAKEN_AWAY: Final = "taken away"
LEFT: Final = "left"
NOT_READ: Final = "not read"
THREAD: Final = "thread"
PROCESS: Final = "process"
UNKNOWN: Final = "unknown"


class Cause(NamedTuple):
    """Why a lane was lost.

    :param kind: one of this module's names, for programs.
    :param why: in words.
    :param fix: what to write, and where.
    """

    kind: str
    why: str
    fix: str
