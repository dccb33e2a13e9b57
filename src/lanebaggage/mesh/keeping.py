"""What goes on running between two uses of a mesh: instances that nobody declares any more, until they are declared again.

Between tests, say: services, lanes, faults and calls are each test's own, while an application, a process or an Envoy is
started once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .apps import Address, Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..routing import ServiceRef
    from .topology import Instance

KEPT: Final = 32
"""Instances that go on running undeclared; the one that was declared longest ago goes first. Where each test makes
applications of its own, they would heap up."""


class Kept:
    """Instances that run undeclared."""

    def __init__(self) -> None:
        self._instances: list[Instance] = []

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

    def surplus(self) -> list[Instance]:
        """Those to be ended, which are forgotten here."""
        gone = self._instances[:-KEPT]
        del self._instances[:-KEPT]
        return gone


def _alike(one: Any, other: Any) -> bool:
    """Whether two descriptions, which are not the same object, mean the same: texts and commands are compared by value."""
    return type(one) is type(other) and isinstance(one, (str, list, tuple, Command, Address)) and bool(one == other)
