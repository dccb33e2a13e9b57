"""Options of the differential test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Effective where this directory is named on the command line, as ``nox -s differential`` does."""
    parser.addoption("--requests", type=int, default=10_000, help="random requests to each engine")
    parser.addoption("--seed", type=int, default=5, help="of the random meshes and requests")
