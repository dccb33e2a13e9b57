"""Routes as meshes without lanes have them: matches, weighted destinations, header operations; first match wins.

What Istio's VirtualService and Gateway API's HTTPRoute are read into. ``tables.py`` decides with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .errors import NOWHERE, Place
from .matching import StringMatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .request import Request
    from .services import ServiceRef

MESH: Final = "mesh"
"""The reserved gateway name that means all sidecars (Istio VirtualService ``gateways``)."""


@dataclass(frozen=True, slots=True)
class HeaderChanges:
    """Changes of request headers (Istio ``headers.request``, Gateway API RequestHeaderModifier); names in lower case."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


NO_CHANGES: Final = HeaderChanges()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a route sends requests.

    :param service: the service.
    :param subset: which of its instances; any where empty.
    :param weight: its share.
    :param changes: of headers, for this destination only.
    :param fallback: where to if it has no healthy endpoint, in order (ASM's extension ``route[].fallback``).
    """

    service: ServiceRef
    subset: str = ""
    weight: int = 0
    changes: HeaderChanges = NO_CHANGES
    fallback: tuple[Destination, ...] = ()
    port: int | None = None


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """Conditions on one request and its sender, all of which must hold (Istio HTTPMatchRequest).

    :param path: ``uri``; of kind ``prefix`` it compares text, as Istio does.
    :param path_elements: a prefix of whole path elements, as Gateway API's PathPrefix.
    :param without_headers: conditions none of which may hold.
    :param query: on the first value of a parameter, as it stands.
    :param source_labels: labels that the calling workload must have.
    :param gateways: gateways, or ``mesh``, that it is for; none means those of its VirtualService.
    """

    path: StringMatch | None = None
    path_elements: str = ""
    ignore_case: bool = False
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: tuple[tuple[str, StringMatch], ...] = ()
    without_headers: tuple[tuple[str, StringMatch], ...] = ()
    query: tuple[tuple[str, StringMatch], ...] = ()
    source_labels: Mapping[str, str] = field(default_factory=dict)
    gateways: tuple[str, ...] = ()

    def matches(self, request: Request, *, each: bool) -> bool:
        """Whether a request meets the conditions on it; those on the sender are the caller's part.

        :param each: try each value of a repeated header by itself.
        """
        return (
            self._path_matches(request.plain_path)
            and (self.method is None or self.method.matches(request.method))
            and (self.authority is None or self.authority.matches(request.host))
            and all(_has(request, name, condition, each) for name, condition in self.headers)
            and not any(_has(request, name, condition, each) for name, condition in self.without_headers)
            and all((value := request.query(name)) is not None and condition.matches(value) for name, condition in self.query)
        )

    def _path_matches(self, path: str) -> bool:
        if self.path_elements and self.path_elements != "/":
            prefix = self.path_elements.rstrip("/")
            if path != prefix and not path.startswith(prefix + "/"):
                return False
        if self.path is None:
            return True
        if self.ignore_case and self.path.kind in ("exact", "prefix"):
            return StringMatch(self.path.kind, self.path.value.lower()).matches(path.lower())
        return self.path.matches(path)

    def __str__(self) -> str:
        named = (("path", self.path), ("method", self.method), ("authority", self.authority))
        parts = [f"{name} {condition}" for name, condition in named if condition is not None]
        parts += [f"path below {self.path_elements}"] if self.path_elements not in ("", "/") else []
        parts += [f"{name} {condition}" for name, condition in (*self.headers, *self.query)]
        parts += [f"not {name} {condition}" for name, condition in self.without_headers]
        parts += [f"caller {name}={value}" for name, value in self.source_labels.items()]
        return " and ".join(parts) or "any request"

    @property
    def is_catch_all(self) -> bool:
        """Whether it holds for every request of every sender; ``uri`` with prefix ``/`` is no condition."""
        return self in (ANY_SENDER, RouteMatch(path=StringMatch("prefix", "/")), RouteMatch(path_elements="/"))


ANY_SENDER: Final = RouteMatch()
"""A match without any condition."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: any of its matches, then its destinations by weight.

    :param name: its own, or its number among its like.
    :param matches: none means every request.
    :param status: answered by the proxy itself (Istio ``directResponse`` and ``redirect``); None for a real route.
    """

    name: str
    matches: tuple[RouteMatch, ...] = ()
    destinations: tuple[Destination, ...] = ()
    changes: HeaderChanges = NO_CHANGES
    status: int | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def is_catch_all(self) -> bool:
        """Whether it takes every request; Istio drops what comes after it."""
        return not self.matches or any(match.is_catch_all for match in self.matches)


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """Routes for some hosts, at some gateways or in the mesh.

    :param hosts: names or ``*.suffix`` or ``*``.
    :param gateways: ``namespace/name``, or ``mesh``.
    :param by_specificity: whether routes were put in order by how specific they are, as Gateway API has it.
    """

    name: str
    namespace: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: tuple[Route, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    by_specificity: bool = False


@dataclass(frozen=True, slots=True)
class Subsets:
    """The subsets of one service (Istio DestinationRule): name to pod labels."""

    service: ServiceRef
    labels: Mapping[str, Mapping[str, str]]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


def _has(request: Request, name: str, condition: StringMatch, each: bool) -> bool:
    return any(condition.matches(value) for value in request.texts(name, each=each))
