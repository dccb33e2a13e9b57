"""What every format asks of a report: which tests come first, what is wrong with one, and all hops of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    Data = dict[str, Any]

BAD: Final = ("failed", "error")
"""Outcomes of tests that need a look."""

EXPECTED: Final = "xfailed"
"""Outcome of a test that failed as it was expected to."""


def hops_of(call: Data) -> Iterator[Data]:
    """The hops of a call, each before those below it."""
    waiting = list(reversed(call["hops"]))
    while waiting:
        hop = waiting.pop()
        yield hop
        waiting.extend(reversed(hop["hops"]))


def lost_in(test: Data) -> list[Data]:
    """The hops of a test that lost their lane and were not permitted to."""
    return [hop for call in test["calls"] for hop in hops_of(call) if hop["lost"] and not hop["lost"]["permitted"]]


def is_bad(test: Data) -> bool:
    """Whether a test failed, or lost a lane that it must not and was not expected to."""
    return test["outcome"] in BAD or (test["outcome"] != EXPECTED and bool(lost_in(test)))


def in_order(document: Data) -> list[Data]:
    """The tests: those that need a look first, otherwise as they ran."""
    return sorted(document["tests"], key=lambda test: not is_bad(test))


def colours_of(document: Data, colours: int = 8) -> dict[str, int]:
    """The number of each lane's colour, in the order in which lanes are declared, then met.

    :param colours: how many there are; then they come again.
    """
    declared = [lane for group in document["lane_groups"] for lane in group["lanes"]]
    calls = [call for test in document["tests"] for call in test["calls"]]
    met = [lane for call in calls for hop in hops_of(call) for lane in (hop["lane"], hop["target"])]
    lanes = dict.fromkeys([*declared, *(call["lane"] for call in calls), *met])
    return {lane: number % colours for number, lane in enumerate(lane for lane in lanes if lane is not None)}


def lost_words(hop: Data) -> str:
    """Where and how a hop lost its lane, in words."""
    lost = hop["lost"]
    arrived = f"arrived in lane {hop['lane']}" if hop["lane"] else "arrived without a lane"
    return f"{lost['serving']} was serving lane {lost['lane']}, and its request to {hop['service']} {arrived}"


def counted(number: int, word: str) -> str:
    """A number with its word: ``1 call``, ``2 calls``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def seconds(duration: float | None) -> str:
    """A duration in words."""
    if duration is None:
        return ""
    if duration < 1:
        return f"{duration * 1000:.1f} ms"
    return f"{duration:.2f} s"
