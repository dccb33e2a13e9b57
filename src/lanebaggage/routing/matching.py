"""Conditions on a request: on its path, and on its headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from .errors import RoutingError
from .regex import compiled

if TYPE_CHECKING:
    import re

    from .request import Request


@dataclass(frozen=True, slots=True)
class StringMatch:
    """One condition on a text, as Istio's StringMatch.

    :param kind: ``exact``, ``prefix``, ``regex`` (RE2, the whole text) or ``present`` (any value, Istio's empty match).
    :param value: what to compare with; case-sensitive. As UTF-8 it is compared byte by byte, as Envoy does.
    :raises RoutingError: the kind is another, or the mesh would not take the regex.
    """

    kind: Literal["exact", "prefix", "regex", "present"]
    value: str = ""
    wire: str = field(init=False, repr=False, compare=False, default="")
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.kind not in ("exact", "prefix", "regex", "present"):
            raise RoutingError(f"a match is exact, prefix or regex, not {self.kind!r}")
        object.__setattr__(self, "wire", on_the_wire(self.value))
        if self.kind == "regex":
            object.__setattr__(self, "_pattern", compiled(self.wire))

    def matches(self, text: str) -> bool:
        """Whether a text meets the condition; as in a request, each character is a byte."""
        if self.kind == "exact":
            return text == self.wire
        if self.kind == "prefix":
            return text.startswith(self.wire)
        return self._pattern is None or self._pattern.fullmatch(text) is not None

    def __str__(self) -> str:
        return "any value" if self.kind == "present" else f"{self.kind} {self.value}"


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions on one request, all of which must hold (Istio's HTTPMatchRequest).

    :param uri: on the path without query; None for any.
    :param headers: name and condition each; names in any case.
    """

    uri: StringMatch | None = None
    headers: tuple[tuple[str, StringMatch], ...] = ()

    def matches(self, request: Request, *, each: bool = False) -> bool:
        """Whether a request meets every condition; a header that is absent meets none.

        :param each: try each value of a repeated header by itself, as Envoy 1.39 and later do in route matches, rather
            than all of them joined by commas.
        """
        if self.uri is not None and not self.uri.matches(request.plain_path):
            return False
        for name, condition in self.headers:
            if not any(condition.matches(value) for value in request.texts(name, each=each)):
                return False
        return True

    def __str__(self) -> str:
        parts = [] if self.uri is None else [f"uri {self.uri}"]
        parts += [f"{name} {condition}" for name, condition in self.headers]
        return " and ".join(parts) or "any request"


def on_the_wire(text: str) -> str:
    """A text as a request has it: its bytes in UTF-8, each byte a character (ISO 8859-1)."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


ANY_REQUEST: Final = Match()
"""No condition at all."""
