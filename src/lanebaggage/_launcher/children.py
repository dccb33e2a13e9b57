"""Processes that a launched program starts with a ``PYTHONPATH`` of its own: ours is put in front of it.

Without one, or with the inherited one, a child is reached through the environment anyway; an environment without any
``PYTHONPATH`` is left so, since whoever made it wants a bare Python. ``subprocess.Popen`` is patched for it, and
``os.execve``, through which the other functions of ``os`` go that take an environment, ``posix_spawn`` excepted.
"""

from __future__ import annotations

import os

from ..instrumentation import _imports
from ..instrumentation._patching import Patcher
from . import SITE, add_site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..instrumentation._patching import Gate

_ENV = 10
"""Position of ``env`` among the arguments of ``subprocess.Popen``."""


def install() -> None:
    """Patch ``os.execve`` and, when it is imported, ``subprocess.Popen``."""
    Patcher("launcher").method(os, "execve", _execve)
    _imports.when_imported("subprocess", lambda module: Patcher("launcher").method(module.Popen, "__init__", _popen))


def _execve(original: Any, gate: Gate) -> Any:
    def execve(path: Any, argv: Any, env: Any) -> Any:
        if gate.on:
            try:
                env = _reached(env)
            except Exception:
                gate.failed()
        return original(path, argv, env)

    return execve


def _popen(original: Any, gate: Gate) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if gate.on:
            try:
                if len(args) > _ENV:
                    args = (*args[:_ENV], _reached(args[_ENV]), *args[_ENV + 1 :])
                elif (env := _reached(kwargs.get("env"))) is not kwargs.get("env"):
                    kwargs = {**kwargs, "env": env}
            except Exception:
                gate.failed()
        original(self, *args, **kwargs)

    return __init__


def _reached(env: Any) -> Any:
    """The environment for a child: the one given, or a copy with our directory on its path."""
    source = os.environ if env is None else env
    path = source.get("PYTHONPATH") if hasattr(source, "get") else None
    if not isinstance(path, str) or not path or SITE in path.split(os.pathsep):
        return env
    copy = dict(source)
    add_site(copy)
    return copy
