"""The doctor: what is installed, patched and set, what a host would be sent, and where a lane is lost.

Everything here works without any extra; ``lanebaggage doctor`` prints it, and a service answers with a part of it at its
``debug_path``.
"""

from __future__ import annotations

from .capture import Call, Capture, capturing
from .inventory import LibraryFacts, SettingFacts, import_installed, in_service, libraries, settings
from .probe import Hop, Probe, new_lane, probe
from .start import Way, ways
from .target import TargetFacts, target

__all__ = [
    "Call",
    "Capture",
    "Hop",
    "LibraryFacts",
    "Probe",
    "SettingFacts",
    "TargetFacts",
    "Way",
    "capturing",
    "import_installed",
    "in_service",
    "libraries",
    "new_lane",
    "probe",
    "settings",
    "target",
    "ways",
]
