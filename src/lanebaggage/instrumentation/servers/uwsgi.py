"""uWSGI: what its C code is told to serve is replaced in the application's module, before uWSGI looks it up there.

Nothing of Python is between a request and a bare callable. So the module that ``--module`` names, or the file of
``--wsgi-file`` or ``--mount``, is waited for, and ``application`` in it, or what ``--callable`` names, is replaced when its
last line has run; of an object the class is patched. What ``--eval`` or ``--paste`` makes has no such place.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import _bootstrap_external  # makes a module of a file for C code
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .. import _imports
from . import _wsgi

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .._patching import Gate, Patcher

_FILE = "uwsgi_file_"
"""How the name of a module begins that uWSGI makes of a file."""


def install(uwsgi: Any, patch: Patcher) -> None:
    """Extract in the callable that the options of this process name."""
    options = {name: value.decode() for name, value in uwsgi.opt.items() if isinstance(value, bytes)}
    module, _, name = next((options[key] for key in ("module", "wsgi", "w") if key in options), "").partition(":")
    name = name or options.get("callable", "application")

    def executed(found: Any) -> None:
        app = vars(found).get(name)
        if isinstance(app, FunctionType):
            patch.method(found, name, _function)
        elif app is not None and isinstance(getattr(type(app), "__call__", None), FunctionType):  # noqa: B004 - which kind
            patch.method(type(app), "__call__", _wsgi.call)

    running = _executing(module)
    if running is not None:
        _at_end(running, executed)
    elif module:
        _imports.when_imported(module, executed)
    else:
        patch.method(_bootstrap_external, "_fix_up_module", partial(_file_follows, executed))


def _file_follows(executed: Callable[[Any], None], original: Any, gate: Gate) -> Any:
    def _fix_up_module(ns: Any, name: str, *args: Any) -> None:
        original(ns, name, *args)
        if gate.on and name.startswith(_FILE):
            _at_end(ns, executed)

    return _fix_up_module


def _function(original: Any, gate: Gate) -> Any:
    return _wsgi.application(original, gate)


def _executing(module: str) -> dict[str, Any] | None:
    """What the module, or the file where none is named, has so far, if it is being executed."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "<module>" and (name == module if module else name.startswith(_FILE)):
            return frame.f_globals
        frame = frame.f_back
    return None


def _at_end(contents: dict[str, Any], executed: Callable[[Any], None]) -> None:
    """Call back when a module has been executed; a profiler that is at work is left alone."""

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_globals is contents and frame.f_code.co_name == "<module>":
            sys.setprofile(None)
            executed(sys.modules[contents["__name__"]])

    if sys.getprofile() is None:
        sys.setprofile(profile)
