"""The exceptions of lanebaggage: each message says what is wrong, where, and what to do."""

from __future__ import annotations


class LanebaggageError(Exception):
    """Base of every exception that lanebaggage raises on purpose."""


class SettingsError(LanebaggageError, ValueError):
    """A setting, from an argument or a ``LANEBAGGAGE_*`` variable, cannot be used."""


class LaneError(LanebaggageError, ValueError):
    """A lane's name cannot travel in a header and in baggage."""


class MeshError(LanebaggageError):
    """A lane mesh, or its description, cannot be used."""
