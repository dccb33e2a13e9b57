"""pytest fixtures over :mod:`lanebaggage.mesh`: ``mesh``, and ``lane_mesh`` for a suite that has another ``mesh``.

Nothing of the mesh is imported before a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .mesh import Mesh

_SHOWN = 5
"""Calls that a failed test's report draws, the latest ones."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("lanebaggage")
    group.addoption("--mesh-engine", default="inprocess", help="engine of the lane mesh: inprocess (default), sockets or envoy")


@pytest.fixture
def mesh_engine(request: pytest.FixtureRequest) -> str:
    """Name of the engine; parametrize it, or redefine it, to choose another than ``--mesh-engine``."""
    return str(request.config.getoption("--mesh-engine"))


@pytest.fixture
def lane_mesh(mesh_engine: str) -> Iterator[Mesh]:
    """A lane mesh without services; redefine ``mesh`` on top of it to declare yours."""
    from .mesh import Mesh

    with Mesh(engine=mesh_engine, seed=0) as found:
        yield found


@pytest.fixture
def mesh(lane_mesh: Mesh) -> Mesh:
    """The same as ``lane_mesh``."""
    return lane_mesh


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Draw the latest calls of a failed test."""
    report = yield
    found: Mesh | None = getattr(item, "funcargs", {}).get("lane_mesh")
    if report.when == "call" and report.failed and found is not None and found.calls:
        report.sections.append(("Calls through the lane mesh", "\n".join(call.tree for call in found.calls[-_SHOWN:])))
    return report
