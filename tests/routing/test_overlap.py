"""Which rules hide or meet one another, held against every request of a small world."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanebaggage.routing import IngressRule, Match, Request, ServiceRef, StringMatch
from lanebaggage.routing.overlap import hides, overlaps
from lanebaggage.routing.services import host_matches

VALUES = ["", "s", "s2", "s3", "x"]
PATHS = ["/", "/m", "/mock", "/v"]
HOSTS = ["", "shop.example", "api.shop.example", "other"]
WORLD = [
    Request(
        path=path, host=host, headers=[(name, value) for name, value in zip(("a", "b"), pair, strict=True) if value is not None]
    )
    for path, host, *pair in product(PATHS, HOSTS, [None, *VALUES], [None, "s2", "x"])
]


def conditions(values: list[str]) -> st.SearchStrategy[StringMatch]:
    plain = [StringMatch(kind, value) for kind in ("exact", "prefix") for value in values]
    return st.sampled_from([*plain, StringMatch("present")])


rules = st.builds(
    IngressRule,
    st.just("r"),
    st.just(ServiceRef("mocka")),
    st.builds(
        Match,
        st.none() | conditions(PATHS),
        st.dictionaries(st.sampled_from(["a", "A", "b"]), conditions(VALUES), max_size=2).map(lambda each: tuple(each.items())),
    ).filter(lambda match: len({name.lower() for name, _ in match.headers}) == len(match.headers)),
    st.lists(st.sampled_from(["*", "shop.example", "*.shop.example", "*.example"]), max_size=2).map(tuple),
)


def matched(rule: IngressRule) -> set[int]:
    return {number for number, each in enumerate(WORLD) if host_matches(rule.hosts, each.host) and rule.match.matches(each)}


@given(rules, rules)
def test_hiding_and_meeting(first: IngressRule, second: IngressRule) -> None:
    """What is said to hide matches all that the other matches; what is said not to meet shares no request."""
    one, other = matched(first), matched(second)
    assert not hides(first, second) or other <= one
    assert overlaps(first, second) or not one & other
    assert overlaps(first, second) == overlaps(second, first)
    assert hides(first, first)


ANY = StringMatch("present")
REGEX = StringMatch("regex", "s[0-9]")
PAIRS = [
    (StringMatch("regex", ".*"), StringMatch("prefix", "s"), True, True),
    (StringMatch("regex", ".*"), REGEX, True, True),
    (REGEX, StringMatch("exact", "s2"), True, True),
    (REGEX, StringMatch("exact", "x"), False, False),
    (REGEX, StringMatch("regex", "s[0-9]"), True, True),
    (REGEX, StringMatch("regex", "s."), False, False),
    (REGEX, StringMatch("prefix", "s"), False, False),
    (REGEX, StringMatch("prefix", ""), False, True),
    (REGEX, ANY, False, True),
    (ANY, REGEX, True, True),
    (StringMatch("prefix", "s"), StringMatch("prefix", "s2"), True, True),
    (StringMatch("prefix", "s2"), StringMatch("prefix", "s"), False, True),
    (StringMatch("prefix", "s2"), StringMatch("prefix", "s3"), False, False),
    (StringMatch("exact", "s"), StringMatch("prefix", "s"), False, True),
]


@pytest.mark.parametrize(("first", "second", "hidden", "meeting"), PAIRS)
def test_pairs_of_conditions(first: StringMatch, second: StringMatch, hidden: bool, meeting: bool) -> None:
    """The verdict on each pair of conditions, on a header and on the path; of regexes only what can be told."""
    for one, other in [
        (Match(headers=(("A", first),)), Match(headers=(("a", second),))),
        (Match(first), Match(second)),
    ]:
        rules_of = [IngressRule("r", ServiceRef("mocka"), match) for match in (one, other)]
        assert hides(*rules_of) is hidden
        assert overlaps(*rules_of) is meeting


@pytest.mark.parametrize(
    ("first", "second", "hidden", "meeting"),
    [
        ((), ("a.example",), True, True),
        (("a.example",), (), False, True),
        (("*.example",), ("a.example", "b.a.example"), True, True),
        (("*.example",), ("a.example", "other"), False, True),
        (("a.example",), ("*.example",), False, True),
        (("*.example",), ("*.a.example",), True, True),
        (("a.example",), ("A.Example",), True, True),
        (("a.example",), ("b.example",), False, False),
    ],
)
def test_pairs_of_hosts(first: tuple[str, ...], second: tuple[str, ...], hidden: bool, meeting: bool) -> None:
    """A rule hides another, or meets it, only where its hosts do."""
    rules_of = [IngressRule("r", ServiceRef("mocka"), hosts=hosts) for hosts in (first, second)]
    assert hides(*rules_of) is hidden
    assert overlaps(*rules_of) is meeting
