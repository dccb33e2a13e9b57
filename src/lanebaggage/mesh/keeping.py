"""What goes on running between two uses of a mesh: instances that nobody declares any more, until they are declared again.

Between tests, say: services, lanes, faults and calls are each test's own, while an application, a process or an Envoy is
started once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from .apps import ASGI, Address, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..routing import ServiceRef
    from .topology import Instance

KEPT: Final = 32
"""Instances that go on running undeclared; the one that was declared longest ago goes first. Where each test makes
applications of its own, they would heap up."""


_everywhere: Final[WeakSet[Kept]] = WeakSet()


class Kept:
    """Instances of one mesh that run undeclared.

    :param end: ends what runs of one for good.
    """

    def __init__(self, end: Callable[[Instance], None]) -> None:
        self._instances: list[Instance] = []
        self._end = end
        _everywhere.add(self)

    def add(self, instances: Iterable[Instance]) -> None:
        """Keep instances that are no longer declared."""
        self._instances.extend(instances)

    def take(self, service: ServiceRef, version: str, given: Any, labels: Mapping[str, str]) -> Instance | None:
        """The instance that was declared in the same words, with the same application, or None."""
        for instance in self._instances:
            if (
                (instance.service, instance.version, instance.given_labels) == (service, version, labels)
                and (instance.given is given or _alike(instance.given, given))
            ):  # fmt: skip
                self._instances.remove(instance)
                return instance
        return None

    def end_surplus(self) -> None:
        """End those that are too many."""
        while len(self._instances) > KEPT:
            self._end(self._instances.pop(0))

    def forget(self) -> None:
        """Forget all, whose engine ends them."""
        self._instances.clear()


def make_room(instance: Instance) -> None:
    """End what is kept of an ASGI application, in any mesh, that is about to run as another instance.

    What it holds, such as a client or a database pool, belongs to the event loop of whoever ran its lifespan last.
    """
    if not isinstance(instance.app, ASGI):
        return
    for kept in tuple(_everywhere):
        for one in tuple(kept._instances):
            if isinstance(one.app, ASGI) and one.app.app is instance.app.app:
                kept._instances.remove(one)
                kept._end(one)


def _alike(one: Any, other: Any) -> bool:
    """Whether two descriptions, which are not the same object, mean the same: texts and commands are compared by value."""
    return type(one) is type(other) and isinstance(one, (str, list, tuple, Command, Address)) and bool(one == other)
