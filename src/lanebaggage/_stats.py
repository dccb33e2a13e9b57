"""Counters of what the library did; plain increments, since a lock would cost more than an exact number is worth."""

from __future__ import annotations


class Counts:
    """How often the library did something since the process started."""

    __slots__ = ("extracted", "failed", "injected", "lost_in_thread", "refused_host", "refused_signed", "refused_value")

    def __init__(self) -> None:
        self.extracted = 0
        self.injected = 0
        self.lost_in_thread = 0
        self.refused_host = 0
        self.refused_signed = 0
        self.refused_value = 0
        self.failed = 0

    def as_dict(self) -> dict[str, int]:
        """The counters by name."""
        return {name: getattr(self, name) for name in self.__slots__}


counts = Counts()


def stats() -> dict[str, int]:
    """How often the library did something since the process started.

    :return: by name: ``extracted`` (a request or message brought something), ``injected`` (a request got it),
        ``refused_host``, ``refused_signed`` and ``refused_value``, ``lost_in_thread`` (calls made without a lane from a
        worker thread that was started while one was active) and ``failed`` (calls that went out unchanged, by an error
        of ours).
    """
    return counts.as_dict()
