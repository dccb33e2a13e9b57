"""Counters of what the library did; plain increments, since a lock would cost more than an exact number is worth."""

from __future__ import annotations


class Counts:
    """How often the library did something since the process started."""

    __slots__ = ("extracted", "failed", "injected", "refused_host", "refused_signed", "refused_value")

    def __init__(self) -> None:
        self.extracted = 0
        self.injected = 0
        self.refused_host = 0
        self.refused_signed = 0
        self.refused_value = 0
        self.failed = 0

    def as_dict(self) -> dict[str, int]:
        """The counters by name."""
        return {name: getattr(self, name) for name in self.__slots__}


counts = Counts()
