"""The committed page of coverage says what the table says, and the oldest versions stand alike wherever they stand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from lanebaggage.instrumentation import TABLE
from matrix.table import COMPLETE, ROLES, VERSIONS, floors, load, page
from support import coverage_table
from support.coverage_table import PAGE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not COMPLETE, reason="a column of the table needs Python 3.11")


def test_the_page_is_that_of_the_table() -> None:
    """A situation or library was added, or the page edited: run all of ``tests/matrix`` and commit what it writes."""
    load()
    written, table = (
        [line for line in text.splitlines() if not line.startswith(VERSIONS)]
        for text in (PAGE.read_text(encoding="utf-8"), page())
    )
    assert written == table


def test_every_library_states_its_floor() -> None:
    """What the package says is the oldest version of a library is what ``nox -s floors`` runs."""
    stated = {entry.distribution: entry.floor for entry in TABLE if entry.distribution}
    run = {name: floor["version"] for name, floor in floors().items()}
    assert stated == {name: version for name, version in run.items() if name in stated}


@pytest.mark.parametrize("run", ["whole", "a part", "a failure", "another process"])
def test_only_a_whole_run_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    """A run that left a cell out, or failed in one, and one that only works for another leave the page alone."""
    load()
    results = {cell.key: True for role in ROLES.values() for cell in role.cells}
    if run == "a part":
        results.popitem()
    elif run == "a failure":
        results[next(iter(results))] = False
    monkeypatch.setattr(coverage_table, "PAGE", tmp_path / "coverage.md")
    monkeypatch.setattr(coverage_table, "_results", results)
    config: Any = SimpleNamespace(workerinput={}) if run == "another process" else SimpleNamespace()
    coverage_table.pytest_sessionfinish(SimpleNamespace(config=config))  # type: ignore[arg-type]
    written = list(tmp_path.iterdir())
    assert [path.read_text(encoding="utf-8") for path in written] == ([page()] if run == "whole" else [])
