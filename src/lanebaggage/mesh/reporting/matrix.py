"""Lanes x services as plain data: what exists in which lane, what falls back where, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..external import ExternalHost

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...routing import ServiceRef
    from ..topology import Compiled, Instance

MOST_TEXT: Final = 400
MOST_LANES: Final = 50
MOST_SERVICES: Final = 100


def short(text: str, most: int = MOST_TEXT) -> str:
    """A text, cut to a number of characters; what no file can hold (a lone surrogate) becomes a question mark.

    It is of the type ``str`` and of none below, whatever came in: xdist carries no other.
    """
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return cut.encode("utf-8", "replace").decode()


def short_or_none(text: str | None) -> str | None:
    """The same of a text that may be missing."""
    return None if text is None else short(text)


def lanes_of(state: Compiled, instances: Sequence[Instance]) -> dict[str, Any]:
    """A lane group over declared instances, stopped ones too.

    :param state: the mesh's routing as it is.
    :param instances: of every service.
    :return: the group's name, mode and headers, the names of its lanes, and of each service a cell per lane.
    """
    group = state.group
    lanes = [short(lane.name) for lane in group.lanes[:MOST_LANES]]
    services = group.services[:MOST_SERVICES]
    names = [ref.name.lower() for ref in group.services]
    return {
        "group": short(group.name),
        "mode": group.mode,
        "route_header": short(group.route_header),
        "trace_header": short(group.trace_header),
        "baseline": short(group.baseline),
        "lanes": lanes,
        "services": [
            _service(state, ref, ref.name if names.count(ref.name.lower()) == 1 else str(ref), lanes) for ref in services
        ],
        "elsewhere": _elsewhere(group.services, instances),
        "left_out": {"lanes": len(group.lanes) - len(lanes), "services": len(group.services) - len(services)},
    }


def _service(state: Compiled, ref: ServiceRef, label: str, lanes: Iterable[str]) -> dict[str, Any]:
    fallback = short(state.group.fallback(ref)) if state.group.permissive else None
    there = _versions(state, label, fallback) if fallback is not None else []
    return {
        "name": short(label),
        "fallback": fallback,
        "cells": [_cell(_versions(state, label, lane), lane, fallback, there) for lane in lanes],
    }


def _cell(versions: list[str], lane: str, fallback: str | None, there: list[str]) -> dict[str, Any]:
    """What a request in a lane finds where it calls a service."""
    cell: dict[str, Any] = {"versions": versions, "fallback": None, "served_by": [], "missing": ""}
    if versions:
        return cell
    if fallback is None:
        cell["missing"] = "strict mode has no fallback"
    elif fallback == lane:
        cell["missing"] = "nothing falls back from here"
    elif not there:
        cell["missing"] = f"it falls back to {fallback}, which has none"
    else:
        cell["fallback"], cell["served_by"] = fallback, there
    return cell


def _versions(state: Compiled, label: str, lane: str) -> list[str]:
    return [short(instance.version) for instance in state.candidates(label, lane)]


def _elsewhere(services: Sequence[ServiceRef], instances: Iterable[Instance]) -> list[dict[str, Any]]:
    """The services that are in no lane, and the hosts outside the mesh."""
    found: dict[ServiceRef, list[str]] = {}
    for instance in instances:
        if instance.service not in services:
            found.setdefault(instance.service, []).append(short(instance.version))
    return [
        {"name": short(ref.name), "versions": versions, "external": isinstance(ref, ExternalHost)}
        for ref, versions in list(found.items())[:MOST_SERVICES]
    ]
