"""The lane report as one page: nothing is loaded, everything that comes from tests is escaped, and it reads without script."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .reading import BAD, colours_of, counted, hops_of, in_order, lost_in, lost_words, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    Data = dict[str, Any]

_TEMPLATE: Final = "lane-report.html.j2"


def page(document: Data) -> str:
    """The report as a page of HTML."""
    tests = in_order(document)
    colours = colours_of(document)
    script = _file("page.js")
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            report=document,
            tests=tests,
            lanes=list(colours),
            services=_services(document),
            colour=lambda lane: f"l{colours[lane]}" if lane in colours else "ln",
            flags=_flags,
            marks=_marks,
            bar=_bar,
            css=Markup(_file("page.css")),  # noqa: S704 - a file of this package
            js=Markup(script),  # noqa: S704 - as well
            js_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("lanebaggage.mesh.reporting", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(counted=counted, seconds=seconds, lost_words=lost_words, lost_in=lost_in, BAD=BAD)
    return found


def _file(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].strip()


def _services(document: Data) -> list[str]:
    """The services that calls met."""
    met = {hop["service"] for test in document["tests"] for call in test["calls"] for hop in hops_of(call)}
    return sorted(met - {""})


def _flags(test: Data) -> str:
    """What the filters ask of a test."""
    return "failed" if test["outcome"] in BAD else ""


def _marks(call: Data) -> dict[str, Any]:
    """What the filters ask of a call, and where its bars begin and end."""
    hops = list(hops_of(call))
    lanes = {hop["lane"] for hop in hops if not hop["external"]} | {hop["target"] for hop in hops if hop["target"]}
    lanes |= {call["lane"]} if call["lane"] else set()
    flags = [name for name in ("lost", "fallback") if any(hop[name] for hop in hops)]
    return {
        "lanes": "\n".join(sorted(lane or "" for lane in lanes)),
        "services": "\n".join(sorted({hop["service"] for hop in hops})),
        "flags": " ".join(flags),
        "end": max((hop["at"] + (hop["duration"] or 0.0) for hop in hops), default=0.0),
    }


def _bar(hop: Data, end: float) -> Mapping[str, float]:
    """Where the bar of a hop stands in its call, in percent."""
    if not end:
        return {"left": 0, "width": 0}
    left = min(100 * hop["at"] / end, 99.0)
    return {"left": round(left, 1), "width": round(max(100 * (hop["duration"] or end) / end, 1.0), 1)}
