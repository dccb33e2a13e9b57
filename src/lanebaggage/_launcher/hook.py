"""The opt-in hook: a start-up file in site-packages that starts lanebaggage where ``LANEBAGGAGE_AUTO`` is true.

Python 3.15 has ``.start`` files, which name a function (PEP 829); before, a line of a ``.pth`` file that begins with
``import`` is executed (the ``site`` module's documentation). Neither is shipped: code at every start of every Python is
for the owner of an image to decide.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import LanebaggageError

if TYPE_CHECKING:
    from typing import Final

NAME: Final = "lanebaggage-auto"
_START_FILES: Final = (3, 15)
_START: Final = "lanebaggage._launcher.start:auto\n"
_PTH: Final = (
    "import os; os.environ.get('LANEBAGGAGE_AUTO') and __import__('lanebaggage._launcher.start', fromlist=['auto']).auto()\n"
)


class HookError(LanebaggageError):
    """The hook cannot be written or removed."""


def install(directory: Path | None = None, version: tuple[int, int] | None = None) -> Path:
    """Write the hook.

    :param directory: site-packages; this Python's unless given.
    :param version: the Python's version, major and minor; this Python's unless given.
    :return: the file written.
    :raises HookError: it cannot be written.
    """
    start = (version or sys.version_info[:2]) >= _START_FILES
    path = (directory or _site_packages()) / f"{NAME}{'.start' if start else '.pth'}"
    try:
        path.write_text(_START if start else _PTH, encoding="utf-8")
    except OSError as error:
        raise HookError(
            f"{path}: {error.strerror}; run this as the owner of that directory, or in the image's build"
        ) from error
    return path


def remove(directory: Path | None = None) -> list[Path]:
    """Remove the hook.

    :param directory: as for :func:`install`.
    :return: the files removed; none where there was no hook.
    :raises HookError: it cannot be removed.
    """
    removed = []
    for suffix in (".pth", ".start"):
        path = (directory or _site_packages()) / f"{NAME}{suffix}"
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HookError(f"{path}: {error.strerror}; remove it as the owner of that directory") from error
        removed.append(path)
    return removed


def _site_packages() -> Path:
    return Path(sysconfig.get_path("purelib"))
