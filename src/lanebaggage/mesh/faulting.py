"""Stopping and starting instances, and giving them faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import MeshError
from .faults import FOREVER, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .engine import Engine
    from .topology import Instance, Topology


class Stopped:
    """Instances that were stopped; as a context manager, they start again at the block's end.

    Those that were stopped before stay so.
    """

    def __init__(self, again: Callable[[], None]) -> None:
        self._again = again

    def end(self) -> None:
        """Start them again."""
        self._again()

    def __enter__(self) -> Stopped:  # noqa: PYI034 - typing has no Self in 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.end()


class Faulting:
    """The part of a mesh that makes its instances misbehave.

    Each method takes a service, and a lane or version of it; or the host of an :meth:`external <Mesh.external>` one.
    """

    topology: Topology
    engine: Engine
    _faults: list[Fault]

    if TYPE_CHECKING:

        def _make_ready(self) -> None: ...

    def stop(self, service: str, *, lane: str | None = None, version: str | None = None) -> Stopped:
        """Stop instances of a service: it is missing there until :meth:`start`, or until the end of a ``with`` block.

        :param service: the service.
        :param lane: of this lane only.
        :param version: of this version only.
        :raises MeshError: there is none.
        """
        found = [instance for instance in self._found(service, lane, version) if instance.up]
        for instance in found:
            self.engine.set_available(instance, available=False)

        def again() -> None:
            while found:
                instance = found.pop()
                if instance in self.topology.instances and not instance.up:
                    self.engine.set_available(instance, available=True)

        return Stopped(again)

    def delay(self, service: str, seconds: float, *, lane: str | None = None, version: str | None = None) -> Fault:
        """Make instances of a service answer later, until the fault's end.

        :param seconds: that each request waits.
        :raises MeshError: there is no such instance, or no such time.
        """
        if not 0 < seconds < FOREVER:
            raise MeshError(f"a delay of {seconds!r} seconds; write a positive number, or mesh.hang({service!r})")
        return self._fault(f"{seconds:g} s late", self._found(service, lane, version), seconds=seconds)

    def fail(self, service: str, status: int = 503, *, lane: str | None = None, version: str | None = None) -> Fault:
        """Make instances of a service answer with a status and without their application, until the fault's end.

        They are there: a mesh that is not told otherwise sends them their requests, and nothing falls back.

        :param status: of the response.
        :raises MeshError: there is no such instance, or no such status.
        """
        if not 200 <= status <= 599:
            raise MeshError(f"{status!r} is no status of a response; write one from 200 to 599")
        return self._fault(f"answers {status}", self._found(service, lane, version), status=status)

    def hang(self, service: str, *, lane: str | None = None, version: str | None = None) -> Fault:
        """Make instances of a service take requests and not answer, until the fault's end; then they do.

        :raises MeshError: there is no such instance.
        """
        return self._fault("hangs", self._found(service, lane, version), seconds=FOREVER)

    def _found(self, service: str, lane: str | None, version: str | None) -> list[Instance]:
        self._make_ready()
        return self.topology.find(service, lane=lane, version=version)

    def _fault(self, what: str, instances: list[Instance], *, seconds: float = 0.0, status: int | None = None) -> Fault:
        fault = Fault(what, instances, self._over, seconds=seconds, status=status)
        self._faults.append(fault)
        for instance in instances:
            instance.faults = (*instance.faults, fault)
        self.engine.faulted(instances)
        return fault

    def _over(self, fault: Fault) -> None:
        if fault in self._faults:
            self._faults.remove(fault)
        for instance in fault.instances:
            instance.faults = tuple(one for one in instance.faults if one is not fault)
        self.engine.faulted(fault.instances)

    def _end_faults(self) -> None:
        while self._faults:
            self._faults[-1].end()
