"""What is in force: the settings with the wire and the policy compiled from them.

Read through the module (``_runtime.wire``) at each call, so that objects patched earlier follow a later change.
"""

from __future__ import annotations

from ._policy import Policy
from ._settings import Settings, resolve
from ._wire import Wire

settings: Settings
wire: Wire
policy: Policy


def activate(new: Settings) -> None:
    """Put settings in force.

    :raises SettingsError: an ``allow`` entry is not a host.
    """
    global policy, settings, wire
    compiled = Policy(new)
    settings, wire, policy = new, Wire(new), compiled


def __getattr__(name: str) -> object:
    """Compile the environment's settings at first use, for ``lane()`` and ``inject()`` without ``auto_instrument()``."""
    if name not in ("policy", "settings", "wire"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._errors import SettingsError
    from ._log import warn_once

    try:
        activate(resolve())
    except SettingsError as error:
        warn_once("settings", "the environment's settings cannot be used, so the defaults are: %s", error)
        activate(resolve(environ={}))
    return globals()[name]
