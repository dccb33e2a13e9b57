"""The meshes of a test session: servers go on running from test to test, while each test has services and lanes of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST: Final = 6
"""Meshes that wait for a test with their settings; the one that has waited longest is closed first."""

ENVOY: Final = "envoy"
"""How the names of engines begin that are one Envoy, which the session has once: a mesh with other settings takes it over."""

SEED: Final = 0
"""Of the choice among weights, so that a test that passes once passes again."""


class Meshes:
    """Open meshes that no test is using, by their settings."""

    def __init__(self) -> None:
        self._idle: list[tuple[str, Mesh]] = []
        self._used: dict[int, str] = {}

    def take(self, engine: str, settings: Mapping[str, Any]) -> Mesh:
        """A mesh as new, for one test.

        :param engine: its name.
        :param settings: as for :class:`~lanebaggage.mesh.Mesh`.
        :raises MeshError: there is no such engine or setting.
        """
        key = repr((engine, sorted(settings.items())))
        self._close(lambda mesh, _: not mesh.engine.alive)
        found = next((entry for entry in self._idle if entry[0] == key), None)
        if found is not None:
            self._idle.remove(found)
            mesh = found[1]
        else:
            if engine.startswith(ENVOY):
                self._close(lambda mesh, _: mesh.engine_name.startswith(ENVOY))
            mesh = Mesh(engine=engine, **{"seed": SEED, **settings})
        self._used[id(mesh)] = key
        return mesh

    def give_back(self, mesh: Mesh) -> None:
        """Take a mesh back once its test has ended; one that cannot be emptied is closed, one that was closed forgotten."""
        key = self._used.pop(id(mesh))
        if mesh.closed:
            return
        try:
            mesh.reset()
        except BaseException:
            mesh.close()
            raise
        self._idle.append((key, mesh))
        self._close(lambda _, left: left > MOST)

    def close(self) -> None:
        """Close them all."""
        self._close(lambda _mesh, _left: True)

    def _close(self, which: Callable[[Mesh, int], bool]) -> None:
        """Close those that wait of which this holds.

        :param which: asked with how many are left, the one that has waited longest first.
        """
        for entry in list(self._idle):
            if which(entry[1], len(self._idle)):
                self._idle.remove(entry)
                entry[1].close()
