"""Extract and inject by hand, without any library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import traffic
from ..case import Case, add, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..configs import Config

URL = "http://mockb:8000/"


def extract(config: Config, situation: str) -> Callable[[int], float]:
    headers = traffic.headers(situation)
    enter_and_leave = config.extract
    return timed(lambda: enter_and_leave(headers))


def inject(config: Config, situation: str) -> Callable[[int], float]:
    config.serve(traffic.headers(situation))
    put = config.inject
    return timed(lambda: put({"accept": "*/*"}, URL))


for situation, words in (
    ("lane", ""),
    ("baggage-0", ", baggage, ours only"),
    ("baggage-10", ", baggage, 10 foreign members"),
    ("baggage-60", ", baggage, 60 foreign members"),
    ("hostile", ", hostile baggage of 8 KB"),
):
    suffix = "" if situation == "lane" else f"-{situation}"
    add(Case(f"extract{suffix}", f"extract from a dict and leave{words}", "server", extract, situation))
    add(Case(f"inject{suffix}", f"inject into a dict{words}", "client", inject, situation))
