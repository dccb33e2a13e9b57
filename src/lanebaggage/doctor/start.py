"""How a Python process that starts in this environment would get lanebaggage switched on."""

from __future__ import annotations

import os
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .._errors import SettingsError
from .._launcher import SITE
from .._launcher.hook import NAME
from .._settings import flag


class Way(NamedTuple):
    """One way of switching it on, and whether it is in place."""

    name: str
    works: bool
    detail: str


def ways() -> list[Way]:
    """The ways that the environment decides about; a call of ``auto_instrument()`` in the code is not seen from here."""
    return [_launcher(), _hook(), _opentelemetry()]


def _launcher() -> Way:
    works = SITE in os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return Way("launcher", works, "on PYTHONPATH" if works else "lanebaggage run -- PROGRAM")


def _hook() -> Way:
    directory = Path(sysconfig.get_path("purelib"))
    there = any((directory / f"{NAME}{suffix}").exists() for suffix in (".pth", ".start"))
    try:
        wanted = flag(os.environ.get("LANEBAGGAGE_AUTO"), "LANEBAGGAGE_AUTO", "its value")
    except SettingsError as error:
        return Way("hook", False, str(error))
    if there and wanted:
        return Way("hook", True, "LANEBAGGAGE_AUTO")
    return Way("hook", False, "LANEBAGGAGE_AUTO=1 is not set" if there else "lanebaggage install-hook, and LANEBAGGAGE_AUTO=1")


def _opentelemetry() -> Way:
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.instrumentation") is None:
        return Way("opentelemetry", False, "opentelemetry-instrumentation is not installed")
    directory = os.path.join("opentelemetry", "instrumentation", "auto_instrumentation")  # noqa: PTH118 - compared as text
    works = any(entry.rstrip(os.sep).endswith(directory) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return Way("opentelemetry", works, "on PYTHONPATH" if works else "opentelemetry-instrument PROGRAM")
