"""The doctor's findings as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..instrumentation import PATCHED
from .inventory import NOT_INSTALLED
from .probe import KEPT, LOST, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .inventory import LibraryFacts, SettingFacts
    from .probe import Probe
    from .start import Way
    from .target import TargetFacts


def columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows of cells as aligned lines, indented."""
    table = [tuple(row) for row in rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]) - 1)] if table else []
    for row in table:
        yield "  " + "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])).rstrip()


def about_settings(facts: list[SettingFacts]) -> Iterator[str]:
    """The settings and where each came from."""
    yield "Settings"
    yield from columns((fact.name, _shown(fact.value), fact.source) for fact in facts)


def about_ways(facts: list[Way]) -> Iterator[str]:
    """What switches lanebaggage on in this environment."""
    yield "Switched on by"
    yield from columns((way.name, "yes" if way.works else "no", way.detail) for way in facts)
    if not any(way.works for way in facts):
        yield "  nothing in this environment: unless the code calls lanebaggage.auto_instrument(), it is off"


def about_libraries(facts: list[LibraryFacts], failures: dict[str, str]) -> Iterator[str]:
    """The installed libraries one by one, and the names of the others."""
    yield "Libraries"
    installed = [fact for fact in facts if fact.status != NOT_INSTALLED]
    yield from columns((fact.library, fact.role, fact.version or "", fact.status, _why(fact, failures)) for fact in installed)
    absent = sorted({fact.library for fact in facts} - {fact.library for fact in installed})
    if absent:
        yield f"  not installed: {', '.join(absent)}"


def about_target(facts: TargetFacts) -> Iterator[str]:
    """What a URL would be sent."""
    yield f"{facts.url}: {'sent' if facts.sent else 'nothing is sent'}: {facts.reason}"
    for name, value in facts.headers:
        yield f"  {name}: {value}"
    if facts.fix:
        yield f"  {facts.fix}"


def about_probe(found: Probe) -> Iterator[str]:
    """The calls that a probe saw, and where the lane was lost."""
    yield f"{found.url} answered {found.status}, probed in lane {found.lane}"
    yield from columns((hop.verdict, hop.call, f"by {hop.caller}") for hop in found.hops)
    for hop in found.hops:
        if hop.verdict != KEPT:
            place = f"{hop.caller} lost the lane" if hop.verdict in (LOST, OTHER) else "not judged"
            yield f"{hop.call}: {place}: {hop.cause}"
    yield from found.notes
    kept = sum(hop.verdict == KEPT for hop in found.hops)
    if found.lost:
        yield f"The lane is lost: {len(found.lost)} of {len(found.hops)} calls went out without it."
    elif kept:
        yield f"The lane is kept: {kept} of {len(found.hops)} calls carried it, and no other had to."


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(value) if isinstance(value, list) else str(value or "")) or "-"


def _why(fact: LibraryFacts, failures: dict[str, str]) -> str:
    if fact.library in failures:
        return f"cannot be imported: {failures[fact.library]}"
    first, *more = fact.detail.split(", ")
    return f"{first} and {len(more)} more" if more and fact.status == PATCHED else fact.detail
