"""Envoy's configuration from a lane group: pure, as JSON; ``docs/reference/engines.md`` says what Envoy does with it."""

from __future__ import annotations

from .bootstrap import base, bootstrap
from .configuration import GATEWAY, Configuration
from .options import CHOICE_HEADER, HOP_HEADER, Endpoint, Options, Relay, Sidecar

__all__ = [
    "CHOICE_HEADER",
    "GATEWAY",
    "HOP_HEADER",
    "Configuration",
    "Endpoint",
    "Options",
    "Relay",
    "Sidecar",
    "base",
    "bootstrap",
]
