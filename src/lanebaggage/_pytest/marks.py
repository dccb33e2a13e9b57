"""What the markers, options and ini keys ask of a test's mesh: engine, mode, carrier, files and lanes."""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING, Any, Final

import pytest

from .outcome import MESH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..mesh import Mesh

DESCRIPTIONS: Final = (
    (
        "mesh(engine=, mode=, carrier=, yaml=, group=, seed=, timeout=, router=, network=): how its lane mesh is set up; "
        "lists of engines ('inprocess', 'sockets', 'envoy'), modes ('permissive', 'strict') or carriers ('header', 'trace-id', "
        "'baggage') repeat the test for each"
    ),
    "lane(*names): the lane of the test's requests that name none; several repeat the test for each",
    "all_lanes(*names): repeat the test in every lane of its lane group, or in these",
)

_REPEATED: Final = ("engine", "mode", "carrier")
_KNOWN: Final = (*_REPEATED, "yaml", "group", "seed", "timeout", "router", "network")

_LANES: Final = pytest.StashKey[list[str]]()
"""The lanes that a test of ``all_lanes`` still has to be called in."""


def settings(node: pytest.Item) -> dict[str, Any]:
    """The arguments of a test's ``mesh`` markers; the closest wins.

    :raises pytest.UsageError: one of them is not known.
    """
    found: dict[str, Any] = {}
    for mark in node.iter_markers("mesh"):
        unknown = [name for name in mark.kwargs if name not in _KNOWN]
        if unknown or mark.args:
            wrong = unknown[0] if unknown else repr(mark.args[0])
            raise pytest.UsageError(f"@pytest.mark.mesh takes {', '.join(f'{name}=' for name in _KNOWN)}, not {wrong}")
        found = {**mark.kwargs, **found}
    return found


def more_settings(node: pytest.Item) -> dict[str, Any]:
    """Those that :class:`~lanebaggage.mesh.Mesh` takes by the same names."""
    given = settings(node)
    found: dict[str, Any] = {name: given[name] for name in ("seed", "timeout", "router") if name in given}
    network = given.get("network", node.config.getini("mesh_network"))
    if network:
        found["network"] = [network] if isinstance(network, str) else list(network)
    return found


def engine(config: pytest.Config) -> str:
    """The engine of tests that name none."""
    return str(config.getoption("--mesh-engine") or config.getini("mesh_engine"))


def files(node: pytest.Item) -> list[Any]:
    """The files of the lane group that a test's mesh starts with; a marker's are relative to the root directory."""
    given = settings(node).get("yaml")
    if given is None:
        return list(node.config.getini("mesh_yaml"))
    return [node.config.rootpath / one for one in _listed(given)]


def lane(node: pytest.Item) -> str | None:
    """The lane of a test's requests that name none."""
    mark = node.get_closest_marker("lane")
    if mark is not None:
        return _names(mark)[0]
    chosen = node.config.getoption("--lane")
    return str(chosen[0]) if chosen else None


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Repeat a test of a mesh for each engine, mode, carrier and lane that its markers list."""
    if "lane_mesh" not in metafunc.fixturenames:
        return
    node: Any = metafunc.definition
    given = settings(node)
    named = {name for mark in node.iter_markers("parametrize") for name in _argument_names(mark)}
    for name in _REPEATED:
        if isinstance(given.get(name), (list, tuple)) and f"mesh_{name}" not in named:
            metafunc.parametrize(f"mesh_{name}", given[name], scope="function")
    if "mesh_lane" in named:
        return
    mark = node.get_closest_marker("lane")
    if node.get_closest_marker("all_lanes") is not None:
        known = _known_lanes(node)
        if known is not None:
            metafunc.parametrize("mesh_lane", known, scope="function")
    elif mark is not None and len(_names(mark)) > 1:
        metafunc.parametrize("mesh_lane", _names(mark), scope="function")


def before(item: pytest.Item) -> None:
    """Look at the lanes that a test asks for, now that its fixtures have declared what there is.

    :raises pytest.fail.Exception: there is no such lane.
    """
    mesh = item.stash.get(MESH, None)
    if mesh is None or not mesh.topology.declared:
        return
    known = mesh.topology.lane_names
    repeated = item.get_closest_marker("all_lanes")
    if repeated is not None and not _parametrized(item):
        if item.cls is not None and issubclass(item.cls, unittest.TestCase):  # type: ignore[attr-defined] # of a function
            pytest.fail(
                "@pytest.mark.all_lanes cannot repeat a method of unittest; use mesh.lane(...) in a subTest", pytrace=False
            )
        item.stash[_LANES] = item.config.getoption("--lane") or known
    for name in item.stash.get(_LANES, [mesh.default_lane]):
        if name is not None and name not in known:
            pytest.fail(f"no lane is called {name!r}; the lane group has {', '.join(known)}", pytrace=False)


def call_in_other_lanes(item: pytest.Function) -> None:
    """Call a test in all lanes but the last, and leave it in the last one; nothing where it runs in one lane only."""
    mesh, lanes = item.stash.get(MESH, None), item.stash.get(_LANES, [])
    if mesh is None or not lanes:
        return
    del item.stash[_LANES]
    for name in lanes[:-1]:
        _enter(item, mesh, name)
        item.ihook.pytest_pyfunc_call(pyfuncitem=item)
    _enter(item, mesh, lanes[-1])


def _enter(item: pytest.Function, mesh: Mesh, name: str) -> None:
    mesh.default_lane = name
    if "mesh_lane" in item.funcargs:
        item.funcargs["mesh_lane"] = name


def _known_lanes(node: Any) -> list[str] | None:
    """The lanes of ``all_lanes`` if they are known before any fixture: by the marker, the option or the files."""
    wanted: list[str] = node.config.getoption("--lane") or []
    named = [str(name) for name in node.get_closest_marker("all_lanes").args]
    if named:
        return [name for name in named if not wanted or name in wanted]
    paths = files(node)
    if wanted or not paths:
        return wanted or None
    from .._errors import LanebaggageError
    from ..mesh.modes import one_group

    try:
        return [one.name for one in one_group(tuple(paths), settings(node).get("group")).lanes]
    except LanebaggageError as error:
        raise pytest.UsageError(str(error)) from error


def _parametrized(item: pytest.Item) -> bool:
    return "mesh_lane" in getattr(getattr(item, "callspec", None), "params", {})


def _names(mark: pytest.Mark) -> list[str | None]:
    if not mark.args or mark.kwargs:
        raise pytest.UsageError("@pytest.mark.lane needs the name of a lane, such as @pytest.mark.lane('s2')")
    return [None if name is None else str(name) for name in mark.args]


def _argument_names(mark: pytest.Mark) -> Iterable[str]:
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else names


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
