"""Whether one lane rule, or one route, hides another, and whether two rules can match the same request."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .services import plain_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .matching import Match, StringMatch
    from .model import IngressRule
    from .routes import Route, RouteMatch


def hides(first: IngressRule, second: IngressRule) -> bool:
    """Whether every request that the second rule matches is matched by the first, so that the second is never reached."""
    return _hosts_cover(first.hosts, second.hosts) and covers(first.match, second.match)


def overlaps(first: IngressRule, second: IngressRule) -> bool:
    """Whether some request matches both rules. A regex is taken to be disjoint from a prefix and from another regex."""
    if not any(_hosts_meet(one, other) for one in first.hosts or ("*",) for other in second.hosts or ("*",)):
        return False
    if first.match.uri is not None and second.match.uri is not None and not _meet(first.match.uri, second.match.uri):
        return False
    theirs = _by_name(second.match.headers)
    return all(_meet(condition, theirs[name]) for name, condition in _by_name(first.match.headers).items() if name in theirs)


def covers(first: Match, second: Match) -> bool:
    """Whether every request that meets the second conditions meets the first."""
    return _narrower(second.uri, first.uri) and _all_narrower(_by_name(second.headers), _by_name(first.headers))


def hides_route(first: Route, second: Route) -> bool:
    """Whether every request that the second route matches is matched by the first, so that the second is never reached."""
    if first.is_catch_all:
        return True
    return bool(second.matches) and all(any(_covers(one, other) for one in first.matches) for other in second.matches)


def candidates(exact: Sequence[Mapping[str, str]]) -> Iterator[list[int]]:
    """For each of some conditions the earlier ones that it can have requests in common with.

    Those that want different values of one header have none, which spares most comparisons where lanes are many.

    :param exact: of each, the headers that it compares exactly, and with what.
    """
    counted = Counter(name for conditions in exact for name in conditions)
    header = counted.most_common(1)[0][0] if counted else ""
    by_value: dict[str | None, list[int]] = {}
    for index, conditions in enumerate(exact):
        value = conditions.get(header)
        found = range(index) if value is None else sorted([*by_value.get(value, ()), *by_value.get(None, ())])
        yield list(found)
        by_value.setdefault(value, []).append(index)


def exact_headers(conditions: Iterable[tuple[str, StringMatch]]) -> dict[str, str]:
    """The headers that are compared exactly, and with what."""
    return {name: condition.value for name, condition in _by_name(conditions).items() if condition.kind == "exact"}


def _covers(first: RouteMatch, second: RouteMatch) -> bool:
    """Whether one match of a route covers another; of conditions that are hard to compare, where they are the same."""
    return (
        _covers_path(first, second)
        and _narrower(second.method, first.method)
        and _narrower(second.authority, first.authority)
        and _all_narrower(_by_name(second.headers), _by_name(first.headers))
        and _all_narrower(dict(second.query), dict(first.query))
        and set(first.without_headers) <= set(second.without_headers)
        and first.source_labels.items() <= second.source_labels.items()
        and first.gateways in ((), second.gateways)
    )


def _covers_path(first: RouteMatch, second: RouteMatch) -> bool:
    if first.path is None and first.path_elements in ("", "/"):
        return True
    alike = (first.path_elements, first.ignore_case) == (second.path_elements, second.ignore_case)
    return alike and _narrower(second.path, first.path)


def _narrower(narrow: StringMatch | None, wide: StringMatch | None) -> bool:
    return wide is None or (narrow is not None and _implies(narrow, wide))


def _all_narrower(narrow: Mapping[str, StringMatch], wide: Mapping[str, StringMatch]) -> bool:
    return all(name in narrow and _implies(narrow[name], condition) for name, condition in wide.items())


def _by_name(conditions: Iterable[tuple[str, StringMatch]]) -> dict[str, StringMatch]:
    return {name.lower(): condition for name, condition in conditions}


def _implies(narrow: StringMatch, wide: StringMatch) -> bool:
    """Whether every text that meets one condition meets the other."""
    if wide.kind == "present" or wide == narrow or (wide.kind == "regex" and wide.value == ".*"):
        return True
    if narrow.kind == "exact":
        return wide.matches(narrow.wire)
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
