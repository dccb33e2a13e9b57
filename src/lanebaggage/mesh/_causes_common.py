"""Causes that can be told from the requests and the settings alone, of a service in this process or in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._settings import BAGGAGE, BAGGAGE_MODE
from .._wire import MAX_HEADERS, MAX_TOTAL, MAX_VALUE, is_lane
from ._cause import EDGE, OTHER_HEADERS, OWN_VALUE, REFUSED_VALUE, Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._settings import Settings
    from ..routing import LaneGroup
    from .hops import Hop
    from .topology import Compiled

    Remedy = Callable[[Mapping[str, str | list[str] | bool]], str]
    """Says how settings get these values: by arguments, or by variables."""


def names_of(group: LaneGroup) -> list[str]:
    """The headers that bring a lane, the trace header first; none in strict mode."""
    return [name for name in dict.fromkeys((group.trace_header, group.route_header)) if name]


def agent_of(hop: Hop) -> str:
    """How the client names itself, as far as that can be shown; empty for none."""
    agent = hop.request_headers.get("user-agent", "")
    return agent[:60] if agent.isascii() and agent.isprintable() else ""


def own_value(hop: Hop, parent: Hop, state: Compiled, place: str) -> Cause | None:
    """A value of the application's own wins over the one that it should have forwarded."""
    for name in names_of(state.group):
        values = hop.request_headers.getall(name, [])
        if name == BAGGAGE and state.group.mode == BAGGAGE_MODE:
            carried = state.wire.from_pairs((name, value) for value in values)
            values = [carried.lane] if carried is not None and carried.lane not in (None, parent.lane) else []
        elif values == parent.request_headers.getall(name, []):
            continue
        if values:
            shown = f": {values[0]}" if len(values) == 1 and is_lane(values[0]) else f", {len(values)} values"
            why = f"the request has an {name} of its own{shown}; {parent.service} or a library of it sets it{place}"
            return Cause(OWN_VALUE, why, f"take {name} out of the request's headers; lanebaggage adds the right one")
    return None


def other_headers(parent: Hop, state: Compiled, settings: Settings, remedy: Remedy) -> Cause | None:
    """The library forwards headers, and none of those that brought the lane."""
    group = state.group
    names = names_of(group)
    arrived = [name for name in names if name in parent.request_headers]
    if not arrived or any(_forwards(settings, name) for name in arrived):
        return None
    forwarded = " and ".join(dict.fromkeys((settings.route_header, settings.trace_header)))
    source = " and ".join(dict.fromkeys(settings.sources[name] for name in ("route_header", "trace_header")))
    why = f"{parent.service} forwards {forwarded} (by {source}), while the lane group's lanes come by {' and '.join(names)}"
    wanted = {"route_header": group.route_header, "trace_header": group.trace_header}
    return Cause(OTHER_HEADERS, why, remedy({name: value for name, value in wanted.items() if value}))


def refused_value(parent: Hop, state: Compiled, settings: Settings, remedy: Remedy) -> Cause | None:
    """The lane arrived at the service, which did not believe it."""
    service, lane = parent.service, parent.lane or ""
    if settings.edge:
        why = f"edge (by {settings.sources['edge']}): {service} ignores what arrives, as a service does that strangers call"
        return Cause(EDGE, why, f"{remedy({'edge': False})}   # where a gateway of the mesh stands before it")
    if settings.lanes is not None and lane not in settings.lanes:
        known = sorted({*settings.lanes, *(one.name for one in state.group.lanes)})
        why = f"{service} refused the lane: its lanes (by {settings.sources['lanes']}) do not name {lane}"
        return Cause(REFUSED_VALUE, why, remedy({"lanes": known}))
    pairs = [(name, value) for name, value in parent.request_headers.items() if _forwards(settings, name.lower())]
    total = sum(len(value) for _, value in pairs)
    if len(pairs) > MAX_HEADERS or total > MAX_TOTAL:
        why = (
            f"{service} refused what arrived: {len(pairs)} pass-through headers of {total} characters, where {MAX_HEADERS} "
            f"of {MAX_TOTAL} are the most"
        )
        return Cause(REFUSED_VALUE, why, "name fewer headers in pass_through, or send fewer of them")
    for name in names_of(state.group):
        size = sum(len(value) for found, value in pairs if found.lower() == name)
        if size > MAX_VALUE:
            why = f"{service} refused {name}: it has {size} characters, and {MAX_VALUE} are the most"
            return Cause(REFUSED_VALUE, why, f"send a shorter {name}")
    return None


def _forwards(settings: Settings, name: str) -> bool:
    return name in (settings.route_header, settings.trace_header) or _matches(settings.pass_through, name)


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(name == one or (one[-1] == "*" and name.startswith(one[:-1])) for one in patterns)
