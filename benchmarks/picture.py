"""The picture of the page: what each configuration adds to each library's call, on a logarithmic scale, as SVG."""

from __future__ import annotations

from html import escape
from math import log10
from typing import TYPE_CHECKING

from .case import CASES

if TYPE_CHECKING:
    from .page import Results

SHOWN = (
    *("wsgi", "asgi", "flask", "django", "starlette", "fastapi"),
    *("http.client", "urllib3", "requests", "httpx", "httpx-async", "aiohttp", "grpc", "executor", "celery"),
)
COLOURS = {
    "floor": "#8a8a8a",
    "lanebaggage": "#1a8f5a",
    "otel-api": "#3f83d8",
    "otel-sdk": "#a06cd5",
    "ddtrace": "#d9822b",
    "sentry": "#cf4f6f",
}
"""Readable on white and on black."""
LEAST, MOST = 0.1, 1000.0
"""Microseconds at the two edges; what adds less stands at the left one."""

LEFT, RIGHT, TOP, ROW = 370, 1000, 64, 26

STYLE = """
text { font: 13px sans-serif; fill: #1f2328 }
line { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } line { stroke: #3d444d } }
"""


def drawn(results: Results) -> str:
    """The picture of those cases that were measured."""
    names = [name for name in SHOWN if name in results]
    bottom = TOP + ROW * len(names)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {RIGHT + 40} {bottom + 40}" role="img">',
        "<title>Microseconds that are added to a call</title>",
        f"<style>{STYLE}</style>",
        *_legend(),
        *_scale(bottom),
    ]
    for number, name in enumerate(names):
        parts += _row(CASES[name].what, results[name], TOP + ROW * number + ROW / 2)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts = []
    x = float(LEFT)
    for name in COLOURS:
        parts += [_mark(name, x, 20, name), f'<text x="{x + 12:.0f}" y="24">{name}</text>']
        x += 48 + 7.5 * len(name)
    return parts


def _scale(bottom: float) -> list[str]:
    parts = []
    for microseconds in (0.1, 1, 10, 100, 1000):
        x = _at(microseconds)
        label = "0.1 or less" if microseconds == LEAST else f"{microseconds:g}"
        parts += [
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}"/>',
            f'<text x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{label}</text>',
        ]
    middle = (LEFT + RIGHT) / 2
    return [
        *parts,
        f'<text x="{middle}" y="{bottom + 26}" text-anchor="middle">microseconds added to a call, logarithmic</text>',
    ]


def _row(what: str, figures: dict[str, dict[str, float]], y: float) -> list[str]:
    parts = [
        f'<text x="{LEFT - 16}" y="{y + 4}" text-anchor="end">{escape(what)}</text>',
        f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke-dasharray="1 5"/>',
    ]
    for name in (*(other for other in COLOURS if other != "lanebaggage"), "lanebaggage"):  # ours on top
        if name in figures:
            added = figures[name].get("added_here", figures[name]["added"])
            parts.append(_mark(name, _at(added), y, f"{name}, {what}: {added:+.2f} us"))
    return parts


def _mark(name: str, x: float, y: float, title: str) -> str:
    """A diamond for lanebaggage, a ring for the floor, a dot for the others: told apart without their colours, too."""
    colour = COLOURS[name]
    inside = f"<title>{escape(title)}</title>"
    if name == "lanebaggage":
        points = f"{x - 7:.1f},{y} {x:.1f},{y - 7} {x + 7:.1f},{y} {x:.1f},{y + 7}"
        return f'<polygon points="{points}" fill="{colour}">{inside}</polygon>'
    look = f'fill="none" stroke="{colour}" stroke-width="2"' if name == "floor" else f'fill="{colour}"'
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" {look}>{inside}</circle>'


def _at(microseconds: float) -> float:
    inside = min(max(microseconds, LEAST), MOST)
    return LEFT + (RIGHT - LEFT) * log10(inside / LEAST) / log10(MOST / LEAST)
