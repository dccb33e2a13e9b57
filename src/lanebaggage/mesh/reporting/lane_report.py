"""Collects the pictures of a run's tests, and writes them as one report."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ... import __version__
from ..._errors import MeshError
from .junit import junit
from .matrix import short
from .mermaid import flowchart, markdown
from .page import page
from .reading import BAD

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, Any]

VERSION: Final = 1
"""Of the JSON document; a new one where what is there already means something else."""

WORDS: Final = {
    "html": "lane-report.html",
    "json": "lane-report.json",
    "junit": "lane-report.xml",
    "mermaid": "lane-report.md",
}
"""The file that a word for a format means."""

_MOST_MESSAGE: Final = 4000


def _json(document: Document) -> str:
    return json.dumps(document) + "\n"


FORMATS: Final[dict[str, Callable[[Document], str]]] = {
    ".html": page,
    ".json": _json,
    ".xml": junit,
    ".md": markdown,
    ".mmd": flowchart,
}
"""What writes a report, by the ending of the file's name."""


def check(target: str) -> Path:
    """Look at the target of a report before anything runs.

    :param target: a file name that ends in ``.html``, ``.json``, ``.xml`` (JUnit), ``.md`` or ``.mmd`` (Mermaid), or one of
        the words ``html``, ``json``, ``junit`` and ``mermaid``, which mean ``lane-report`` and the ending.
    :return: the file.
    :raises MeshError: it is none of these, or a directory.
    """
    path = Path(WORDS.get(target, target))
    if path.suffix.lower() not in FORMATS:
        *endings, last = FORMATS
        *words, word = WORDS
        raise MeshError(
            f"{target[:80]!r} is no lane report; write {', '.join(words)} or {word}, "
            f"or a file name that ends in {', '.join(endings)} or {last}"
        )
    if path.is_dir():
        raise MeshError(f"the lane report cannot be written to {path}: it is a directory; name a file")
    return path


class LaneReport:
    """The tests of a run, with what each did with its mesh."""

    def __init__(self) -> None:
        self._tests: list[dict[str, Any]] = []
        self._groups: dict[str, int] = {}
        """Number of each lane group that differs, by its JSON."""

    def add(self, nodeid: str, outcome: str, duration: float, picture: dict[str, Any], *, message: str = "") -> None:
        """Add a test.

        :param nodeid: its name as pytest has it: file, class and function, divided by ``::``.
        :param outcome: ``passed``, ``failed``, ``error``, ``skipped``, or another word; ``failed`` and ``error`` need a look.
        :param duration: seconds.
        :param picture: of its mesh, made by :func:`~lanebaggage.mesh.reporting.snapshot`.
        :param message: why it failed.
        """
        lanes = picture["lanes"]
        number = None if lanes is None else self._groups.setdefault(json.dumps(lanes, sort_keys=True), len(self._groups))
        self._tests.append(
            {
                "nodeid": short(nodeid, 1000),
                "outcome": outcome,
                "duration": duration,
                "message": short(message, _MOST_MESSAGE),
                "engine": picture["engine"],
                "lane_group": number,
                **{name: picture[name] for name in ("totals", "calls", "left_out")},
            }
        )

    def __len__(self) -> int:
        return len(self._tests)

    @property
    def document(self) -> dict[str, Any]:
        """The whole report as plain data: what ``.json`` holds."""
        count: Counter[str] = Counter(dict.fromkeys(("calls", "hops", "fallbacks", "lost", "permitted"), 0))
        for test in self._tests:
            count.update(test["totals"])
        return {
            "format": "lanebaggage lane report",
            "version": VERSION,
            "made_by": f"lanebaggage {__version__}",
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "totals": {"tests": len(self._tests), "failed": sum(test["outcome"] in BAD for test in self._tests), **count},
            "outcomes": dict(Counter(test["outcome"] for test in self._tests)),
            "lane_groups": [json.loads(group) for group in self._groups],
            "tests": list(self._tests),
        }

    def write(self, target: str) -> Path:
        """Write the report.

        :param target: as for :func:`~lanebaggage.mesh.reporting.check`; directories on the way are made.
        :return: the file.
        :raises MeshError: the target is no lane report, or cannot be written.
        """
        path = check(target)
        text = FORMATS[path.suffix.lower()](self.document)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise MeshError(f"the lane report cannot be written to {path}: {error.strerror or error}") from error
        return path
