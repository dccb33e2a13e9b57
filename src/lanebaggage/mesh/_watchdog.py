"""Ends what this process has started when this process is no more, for whatever reason: ``kill -9`` included.

A shell of its own session holds one end of a pipe. This process writes there what there is to end; when the pipe closes,
which no way of dying avoids, the shell ends it.
"""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Final

_SCRIPT: Final = """
trap '' INT TERM HUP
IFS='
'
while read -r sign; do
  read -r what
  if [ "$sign" = + ]; then
    all="$all
$what"
  else
    rest=
    for one in $all; do [ "$one" = "$what" ] || rest="$rest
$one"; done
    all=$rest
  fi
done
for one in $all; do
  case $one in
    /*) rm -rf -- "$one" ;;
    *) kill -s KILL -- "$one" 2>/dev/null ;;
  esac
done
"""

_shell: subprocess.Popen[bytes] | None = None
_owner: int | None = None
_lock: Final = threading.Lock()


def watch(*targets: str) -> None:
    """End these with this process; not on Windows.

    :param targets: process ids, process groups with a minus before their number, absolute paths of directories to remove;
        in this order.
    """
    global _shell, _owner
    if os.name == "nt":
        return
    with _lock:
        if _shell is None or _owner != os.getpid() or _shell.poll() is not None:
            _owner = os.getpid()
            _shell = subprocess.Popen(  # noqa: S603 - a fixed script
                ["/bin/sh", "-c", _SCRIPT, "lanebaggage-watchdog"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        _tell("+", targets)


def forget(*targets: str) -> None:
    """They have ended."""
    with _lock:
        if _owner == os.getpid():
            _tell("-", targets)


def _tell(sign: str, targets: tuple[str, ...]) -> None:
    if _shell is not None and _shell.stdin is not None:
        try:
            _shell.stdin.write("".join(f"{sign}\n{target}\n" for target in targets).encode())
            _shell.stdin.flush()
        except OSError:  # somebody has ended it: then there is nobody to tell
            pass
