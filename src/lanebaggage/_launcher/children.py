"""Processes that a launched program starts with a ``PYTHONPATH`` of its own: ours is put in front of it.

Without one, or with the inherited one, a child is reached through the environment anyway; an environment without any
``PYTHONPATH`` is left so, since whoever made it wants a bare Python. Patched for it are ``subprocess.Popen``, and in ``os``
``execve`` and ``posix_spawn``, through which its other functions go that take an environment; and ``putenv``, by which
``os.environ`` changes what ``os.system``, ``os.execv`` and ``multiprocessing`` hand on. ``os.environ`` itself shows the
program what the program has set.
"""

from __future__ import annotations

import os

from ..instrumentation import _imports
from ..instrumentation._patching import Patcher
from . import SITE, add_site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from ..instrumentation._patching import Gate

_ENV = 10
"""Position of ``env`` among the arguments of ``subprocess.Popen``."""

_PATH: Final = "PYTHONPATH"
_PACKAGES: Final = os.sep.join(SITE.split(os.sep)[:-3])
_ELSEWHERE: Final = _PACKAGES in os.environ.get(_PATH, "").split(os.pathsep)
"""Whether lanebaggage is found through ``PYTHONPATH``: on a volume, rather than installed in this Python."""


def install() -> None:
    """Patch the functions of ``os`` and, when it is imported, ``subprocess.Popen``."""
    patch = Patcher("launcher")
    patch.method(os, "execve", _with_environment)
    patch.method(os, "putenv", _putenv)
    if hasattr(os, "posix_spawn"):
        for name in ("posix_spawn", "posix_spawnp"):
            patch.method(os, name, _with_environment)
    if _PATH in os.environ:
        os.putenv(_PATH, os.environ[_PATH])  # a sitecustomize of the user's, which ran before, may have changed that
    _imports.when_imported("subprocess", lambda module: Patcher("launcher").method(module.Popen, "__init__", _popen))


def _with_environment(original: Any, gate: Gate) -> Any:
    def start(path: Any, argv: Any, env: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                env = _reached(env)
            except Exception:
                gate.failed()
        return original(path, argv, env, **kwargs)

    return start


def _putenv(original: Any, gate: Gate) -> Any:
    def putenv(name: Any, value: Any, /) -> None:
        if gate.on:
            try:
                if os.fsdecode(name) == _PATH:
                    value = _reached({_PATH: value})[_PATH]
            except Exception:
                gate.failed()
        original(name, value)

    return putenv


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
    if not hasattr(env, "keys"):
        return env
    name = next((name for name in env if name in (_PATH, _PATH.encode())), None)
    path = {_PATH: os.fsdecode(env[name])} if name is not None else {}
    if not path.get(_PATH) or SITE in path[_PATH].split(os.pathsep):
        return env
    add_site(path)
    if _ELSEWHERE and _PACKAGES not in path[_PATH].split(os.pathsep):
        path[_PATH] += f"{os.pathsep}{_PACKAGES}"
    return {**env, name: path[_PATH]}
