"""Assertions about calls that explain themselves: what was expected, the call as a tree, and why the lane was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import MeshError
from ..routing import RoutingError, ServiceRef, plain_host
from .external import ExternalHost
from .hops import Call, Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .hops import Hop
    from .recorder import Recorder
    from .topology import Topology

    PathLike = str | Sequence[tuple[str, str | None]]


class LaneAssertionError(AssertionError):
    """A call did not do what was asserted; the message has its tree."""


class Asserting:
    """The part of a mesh that asserts."""

    recorder: Recorder
    topology: Topology
    _may_lose: set[str] | None

    def assert_path(self, call: Call, expected: PathLike) -> None:
        """Assert that a call took this path.

        :param call: the call.
        :param expected: services and versions in order: pairs, or a text such as ``"mocka v2 > mockb v1 > mockc v2"``.
        :raises LaneAssertionError: it took another one.
        """
        __tracebackhide__ = True
        wanted = Path(_pairs(expected) if isinstance(expected, str) else expected)
        if call.path != wanted:
            raise LaneAssertionError("\n".join((*differences(call.path, wanted), *self._drawn([call]))))

    def assert_lane_kept(self, *calls: Call) -> None:
        """Assert that no hop arrived without the lane of the request being served.

        :param calls: the calls; all of the mesh unless given.
        :raises LaneAssertionError: one did.
        """
        __tracebackhide__ = True
        losing = [call for call in (calls or tuple(self.recorder.calls)) if call.lost]
        if losing:
            raise LaneAssertionError("\n".join((f"the lane was lost at {losing[0].lost_at}", *self._drawn(losing))))

    def assert_called(
        self, service: str, *, lane: str | None = None, version: str | None = None, times: int | None = None
    ) -> None:
        """Assert that a service was called.

        :param service: its name, or the host of one outside the mesh.
        :param lane: in this lane, by what arrived.
        :param version: this version of it.
        :param times: exactly so often; at least once unless given.
        :raises LaneAssertionError: it was not.
        :raises MeshError: the mesh has no such service: nothing that is asserted of it could fail.
        """
        __tracebackhide__ = True
        found = self._hops(service, lane, version)
        if not found if times is None else len(found) != times:
            wanted = "was not called" if times is None else f"was called {_times(len(found))}, expected {_times(times)}"
            self._fail(f"{_words(service, lane, version)} {wanted}", self.recorder.calls)

    def assert_not_called(self, service: str, *, lane: str | None = None, version: str | None = None) -> None:
        """Assert that a service was not called; as :meth:`assert_called`."""
        __tracebackhide__ = True
        found = self._hops(service, lane, version)
        if found:
            calls = dict.fromkeys(hop.call for hop in found)
            self._fail(f"{_words(service, lane, version)} was called {_times(len(found))}", calls)

    # --- lost lanes

    @property
    def lost(self) -> list[Hop]:
        """The hops of all calls that lost their lane and were not permitted to."""
        if self._may_lose is None:
            return []
        return [hop for call in tuple(self.recorder.calls) for hop in call.lost if hop.service not in self._may_lose]

    def allow_lost(self, *services: str) -> None:
        """Permit hops to lose their lane, for which a test fails otherwise.

        :param services: only hops to these services; all of them unless given.
        """
        if not services or self._may_lose is None:
            self._may_lose = None
        else:
            self._may_lose |= set(services)

    # --- inside

    def _hops(self, service: str, lane: str | None, version: str | None) -> list[Hop]:
        wanted = self._names(service)
        return [
            hop
            for call in tuple(self.recorder.calls)
            for hop in call.hops
            if (hop.service if hop.instance is None else str(hop.instance.service)) in wanted
            and lane in (None, hop.lane)
            and version in (None, hop.version)
        ]

    def _names(self, service: str) -> tuple[str, ...]:
        """The texts by which hops may name a service: in full where an instance served it, in short where none did."""
        host = plain_host(service)
        declared = list(dict.fromkeys(one.service for one in self.topology.instances))
        if any(isinstance(one, ExternalHost) and one.name == host for one in declared):
            return (host,)
        try:
            ref = ServiceRef.parse(service)
        except RoutingError:
            return (host,)  # outside the mesh, and called by nobody yet
        names = str(ref), ref.name
        if ref in (*declared, *self.topology.members) or "." in host:
            return (*names, host)
        known = ", ".join(str(one).removeprefix("default/") for one in declared) or "none"
        raise MeshError(f"{service[:253]} is no service of this mesh; its services are {known}")

    def _fail(self, message: str, calls: Iterable[Call]) -> None:
        __tracebackhide__ = True
        drawn = self._drawn(list(calls)[-5:])
        raise LaneAssertionError("\n".join((message, *(drawn or ["no request was made through the mesh"]))))

    def _drawn(self, calls: Iterable[Call]) -> list[str]:
        from .report import explained

        return [explained(call, self.topology) for call in calls]


def differences(path: Path, expected: Iterable[tuple[Any, Any]]) -> list[str]:
    """In words, where a path is not the expected one."""
    wanted = Path(expected)
    at = next((at for at, (one, other) in enumerate(zip(path, wanted, strict=False)) if one != other), None)
    lines = [f"the call went  {path!r}" if path else "the call reached no service", f"expected       {wanted!r}"]
    if at is not None:
        lines.append(f"they differ at hop {at + 1}: {Path(path[at : at + 1])!r}, expected {Path(wanted[at : at + 1])!r}")
    elif len(path) < len(wanted):
        lines.append(f"it ended before {Path(wanted[len(path) :])!r}")
    else:
        lines.append(f"it went on with {Path(path[len(wanted) :])!r}")
    return lines


def _pairs(text: str) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for part in text.split(">"):
        service, _, version = part.strip().replace("@", " ").partition(" ")
        pairs.append((service, version.strip() if version.strip() not in ("", "-", "None") else None))
    return pairs


def _words(service: str, lane: str | None, version: str | None) -> str:
    return " ".join(filter(None, (service, version, f"in lane {lane}" if lane else "")))


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
