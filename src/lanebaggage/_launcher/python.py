"""Whether a command starts a Python that ignores ``PYTHONPATH`` or ``sitecustomize``: ``-I``, ``-E`` or ``-S``."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_IGNORING: Final = "IES"
_ENDING: Final = "cm"
"""Options whose value is the program; what follows belongs to that."""
_WITH_VALUE: Final = "WX"
_SHEBANG_BYTES: Final = 256


def ignored_option(program: str, arguments: Sequence[str]) -> str | None:
    """The option by which the program, where it is a Python or a script for one, would ignore us.

    :param program: path of the file that is executed.
    :param arguments: its arguments.
    """
    if is_python(program):
        return _ignoring(arguments)
    words = shebang(program)
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S" and "=" not in word]
    return _ignoring(words[1:]) if words and is_python(words[0]) else None


def is_python(program: str) -> bool:
    """Whether a file's name is that of a Python interpreter: ``python``, ``python3.13t``, ``pypy3.10``."""
    name = os.path.basename(program).removesuffix(".exe")
    return name.rstrip("0123456789.t") in ("python", "pythonw", "pypy", "graalpy")


def shebang(program: str) -> list[str]:
    """The words of a script's first line after ``#!``; none for anything else."""
    try:
        with open(program, "rb") as file:
            start = file.read(_SHEBANG_BYTES)
    except OSError:
        return []
    if not start.startswith(b"#!"):
        return []
    return start[2:].partition(b"\n")[0].decode("utf-8", "replace").split()


def _ignoring(arguments: Sequence[str]) -> str | None:
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--check-hash-based-pycs":
            skip = True
        elif not argument.startswith("-") or argument in ("-", "--"):
            return None
        elif not argument.startswith("--"):
            for at, letter in enumerate(argument[1:], 2):
                if letter in _IGNORING:
                    return f"-{letter}"
                if letter in _ENDING:
                    return None
                if letter in _WITH_VALUE:
                    skip = at == len(argument)
                    break
    return None
