"""Whether one lane rule hides another, or both can match the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .services import plain_host

if TYPE_CHECKING:
    from .matching import Match, StringMatch
    from .model import IngressRule


def hides(first: IngressRule, second: IngressRule) -> bool:
    """Whether every request that the second rule matches is matched by the first, so that the second is never reached."""
    return _hosts_cover(first.hosts, second.hosts) and covers(first.match, second.match)


def overlaps(first: IngressRule, second: IngressRule) -> bool:
    """Whether some request matches both rules. A regex is taken to be disjoint from a prefix and from another regex."""
    if not any(_hosts_meet(one, other) for one in first.hosts or ("*",) for other in second.hosts or ("*",)):
        return False
    if first.match.uri is not None and second.match.uri is not None and not _meet(first.match.uri, second.match.uri):
        return False
    theirs = _by_name(second.match)
    return all(_meet(condition, theirs[name]) for name, condition in _by_name(first.match).items() if name in theirs)


def covers(first: Match, second: Match) -> bool:
    """Whether every request that meets the second conditions meets the first."""
    theirs = _by_name(second)
    if first.uri is not None and (second.uri is None or not _implies(second.uri, first.uri)):
        return False
    return all(name in theirs and _implies(theirs[name], condition) for name, condition in _by_name(first).items())


def _by_name(match: Match) -> dict[str, StringMatch]:
    return {name.lower(): condition for name, condition in match.headers}


def _implies(narrow: StringMatch, wide: StringMatch) -> bool:
    """Whether every text that meets one condition meets the other."""
    if wide.kind == "present" or wide == narrow or (wide.kind == "regex" and wide.value == ".*"):
        return True
    if narrow.kind == "exact":
        return wide.matches(narrow.value)
    return narrow.kind == wide.kind == "prefix" and narrow.value.startswith(wide.value)


def _meet(one: StringMatch, other: StringMatch) -> bool:
    """Whether some text meets both conditions."""
    if _implies(one, other) or _implies(other, one):
        return True
    if "present" in (one.kind, other.kind):
        return True
    return {one.kind, other.kind} == {"prefix", "regex"} and "" in (one.value, other.value)


def _hosts_cover(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    if not wide or "*" in wide:
        return True
    return bool(narrow) and all(any(_host_covers(one, other) for one in wide) for other in narrow)


def _host_covers(wide: str, narrow: str) -> bool:
    wide, narrow = plain_host(wide), plain_host(narrow)
    return wide in ("*", narrow) or (wide.startswith("*") and narrow.removeprefix("*").endswith(wide[1:]))


def _hosts_meet(one: str, other: str) -> bool:
    return _host_covers(one, other) or _host_covers(other, one)
