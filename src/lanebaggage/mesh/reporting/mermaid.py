"""The lane report as Mermaid flowcharts: in Markdown, as code hosts draw it, or as one chart by itself.

A service has the colour of the lane whose instance served it, an arrow that of the lane that the request arrived in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .reading import colours_of, counted, hops_of, in_order, is_bad, lost_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Data = dict[str, Any]

COLOURS: Final = ("#2457d6", "#b4237a", "#14794a", "#a84b00", "#7240c9", "#0b7486", "#6b6a00", "#4a5d73")
"""Of the lanes; white text is readable on each."""

_NONE: Final = "#6b7280"
_BAD: Final = "#c8102e"
_MOST_LINKS: Final = 400
"""Mermaid draws 500 unless told otherwise."""
_MOST_CHARACTERS: Final = 40_000
"""Mermaid draws 50,000 unless told otherwise."""
_MOST_CHARTS: Final = 150
"""Of one page; more of them make a browser slow."""
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/?=_-")


def markdown(document: Data) -> str:
    """The report as Markdown: counts, a table per lane group, and a flowchart per call."""
    return "\n".join(_page(document)) + "\n"


def flowchart(document: Data) -> str:
    """The calls as one flowchart, a box for each: those of bad tests first, as many as Mermaid draws."""
    colours = colours_of(document)
    calls = [(test, call) for test in in_order(document) for call in test["calls"]]
    whole = _Drawing()
    for number, (test, call) in enumerate(calls):
        drawing = _drawing(call, f"c{number}", colours)
        title = _label(f"{test['nodeid'].rpartition('/')[2]}: {call['title']}")
        box = [f"  subgraph b{number} [{title}]", "  direction LR", *drawing.lines, "  end"]
        fits = len(whole.links) + len(drawing.links) <= _MOST_LINKS and whole.size + sum(map(len, box)) <= _MOST_CHARACTERS
        if number and not fits:
            whole.lines.append(f"  %% {counted(len(calls) - number, 'call')} left out")
            break
        whole.add(box, drawing)
    return "\n".join(whole.chart()) + "\n"


# --- a page of Markdown


def _page(document: Data) -> Iterator[str]:
    count = document["totals"]
    colours = colours_of(document)
    yield "# Lane report"
    yield ""
    words = [("test", "tests"), ("call", "calls"), ("hop", "hops"), ("fallback", "fallbacks"), ("lost lane", "lost")]
    yield ", ".join(counted(count[key], word) for word, key in words) + f"; {counted(count['failed'], 'test')} failed."
    for group in document["lane_groups"]:
        yield from _table(group)
    room = _MOST_CHARTS
    for test in in_order(document):
        yield ""
        yield f"## {'❌' if is_bad(test) else '✅' if test['outcome'] == 'passed' else '⏭️'} {_code(test['nodeid'])}"
        yield from _calls(test, colours, room)
        room = max(0, room - len(test["calls"]))


def _calls(test: Data, colours: Mapping[str, int], room: int) -> Iterator[str]:
    for call in test["calls"][:room]:
        yield ""
        yield "```mermaid"
        yield from _drawing(call, "h", colours).chart()
        yield "```"
        for hop in hops_of(call):
            if hop["lost"]:
                yield ""
                yield f"**Lane lost at {_code(hop['service'])}**: {_code(hop['lost']['cause'] or lost_words(hop))}"
                yield f"<br>Fix: {_code(hop['lost']['fix'])}"
    left_out = test["left_out"] + max(0, len(test["calls"]) - room)
    if left_out:
        yield ""
        yield f"{counted(left_out, 'call')} left out."


def _table(group: Data) -> Iterator[str]:
    yield ""
    headers = " and ".join(dict.fromkeys(filter(None, (group["route_header"], group["trace_header"]))))
    by = f" by {_code(headers)}" if headers else ""
    yield f"## Lane group {_code(group['group'])}: {group['mode']}{by}"
    yield ""
    yield " | ".join(("| lane", *(_code(service["name"]) for service in group["services"]))) + " |"
    yield "|---" * (len(group["services"]) + 1) + "|"
    for number, lane in enumerate(group["lanes"]):
        name = _code(lane) + (" (baseline)" if lane == group["baseline"] and group["mode"] != "strict" else "")
        cells = (_cell(service["cells"][number]) for service in group["services"])
        yield " | ".join((f"| {name}", *cells)) + " |"


def _cell(cell: Data) -> str:
    if cell["versions"]:
        return f"**{', '.join(map(_code, cell['versions']))}**"
    if cell["fallback"] is not None:
        return f"↩ {_code(cell['fallback'])}: {', '.join(map(_code, cell['served_by']))}"
    return f"missing: {_code(cell['missing'])}"


def _code(text: str) -> str:
    """Text that Markdown takes as it stands, in a table too."""
    plain = " ".join(text.split()).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{plain}`" if plain else "-"


# --- a chart


@dataclass(slots=True)
class _Drawing:
    """Lines of a flowchart, and what is to be said about their links and nodes at its end."""

    lines: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Colour of each link, in order."""
    nodes: dict[str, list[str]] = field(default_factory=dict)
    """Nodes by class."""

    @property
    def size(self) -> int:
        """Characters."""
        return sum(map(len, self.lines)) + 40 * len(self.links)

    def add(self, lines: Iterable[str], drawing: _Drawing) -> None:
        """Add a drawing, as these lines."""
        self.lines += lines
        self.links += drawing.links
        for name, nodes in drawing.nodes.items():
            self.nodes.setdefault(name, []).extend(nodes)

    def chart(self) -> Iterator[str]:
        """The whole flowchart."""
        yield "flowchart LR"
        yield from self.lines
        for colour in dict.fromkeys(self.links):
            numbers = ",".join(str(number) for number, other in enumerate(self.links) if other == colour)
            yield f"  linkStyle {numbers} stroke:{colour},stroke-width:2px"
        for name, nodes in self.nodes.items():
            colour = {"bad": _BAD, "none": _NONE}.get(name) or COLOURS[int(name[1:])]
            yield f"  classDef {name} fill:{colour},stroke:{colour},color:#fff"
            yield f"  class {','.join(nodes)} {name}"


