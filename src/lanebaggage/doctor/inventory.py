"""What is installed and patched, and which settings are in force, in the process that asks."""

from __future__ import annotations

import platform
import warnings
from importlib import import_module, metadata
from typing import TYPE_CHECKING, NamedTuple

from .. import _runtime
from .._settings import SETTINGS
from .._stats import stats
from ..instrumentation import PATCHED, TABLE, WAITING, report
from ..instrumentation._imports import APPEARING

if TYPE_CHECKING:
    from typing import Any

    from ..instrumentation import Library

NOT_INSTALLED = "not installed"
UNKNOWN = "no package"
"""Its module is here, without a package that would tell the version, as with uWSGI's program."""
OFF = "off"
"""Nothing is instrumented in this process."""

_OTHER_BUILDS = {"pyuwsgi": "uwsgi"}
"""Packages that bring the same library."""


class LibraryFacts(NamedTuple):
    """One supported library in one role."""

    library: str
    role: str
    version: str | None
    """Its version, ``standard library``, ``no package``, or None where it is not installed."""
    status: str
    """``patched``, ``waiting``, ``disabled``, ``unsupported``, ``failed``, ``not installed`` or ``off``."""
    detail: str
    """What is patched, or why nothing is."""


class SettingFacts(NamedTuple):
    """One setting in force."""

    name: str
    value: Any
    source: str
    """``argument``, the environment variable's name, the preset, or ``default``."""


def libraries() -> list[LibraryFacts]:
    """Every supported library as it is in this process; imports none of them."""
    rows = {(row.library, row.role): row for row in report()}
    facts = []
    for entry in TABLE:
        version = _version(entry)
        row = rows.get((entry.library, entry.role))
        if version is None and row is not None and row.status == PATCHED:
            version, status, detail = UNKNOWN, row.status, row.detail
        elif version is None:
            status, detail = NOT_INSTALLED, ""
        elif row is None:
            status, detail = OFF, "auto_instrument() was not called in this process"
        else:
            status, detail = row.status, row.detail
        facts.append(LibraryFacts(entry.library, entry.role, version, status, detail))
    return facts


def import_installed() -> dict[str, str]:
    """Import the installed libraries that wait for it, so that their patches are tried.

    :return: by library, why it could not be imported.
    """
    failures = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say about each other while they are imported is not the question
        for entry, facts in zip(TABLE, libraries(), strict=True):
            if facts.status == WAITING:
                errors = [error for name in entry.modules if (error := _import(name)) is not None]
                if len(errors) == len(entry.modules):
                    failures[entry.library] = errors[0]
    return failures


def settings() -> list[SettingFacts]:
    """The settings in force, with where each came from."""
    current = _runtime.settings
    facts = [SettingFacts("mode", current.mode, "from route_header and trace_header")]
    for name in SETTINGS:
        value = getattr(current, name)
        if isinstance(value, (frozenset, tuple)):
            value = sorted(value)
        facts.append(SettingFacts(name, value, current.sources[name]))
    return facts


def in_service() -> dict[str, Any]:
    """All of it as plain data, for the ``debug_path`` and for ``--json``."""
    from .. import __version__

    return {
        "lanebaggage": __version__,
        "python": platform.python_version(),
        "settings": [fact._asdict() for fact in settings()],
        "libraries": [fact._asdict() for fact in libraries()],
        "stats": stats(),
    }


def _version(entry: Library) -> str | None:
    if not entry.distribution:
        return "standard library"
    for name in filter(None, (entry.distribution, _OTHER_BUILDS.get(entry.distribution))):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _import(name: str) -> str | None:
    if name in APPEARING:
        return "only a process of its own program has it"
    try:
        import_module(name)
    except BaseException as error:  # a library may call sys.exit() where something of its own is missing
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"[:200]
    return None
