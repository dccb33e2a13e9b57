"""What there is to see where an application of this process makes a request: thread, task, line, library and lane.

Looked at while the request is made, since afterwards it is gone; what it means is for :mod:`.causes` to say.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Final

from .. import _runtime, instrumentation
from .._context import CARRIED, UNSET, carried

if TYPE_CHECKING:
    from types import FrameType

    from .._wire import Carried

_OURS: Final = __file__.rpartition(os.sep)[0].rpartition(os.sep)[0] + os.sep
_MESH: Final = __file__.rpartition(os.sep)[0] + os.sep
_STANDARD: Final = os.__file__.rpartition(os.sep)[0] + os.sep
_PACKAGES: Final = "-packages" + os.sep

_CLIENTS: Final = frozenset(
    module.partition(".")[0] if one.distribution else module
    for one in instrumentation.TABLE
    if one.role == "client"
    for module in one.modules
)
"""Packages of client libraries, and modules of the standard library that are such."""

_SERVERS: Final = frozenset(one.library for one in instrumentation.TABLE if one.role == "server")


class Made:
    """Where and how a request was made.

    :param carried: what went with the code that made it, by the library's own account; None for nothing.
    """

    __slots__ = (
        "carried", "client", "entered", "file", "function", "line", "policy", "rows", "settings", "started_in", "task", "thread"
    )  # fmt: skip

    def __init__(self, carried: Carried | None) -> None:
        self.carried = carried
        self.entered = CARRIED.get() is not UNSET
        """Whether the lane of something, "none" included, was ever entered here: by a server, a job, or by hand."""
        self.rows = instrumentation.report().rows
        """What was instrumented then; none where the library was off."""
        self.settings, self.policy = _runtime.settings, _runtime.policy
        """That were in force."""
        thread = threading.current_thread()
        self.thread = thread.name
        self.task = _task()
        """Name of the asyncio task; empty outside of one."""
        self.started_in: str | None = getattr(thread, "_lanebaggage_started_in", None)
        """The lane in which a worker thread was started, which it does not keep."""
        self.client = ""
        """Module of the client library, such as ``requests.api``, or else of the library that the application called."""
        self.file, self.line, self.function = "", 0, ""
        """Of the application's own code, or of the installed package that called the client; empty where neither is seen."""
        self._look(sys._getframe(2))

    def _look(self, frame: FrameType | None) -> None:
        """Go up from the request, over its client's frames, to the application, and no further than to the mesh's own."""
        caller: FrameType | None = None
        known = False
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(_OURS):
                if caller is not None and name.startswith(_MESH):
                    break
            elif not name.startswith("<"):
                installed = _PACKAGES in name
                if not installed and not name.startswith(_STANDARD):
                    caller = frame
                    break
                module = str(frame.f_globals.get("__name__"))
                package = module.partition(".")[0]
                if (module in _CLIENTS or package in _CLIENTS) and (caller is None or package not in _SERVERS):
                    self.client, known, caller = module, True, None
                else:
                    self.client = self.client if known or caller is not None else module
                    caller = caller or (frame if installed and known else None)
            frame = frame.f_back
        if caller is not None:
            self.file, self.line, self.function = caller.f_code.co_filename, caller.f_lineno, caller.f_code.co_name


def _task() -> str:
    if asyncio._get_running_loop() is None:
        return ""
    task = asyncio.current_task()
    return "" if task is None else task.get_name()


def look() -> Made:
    """What there is to see here and now."""
    return Made(carried())
