"""Envoys that wait for the next mesh: starting one takes a tenth of a second, giving one other files a few milliseconds."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

from .._errors import MeshError
from .envoy_process import Envoy

if TYPE_CHECKING:
    from .envoy_files import Files

_idle: list[tuple[int, Envoy]] = []
_lock = threading.Lock()


def lease(*, each: bool = False) -> Envoy:
    """An Envoy without any configuration, for one mesh alone: an idle one, or a new one.

    :param each: whether rules try each value of a repeated header by itself.
    :raises MeshError: it cannot be started.
    """
    with _lock:
        for entry in list(_idle):
            pid, envoy = entry
            if pid != os.getpid():
                _idle.remove(entry)  # of the process that this one was forked from
            elif not envoy.alive:
                _idle.remove(entry)
                envoy.stop()
            elif envoy.each == each:
                _idle.remove(entry)
                return envoy
    return Envoy(each=each)


def release(envoy: Envoy, files: Files) -> None:
    """Take an Envoy back: emptied for the next mesh, or ended where that fails.

    :param files: what it was configured by.
    """
    envoy.on_line = envoy.on_end = None
    try:
        files.clear()
    except MeshError:
        envoy.stop()
        return
    with _lock:
        _idle.append((os.getpid(), envoy))


def stop_idle() -> None:
    """End the Envoys that wait."""
    with _lock:
        envoys = [envoy for _, envoy in _idle]
        _idle.clear()
    for envoy in envoys:
        envoy.stop()


atexit.register(stop_idle)