def _drawing(call: Data, prefix: str, colours: Mapping[str, int]) -> _Drawing:
    drawing = _Drawing()
    status = f" {call['status']}" if call["status"] else ""
    drawing.lines.append(f"  {prefix}([{_label(call['title'] + status)}])")
    waiting = [(prefix, hop) for hop in reversed(call["hops"])]
    while waiting:
        origin, hop = waiting.pop()
        node = f"{prefix}n{len(drawing.links)}"
        drawing.lines.append(f"  {origin} {_link(hop)} {node}[{_label(_node(hop))}]")
        bad = hop["lost"] or hop["version"] is None
        drawing.links.append(_BAD if hop["lost"] else COLOURS[colours[hop["lane"]]] if hop["lane"] else _NONE)
        name = "bad" if bad else f"l{colours[hop['target']]}" if hop["target"] else "none"
        drawing.nodes.setdefault(name, []).append(node)
        waiting += [(node, child) for child in reversed(hop["hops"])]
    return drawing


def _link(hop: Data) -> str:
    lane = hop["lane"] or "no lane"
    if hop["lost"]:
        return f"==>|{_label(f'LANE LOST: {lane}')}|"
    if hop["fallback"]:
        return f"-.->|{_label(f'{lane}, falls back to ' + str(hop['target']))}|"
    return f"-->|{_label(lane)}|"


def _node(hop: Data) -> str:
    bad = hop["status"] if hop["status"] is not None and (hop["status"] >= 400 or hop["version"] is None) else ""
    words = [f"{hop['service']} {hop['version'] or '-'} {bad}".strip()]
    if hop["lost"]:
        words.append(lost_words(hop))
    return "\n".join(words)


def _label(text: str) -> str:
    """Text in quotes; what has a meaning to Mermaid, HTML or Markdown stands as its number."""
    return '"' + "".join(one if one in _PLAIN else "<br>" if one == "\n" else f"#{ord(one)};" for one in text[:600]) + '"'
