"""What can be wrong with a lane group or with its files: one finding each, and the exception that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._errors import LanebaggageError

if TYPE_CHECKING:
    from collections.abc import Iterable

ERROR: Final = "error"
WARNING: Final = "warning"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line 0 is no line."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE: Final = Place()
"""Of what was not read from a file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or likely to surprise.

    :param code: short name, such as ``strict-lane-incomplete``; the documentation lists them.
    :param severity: ``error`` or ``warning``.
    :param place: file and line.
    :param what: what is there.
    :param why: what comes of it.
    :param fix: what to do.
    """

    code: str
    severity: str
    place: Place
    what: str
    why: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place.file else ""
        return f"{where}{self.what}; {self.why}. {self.fix}"


def error(code: str, place: Place, what: str, why: str, fix: str) -> Finding:
    """A finding that makes the file unusable, or a request fail."""
    return Finding(code, ERROR, place, what, why, fix)


def warning(code: str, place: Place, what: str, why: str, fix: str) -> Finding:
    """A finding that may be meant."""
    return Finding(code, WARNING, place, what, why, fix)


class RoutingError(LanebaggageError, ValueError):
    """A lane group, or a file that describes one, cannot be used.

    :param findings: what is wrong, or one text that says so.
    """

    def __init__(self, findings: str | Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = () if isinstance(findings, str) else tuple(findings)
        super().__init__(findings if isinstance(findings, str) else "\n".join(map(str, self.findings)))
