"""The doctor: what is installed, patched and set, what a host would be sent, and where a lane is lost.

Everything here works without any extra; ``lanebaggage doctor`` prints it, and a service answers with a part of it at its
``debug_path``.
"""

from __future__ import annotations

from .inventory import LibraryFacts, SettingFacts, import_installed, in_service, libraries, settings

__all__ = ["LibraryFacts", "SettingFacts", "import_installed", "in_service", "libraries", "settings"]
