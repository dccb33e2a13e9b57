"""Draw a call as a tree of hops: service, version, lane, fallback, and where the lane was lost.

Made of texts with a style each, so that plain text and a terminal's colours come from one drawing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .causes import cause_of
from .hops import BY_EXCLUSION, HOP_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.text import Text

    from .causes import Cause
    from .hops import Call, Hop
    from .topology import Topology

    Causes = Callable[[Hop], Cause | None]
    Segments = list[tuple[str, str]]

QUIET = "dim"
BAD = "bold red"
_LANE_STYLES = ("cyan", "magenta", "yellow", "green", "blue", "bright_cyan", "bright_magenta", "bright_yellow")


def draw(call: Call, causes: Causes | None = None) -> str:
    """A call as plain text.

    :param causes: finds why a hop lost the lane; left out unless given.
    """
    return "\n".join("".join(text for text, _ in line) for line in lines(call, causes))


def explained(call: Call, topology: Topology) -> str:
    """A call as plain text, with the likely cause of each lost lane and what fixes it."""
    return draw(call, partial(cause_of, topology=topology))


def rich_lines(call: Call) -> list[Text]:
    """A call as lines for rich; colours appear only where its console has them."""
    from rich.text import Text

    return [Text.assemble(*line) for line in lines(call)]


def lane_style(lane: str | None) -> str:
    """The colour of a lane, the same one every time."""
    return _LANE_STYLES[sum(lane.encode()) % len(_LANE_STYLES)] if lane else QUIET


def lines(call: Call, causes: Causes | None = None) -> Iterator[Segments]:
    """A call as lines of (text, style); otherwise as :func:`draw`."""
    head: Segments = [(call.title, "bold")]
    if call.status:
        head.append((f"  {call.status}", "" if call.status < 400 else BAD))
    if call.duration is not None:
        head.append((f"  {_seconds(call.duration)}", QUIET))
    if call.unlinked:
        head.append((f"  (made by one of several requests of {_caller(call)}; forward {HOP_HEADER} to tell which)", QUIET))
    yield head
    yield from _below(call.roots, causes)


def _below(roots: Sequence[Hop], causes: Causes | None) -> Iterator[Segments]:
    waiting = _indented(roots, "")
    while waiting:
        hop, indent, last = waiting.pop()
        yield [(indent + ("└─ " if last else "├─ "), QUIET), *_hop(hop)]
        below = indent + ("   " if last else "│  ")
        if causes is not None and hop.lost and (cause := causes(hop)) is not None:
            margin = below + ("│  " if hop.children else "   ")
            yield [(margin, QUIET), (f"cause: {cause.why}", BAD)]
            yield [(margin, QUIET), (f"fix:   {cause.fix}", "green")]
        waiting.extend(_indented(hop.children, below))


def _indented(hops: Sequence[Hop], indent: str) -> list[tuple[Hop, str, bool]]:
    """Hops of one parent, the first one last: each with its indent, and whether it is drawn as the last one."""
    found = tuple(hops)
    return [(hop, indent, hop is found[-1]) for hop in reversed(found)]


def _hop(hop: Hop) -> Iterator[tuple[str, str]]:
    yield f"{hop.service} {hop.version or '-'}", "bold" if hop.version else BAD
    yield "  ", ""
    yield f"lane {hop.lane}" if hop.lane else "no lane" if hop.routed else "under way", lane_style(hop.lane)
    if hop.lost and hop.parent is not None:
        yield f"  <-- lane lost: {hop.parent.service} was serving lane {hop.parent.lane}", BAD
    if hop.external and hop.lane is not None and hop.version is not None:
        yield "  <-- the lane left the mesh", BAD
    if hop.fallback:
        yield f"  fallback: {hop.reason}", "yellow"
    if hop.version is None:
        yield f"  {hop.status or ''} {hop.reason}".rstrip(), BAD
    elif hop.status is not None and hop.status >= 400:
        yield f"  {hop.status}", BAD
    if hop.error and hop.version is not None:
        yield f"  {hop.error}", BAD
    if hop.note:
        yield f"  {hop.note}", "yellow"
    if hop.linked == BY_EXCLUSION:
        yield f"  (linked as the {BY_EXCLUSION} being served)", QUIET


def _caller(call: Call) -> str:
    return next((hop.caller for hop in call.roots if hop.caller), None) or "a service"


def _seconds(duration: float) -> str:
    return f"{duration * 1000:.1f} ms" if duration < 1 else f"{duration:.2f} s"
