"""What there is to see where an application of this process makes a request: thread, line, library and lane.

Looked at while the request is made, since afterwards it is gone; what it means is for :mod:`.causes` to say.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from .. import instrumentation
from .._context import carried

if TYPE_CHECKING:
    from types import FrameType

    from .._wire import Carried

_OURS: Final = __file__.rpartition(os.sep)[0].rpartition(os.sep)[0] + os.sep
_STANDARD: Final = os.__file__.rpartition(os.sep)[0] + os.sep
_PACKAGES: Final = "-packages" + os.sep


class Made:
    """Where and how a request was made.

    :param carried: what went with the code that made it, by the library's own account; None for nothing.
    """

    __slots__ = ("carried", "client", "file", "function", "line", "started_in", "switched_on", "thread")

    def __init__(self, carried: Carried | None) -> None:
        self.carried = carried
        self.switched_on = any(True for _ in instrumentation.report())
        """Whether anything was instrumented in this process."""
        thread = threading.current_thread()
        self.thread = thread.name
        self.started_in: str | None = getattr(thread, "_lanebaggage_started_in", None)
        """The lane in which a worker thread was started, which it does not keep."""
        self.client = ""
        """Module of the library that the application called, such as ``requests.api``; empty where it is not known."""
        self.file, self.line, self.function = "", 0, ""
        """Of the application's own code; empty where none of it is on the stack."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if not name.startswith((_OURS, "<")):
                if not name.startswith(_STANDARD) and _PACKAGES not in name:
                    self.file, self.line, self.function = name, frame.f_lineno, frame.f_code.co_name
                    return
                module: Any = frame.f_globals.get("__name__")
                self.client = str(module)
            frame = frame.f_back


def look() -> Made:
    """What there is to see here and now."""
    return Made(carried())
