"""Switch lanebaggage on at the start of a Python process, for the launcher and for the hook; never stops the program."""

from __future__ import annotations

import os
import sys

from .. import instrumentation
from .._errors import SettingsError
from .._settings import flag


def start() -> None:
    """Instrument as the environment says; what is wrong with it is one line on stderr, and the program starts without."""
    try:
        instrumentation.auto_instrument()
    except SettingsError as error:
        _say(str(error))
    except Exception as error:
        _say(f"{type(error).__name__}: {error}; please report this")


def start_in_children() -> None:
    """The launcher's start: also for the Python processes that this one starts with a ``PYTHONPATH`` of its own."""
    from . import children

    instrumentation.always.append(children.install)
    start()
    if "LANEBAGGAGE_MESH_SERVICES" in os.environ:
        from . import names

        names.install(os.environ)


def auto() -> None:
    """The hook's start: where ``LANEBAGGAGE_AUTO`` is true."""
    try:
        wanted = flag(os.environ.get("LANEBAGGAGE_AUTO"), "LANEBAGGAGE_AUTO", "its value")
    except SettingsError as error:
        _say(str(error))
    else:
        if wanted:
            start()


def _say(problem: str) -> None:
    if sys.stderr is not None:
        print(f"lanebaggage: this process runs without it: {problem}", file=sys.stderr)
