"""The documentation as files: its links lead somewhere, and every page can be reached from the first one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")


def links(page: Path) -> list[Path]:
    """What a page links to in this repository."""
    return [
        (page.parent / target).resolve()
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file or directory of the repository."""
    assert [str(target.relative_to(ROOT)) for target in links(page) if not target.exists()] == []


def test_every_page_can_be_reached() -> None:
    """By links from the README."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            waiting += links(page)
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in seen and page.is_relative_to(ROOT / "docs")] == []
