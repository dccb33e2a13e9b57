"""The files that Envoy takes its resources from: written in the right order, and waited for until they are in force."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from .._errors import MeshError
from ..routing.envoy.resources import typed
from ._process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..routing.envoy.options import Json
    from .envoy_process import Envoy

APPLIED_WITHIN: Final = 15.0
"""Seconds; 2 to 5 milliseconds are usual, and a thousand lanes take a second."""

_VERSIONS: Final = r"version_text$|update_rejected$|update_failure$|warming_clusters$|listeners_warming$"
_BAD: Final = ("update_rejected", "update_failure")
_STILL: Final = ("cluster_manager.warming_clusters", "listener_manager.total_listeners_warming")
_TAKEN: Final = re.compile(r"cannot bind '127\.0\.0\.1:(\d+)'")
_LISTENERS: Final = "listener_manager.lds.version_text"
_CLUSTERS: Final = "cluster_manager.cds.version_text"


class Files:
    """One mesh's resources in one Envoy.

    :param envoy: the Envoy.
    """

    def __init__(self, envoy: Envoy) -> None:
        self._envoy = envoy
        self._written: dict[str, str] = {}
        self._clusters: dict[str, Json] = {}
        self._ports: dict[str, int] = {}
        self._failures: dict[str, Any] = {}
        self._version = time.time_ns()

    def apply(
        self,
        *,
        clusters: Iterable[Json],
        endpoints: Mapping[str, tuple[str, Json]],
        routes: Mapping[str, tuple[str, Json]],
        listeners: Iterable[Json],
    ) -> None:
        """Put resources in force and wait until they are; those that did not change are left alone.

        No request is lost: clusters come before the routes to them, and go after them.

        :param endpoints: path and load assignment by cluster.
        :param routes: path and route configuration by name.
        :raises MeshError: Envoy rejects them.
        """
        wanted = {one["name"]: one for one in clusters}
        versions = self._write_endpoints(endpoints)
        kept = {name: one for name, one in self._clusters.items() if name not in wanted}
        self._write_clusters(versions, {**kept, **wanted})
        self._wait(versions)
        versions = {}
        for name, (path, configuration) in routes.items():
            self._write(versions, f".rds.{name}.version_text", path, [_route_configuration(configuration)])
        placing = list(listeners)
        while True:
            resources = [typed("config.listener.v3.Listener", **self._placed(one)) for one in placing]
            self._write(versions, _LISTENERS, "listeners.json", resources)
            try:
                self._wait(versions)
            except MeshError as error:
                self._written.pop("listeners.json")
                if not self._forget_taken(str(error)):
                    raise
            else:
                break
        if kept:
            versions = {}
            self._write_clusters(versions, wanted)
            self._wait(versions)

    def apply_endpoints(self, endpoints: Mapping[str, tuple[str, Json]]) -> None:
        """Put endpoints in force where nothing else has changed.

        :param endpoints: path and load assignment by cluster.
        """
        self._wait(self._write_endpoints(endpoints))

    def clear(self) -> None:
        """Take everything out."""
        self.apply(clusters=(), endpoints={}, routes={}, listeners=())
        for path in {*self._written} - {"listeners.json", "clusters.json"}:
            self._envoy.path(path).unlink(missing_ok=True)

    def _placed(self, listener: Json) -> Json:
        """A listener at a port of its own.

        Envoy would find one, but gives a new listener the socket of any other that was changed, still drains, and was
        configured with the same address: 127.0.0.1 and port 0 are the same for all.
        """
        address = listener["address"]["socket_address"]
        if address["port_value"]:
            return listener
        name = listener["name"]
        while name not in self._ports:
            port = free_port()
            if port not in self._ports.values():
                self._ports[name] = port
        return {**listener, "address": {"socket_address": {**address, "port_value": self._ports[name]}}}

    def _forget_taken(self, message: str) -> bool:
        """Forget the ports of which Envoy says that somebody else has them by now; whether there are any.

        A listener that is not in use has no socket, and any program may get its port meanwhile.
        """
        taken = set(map(int, _TAKEN.findall(message)))
        names = [name for name, port in self._ports.items() if port in taken]
        for name in names:
            del self._ports[name]
        return bool(names)

    def _write_endpoints(self, endpoints: Mapping[str, tuple[str, Json]]) -> dict[str, str]:
        versions: dict[str, str] = {}
        for name, (path, assignment) in endpoints.items():
            stat = f"cluster.{name}.version_text"
            self._write(versions, stat, path, [typed("config.endpoint.v3.ClusterLoadAssignment", **assignment)])
        return versions

    def _write_clusters(self, versions: dict[str, str], clusters: Mapping[str, Json]) -> None:
        resources = [typed("config.cluster.v3.Cluster", **one) for one in clusters.values()]
        self._write(versions, _CLUSTERS, "clusters.json", resources)
        self._clusters = dict(clusters)

    def _write(self, versions: dict[str, str], stat: str, path: str, resources: list[Json]) -> None:
        """Write a file unless it says the same already, and note the version to wait for."""
        text = json.dumps(resources)
        if self._written.get(path) == text:
            return
        stat = stat.replace(":", "_")  # as Envoy does in names of statistics
        self._version += 1
        self._envoy.write(path, {"version_info": str(self._version), "resources": resources})
        self._written[path] = text
        versions[stat] = str(self._version)

    def _wait(self, versions: Mapping[str, str]) -> None:
        if not versions:
            return
        deadline = time.monotonic() + APPLIED_WITHIN
        while True:
            stats = self._envoy.stats(_VERSIONS)
            failures = {name: value for name, value in stats.items() if name.endswith(_BAD)}
            bad = sorted(name for name, value in failures.items() if value > self._failures.get(name, 0))
            if bad:
                self._failures = failures
                raise MeshError(f"Envoy rejects the mesh's configuration ({', '.join(bad)}): {self._envoy.said()}")
            late = [stat for stat, version in versions.items() if not _in_force(stats, stat, version)]
            late += [stat for stat in _STILL if stats.get(stat)]
            if not late:
                self._failures = failures
                return
            if time.monotonic() > deadline:
                what = ", ".join(late)[:500]
                raise MeshError(f"Envoy did not take {what} in {APPLIED_WITHIN:g} seconds: {self._envoy.said()}")
            time.sleep(0.001)


def _in_force(stats: Mapping[str, Any], stat: str, version: str) -> bool:
    if not stat.startswith("."):
        return stats.get(stat) == version
    found = [value for name, value in stats.items() if name.endswith(stat)]
    return bool(found) and all(value == version for value in found)


def _route_configuration(configuration: Json) -> Json:
    return typed("config.route.v3.RouteConfiguration", **configuration)
