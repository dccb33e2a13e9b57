"""Writes docs/coverage.md from the matrix tests of the same run: library x situation, with versions and reasons.

A test of the matrix takes the fixture ``cell`` with a ``matrix.table.Cell``. When a run has covered every cell of every
role, and all held, the page is written; a run of a part leaves it alone, and so does one on a Python that lacks a column.
``matrix/test_page.py`` holds the committed page to the table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from matrix.table import Cell

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
_results: dict[tuple[str, str, str], bool] = {}


@pytest.fixture
def covers(record_property: pytest.FixtureRequest, cell: Cell) -> Cell:
    """Tell the page which cell this test covers."""
    record_property("cell", (cell.role, cell.library, cell.situation))  # type: ignore[operator]
    return cell


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.failed:
        for name, value in report.user_properties:
            if name == "cell":
                key = tuple(value)
                _results[key] = _results.get(key, True) and report.passed


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if not _results or hasattr(session.config, "workerinput"):
        return
    from matrix.table import COMPLETE, ROLES, load, page

    load()
    wanted = {cell.key for role in ROLES.values() for cell in role.cells}
    if COMPLETE and wanted <= _results.keys() and all(_results.values()):
        PAGE.write_text(page(), encoding="utf-8")
