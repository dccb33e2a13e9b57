"""What the commands on lane files read: lane groups or, where there are none, routes; and workloads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from ..routing import LaneGroup, RoutingError, ServiceRef
from ..routing.asm import read
from ..routing.documents import MAX_BYTES, documents, read_files
from ..routing.errors import ERROR
from ..routing.istio import read_routes
from ..routing.workloads import read_workloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..routing import Finding, RouteTable, Workloads
    from ..routing.documents import Document

FILES = click.Path(exists=True, allow_dash=True)


def texts_of(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Texts and names of files, of the files of directories, and of standard input, which is ``-``.

    :raises RoutingError: as for :func:`~lanebaggage.routing.documents.read_files`.
    """
    for path in paths:
        if path == "-":
            given = sys.stdin.buffer.read(MAX_BYTES + 1)
            yield given.decode("utf-8", "surrogateescape"), "<stdin>"
        else:
            yield from read_files([path])


class Read:
    """What files hold: lane groups or, where they hold none, routes; and workloads.

    :param repeated: how routes compare a repeated header.
    """

    def __init__(self, paths: Sequence[str], *, repeated: Literal["joined", "each"] = "joined") -> None:
        findings: list[Finding] = []
        found: list[Document] = [each for text, file in texts_of(paths) for each in documents(text, file)]
        self.groups: list[LaneGroup] = read(found, findings)
        self.table: RouteTable = read_routes(found, findings, repeated=repeated)
        self.workloads: Workloads = read_workloads(found, findings)
        errors = [finding for finding in findings if finding.severity == ERROR]
        if errors:
            raise RoutingError(errors)
        if not self.groups and not self.table.hosts:
            raise RoutingError(f"{', '.join(paths)}: no ASMSwimLaneGroup, VirtualService or HTTPRoute is in there")

    def group(self, name: str | None, service: str | None = None) -> LaneGroup:
        """The group of this name, or the one that has a service, or the only one."""
        named = [group for group in self.groups if group.name == name or name is None]
        if service is not None and len(named) > 1:
            named = [group for group in named if called(group, service) is not None] or named
        if len(named) == 1:
            return named[0]
        names = ", ".join(group.name for group in self.groups)
        what = f"no lane group {name}; there are {names}" if name else f"several lane groups: choose one of {names} by --group"
        raise RoutingError(what)


def called(group: LaneGroup, service: str) -> ServiceRef | None:
    """The service of a group that a text means, or None."""
    short = [each for each in group.services if each.name == service]
    if short:
        return short[0] if len(short) == 1 else None
    try:
        meant = ServiceRef.parse(service)
    except RoutingError:
        return None
    return meant if meant in group.services else None
