"""The committed page of coverage says what the table says, and the oldest versions stand alike wherever they stand."""

from __future__ import annotations

import pytest

from lanebaggage.instrumentation import TABLE
from matrix.table import COMPLETE, VERSIONS, floors, load, page
from support.coverage_table import PAGE

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
