"""Each client in each situation, on a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from matrix import client_situations, client_situations_calls
from matrix.client_case import SITUATIONS, Case
from matrix.clients import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matrix.table import Cell

assert client_situations
assert client_situations_calls


@pytest.mark.parametrize("cell", CLIENTS.cells, ids=str)
def test_client(cell: Cell, covers: Cell, names: Callable[[str], None], tmp_path: Path) -> None:
    """A client in a situation puts the lane where it belongs and nowhere else."""
    with cell.driver.server() as server:
        case = Case(cell, server, tmp_path)
        with case.stack:
            SITUATIONS[cell.situation](case)


def test_every_situation_has_a_body() -> None:
    """The table names what is tested, no more and no less."""
    assert SITUATIONS.keys() == CLIENTS.situations.keys()
