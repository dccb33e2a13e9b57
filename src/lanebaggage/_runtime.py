"""What is in force: the settings with the wire and the policy compiled from them.

Read through the module (``_runtime.wire``) at each call, so that objects patched earlier follow a later change.
"""

from __future__ import annotations

from . import _watch
from ._policy import Policy
from ._settings import Settings, resolve
from ._wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._answers import Answers

settings: Settings
wire: Wire
policy: Policy
answers: Answers | None = None
"""What servers add to their answers, or None where no setting asks for any of it."""
make_wire: type[Wire] = Wire
"""The wire's class; another one while hops are watched."""


def activate(new: Settings) -> None:
    """Put settings in force.

    :raises SettingsError: an ``allow`` entry is not a host.
    """
    global answers, policy, settings, wire
    compiled = Policy(new)
    settings, wire, policy = new, make_wire(new), compiled
    answers = None
    if new.response_header or new.debug_path:
        from ._answers import Answers

        answers = Answers(new)
    if new.debug or _watch.lost is not None:
        from ._debug import switch

        switch(on=new.debug)


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
