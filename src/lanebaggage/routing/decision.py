"""What the router decided about one hop, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OK: Final = 200
NOT_FOUND: Final = 404
UNAVAILABLE: Final = 503

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one hop goes. Shared between requests and never changed; prints as one line.

    :param service: the service's name; ``namespace/name`` where the group has the name in two namespaces.
    :param lane: the request's lane, or None outside every lane; a fallback does not change it.
    :param target: the lane whose instances serve the request; None on an error.
    :param fallback: whether that is another lane than the request's, since the service is missing there.
    :param status: 200, 404 (no rule, no such service) or 503 (no instance).
    :param reason: why, in words, without anything that the client sent.
    :param rule: name of the lane rule, at the gateway.
    :param set_headers: headers to set, each replacing every value that stands there.
    :param add_headers: headers to add to what stands there (Istio only).
    :param remove_headers: headers to remove (Istio only).
    """

    service: str
    lane: str | None = None
    target: str | None = None
    fallback: bool = False
    status: int = OK
    reason: str = ""
    rule: str | None = None
    set_headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    add_headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    remove_headers: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether some instance serves the request."""
        return self.status == OK

    def __str__(self) -> str:
        lane = f"lane {self.lane}" if self.lane else "no lane"
        if self.status != OK:
            return f"{self.service}: {self.status} ({lane}): {self.reason}"
        return (
            f"{self.service} -> {self.target or 'any instance'} ({lane}{', fallback' if self.fallback else ''}): {self.reason}"
        )
