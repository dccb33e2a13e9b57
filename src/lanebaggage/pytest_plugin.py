"""pytest fixtures and markers over :mod:`lanebaggage.mesh`: ``mesh``, and ``lane_mesh`` for a suite that has another ``mesh``.

Nothing of the mesh is imported before a test asks for it. How the markers are read, and what is added to reports, is in
``lanebaggage._pytest``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ._pytest import marks, outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from ._pytest.session import Meshes
    from .mesh import Mesh


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini keys."""
    group = parser.getgroup("lanebaggage")
    group.addoption("--mesh-engine", metavar="NAME", help="engine of the lane mesh: inprocess (default), sockets or envoy")
    group.addoption(
        "--lane",
        action="append",
        metavar="NAME",
        help="lane of requests that name none, in tests that are marked with none; of @all_lanes tests, only these lanes",
    )
    group.addoption(
        "--lane-report",
        action="append",
        metavar="TARGET",
        help="write what every call did: a file ending in .html, .json, .xml, .md or .mmd, or html, json, junit or mermaid",
    )
    parser.addini("mesh_engine", "engine of the lane mesh, unless --mesh-engine says otherwise", default="inprocess")
    parser.addini("mesh_yaml", "files or directories with the lane group that every mesh starts with", type="paths")
    parser.addini("mesh_network", "hosts besides this machine that applications of a mesh may reach", type="args")


def pytest_configure(config: pytest.Config) -> None:
    """Announce the markers, and start the lane report if one is wanted."""
    for line in marks.DESCRIPTIONS:
        config.addinivalue_line("markers", line)
    outcome.configure(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test for each engine, mode, carrier or lane that its markers list."""
    marks.parametrize(metafunc)


@pytest.fixture
def mesh_engine(request: pytest.FixtureRequest) -> str:
    """Name of the engine; parametrize it, or redefine it, to choose another than the marker's or ``--mesh-engine``."""
    return str(marks.settings(request.node).get("engine") or marks.engine(request.config))


@pytest.fixture
def mesh_mode(request: pytest.FixtureRequest) -> str | None:
    """``permissive`` or ``strict``, whatever the lane group says; None to leave it to the group."""
    mode: str | None = marks.settings(request.node).get("mode")
    return mode


@pytest.fixture
def mesh_carrier(request: pytest.FixtureRequest) -> str | None:
    """``header``, ``trace-id`` or ``baggage``, whatever the lane group says; None to leave it to the group."""
    carrier: str | None = marks.settings(request.node).get("carrier")
    return carrier


@pytest.fixture
def mesh_lane(request: pytest.FixtureRequest) -> str | None:
    """The lane of the test's requests that name none."""
    return marks.lane(request.node)


@pytest.fixture(scope="session")
def _lane_meshes() -> Iterator[Meshes]:
    """What runs, from test to test."""
    from ._pytest.session import Meshes

    meshes = Meshes()
    yield meshes
    meshes.close()


@pytest.fixture
def lane_mesh(
    request: pytest.FixtureRequest,
    _lane_meshes: Meshes,
    mesh_engine: str,
    mesh_mode: str | None,
    mesh_carrier: str | None,
    mesh_lane: str | None,
) -> Iterator[Mesh]:
    """A lane mesh without services; redefine ``mesh`` on top of it to declare yours."""
    settings = {"mode": mesh_mode, "carrier": mesh_carrier}
    with outcome.sentences():
        found = _lane_meshes.take(mesh_engine, {**marks.more_settings(request.node), **settings})
    try:
        with outcome.sentences():
            found.default_lane = mesh_lane
            if files := marks.files(request.node):
                found.load(*files, group=marks.settings(request.node).get("group"))
        outcome.began(request.node, found)
        yield found
        outcome.ended(request.node, found)
    finally:
        _lane_meshes.give_back(found)


@pytest.fixture
def mesh(lane_mesh: Mesh) -> Mesh:
    """The same as ``lane_mesh``."""
    return lane_mesh


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test in which a lane was lost."""
    marks.before(item)
    yield
    outcome.called(item)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Call the test once for each lane, where ``all_lanes`` asks for it and the lanes were not known when it was collected."""
    marks.call_in_other_lanes(pyfuncitem)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Draw the latest calls of a failed test."""
    report = yield
    outcome.describe(item, call, report)
    return report


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """Explain how a call's path differs from the expected one."""
    return outcome.compared(left, right) if op == "==" else None
