"""``lanebaggage run -- PROGRAM``: start any program with lanebaggage on in its Python processes.

The launcher puts the directory ``site`` first on ``PYTHONPATH`` and becomes the program (POSIX ``exec``), so that process
id, signals, standard streams and exit status are the program's own. Nothing but the standard library is imported.
"""

from __future__ import annotations

import os
import sys

from .options import UsageError, parse
from .python import ignored_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Final

SITE: Final = os.path.join(__file__.rpartition(os.sep)[0], "site")
"""Holds nothing but ``sitecustomize.py``."""

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""The exit statuses of a shell (POSIX, 2.8.2)."""


def run(arguments: Sequence[str]) -> int:
    """Become the program that the arguments of ``lanebaggage run`` name.

    :return: an exit status, where there is nothing to become; on Windows, the program's own.
    :raises HelpAsked: ``--help`` stands before the program.
    """
    try:
        settings, command = parse(arguments)
    except UsageError as error:
        return _say(f"lanebaggage run: {error}", 2)
    program = find(command[0], os.environ.get("PATH", os.defpath))
    if program is None:
        return _say(f"lanebaggage run: {command[0]}: command not found", NOT_FOUND)
    if (option := ignored_option(program, command[1:])) is not None:
        way = "call lanebaggage.auto_instrument() in the program"
        if option != "-S":
            way += ", or use the hook: lanebaggage install-hook, and LANEBAGGAGE_AUTO=1"
        _say(f"lanebaggage run: Python started with {option} does not look here, so it runs without lanebaggage; {way}")
    environ = {**os.environ, **settings}
    add_site(environ)
    try:
        return _become(program, command, environ)
    except OSError as error:
        hint = "; a Python file is run by: lanebaggage run -- python " + command[0] if command[0].endswith(".py") else ""
        return _say(f"lanebaggage run: {program}: {error.strerror}{hint}", NOT_EXECUTABLE)


def add_site(environ: MutableMapping[str, str]) -> None:
    """Put our directory first on ``PYTHONPATH``; an empty entry would be the current directory, so none is made."""
    others = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry != SITE]
    rest = os.pathsep.join(others)
    environ["PYTHONPATH"] = f"{SITE}{os.pathsep}{rest}" if rest else SITE


def find(name: str, path: str) -> str | None:
    """The file that a shell would run for a name, or None."""
    if os.name == "nt":
        from shutil import which

        return which(name, path=path)
    if os.sep in name:
        return name if os.path.exists(name) else None
    for directory in path.split(os.pathsep):
        file = os.path.join(directory or os.curdir, name)
        if os.access(file, os.X_OK) and not os.path.isdir(file):
            return file
    return None


def _become(program: str, command: Sequence[str], environ: dict[str, str]) -> int:
    if os.name == "nt":
        import subprocess

        return subprocess.run([program, *command[1:]], env=environ, check=False).returncode  # noqa: S603 - what was asked for
    import signal

    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and ignored signals stay so in what is executed
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execve(program, list(command), environ)  # noqa: S606 - as above
    raise AssertionError("execve returned")


def _say(text: str, status: int = 0) -> int:
    print(text, file=sys.stderr)
    return status
