"""Wait for modules to be imported, and import none: a finder that lets the real finders work and calls back afterwards.

The loader of a module that is waited for is wrapped for the one call of ``exec_module`` and then put back, so that the
module's ``__spec__``, its resources and ``importlib.reload`` are those of an ordinary import.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Callback = Callable[[ModuleType], None]


APPEARING = ("uwsgi",)
"""Modules that no finder finds, since the program that embeds Python makes them; they are looked for at each import."""


class _Finder:
    """First on ``sys.meta_path`` while something is waited for."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Callback]] = {}
        self.unfinished: set[str] = set()
        self.appearing: tuple[str, ...] = ()  # replaced, never changed: any thread may import

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.unfinished:
            self.look_again()
        for name in self.appearing:  # few and quick: some libraries try to import what is not there at each request
            if name in sys.modules:
                self.look_again()
                break
        if fullname not in self.waiting:
            return None
        for finder in sys.meta_path:
            if finder is not self and (find := getattr(finder, "find_spec", None)) is not None:
                spec: ModuleSpec | None = find(fullname, path, target)
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        spec.loader = _Loader(spec.loader, fullname, self)  # type: ignore[assignment] # stands for the loader
                    return spec
        return None

    def imported(self, name: str, module: ModuleType) -> None:
        for callback in self.waiting.get(name, ()):
            callback(module)

    def look_again(self) -> None:
        """Call back for modules that another thread, or a caller further up, was still importing."""
        self.unfinished.update(name for name in self.appearing if name in sys.modules)
        self.appearing = tuple(name for name in self.appearing if name not in self.unfinished)
        for name in tuple(self.unfinished):
            module = sys.modules.get(name)
            if module is None or not _unfinished(module):
                self.unfinished.discard(name)
                if module is not None:
                    self.imported(name, module)


class _Loader:
    """Stands for a loader until the module has been executed."""

    def __init__(self, loader: Any, name: str, finder: _Finder) -> None:
        self._loader = loader
        self._name = name  # a module can change its __name__, as gevent's do when they take an extension's contents
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._finder.imported(self._name, module)


_finder = _Finder()


def when_imported(name: str, callback: Callback) -> None:
    """Call back with a module once it has been imported: now, if it has been, and after each reload."""
    _finder.waiting.setdefault(name, []).append(callback)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    module = sys.modules.get(name)
    if module is None:
        if name in APPEARING and name not in _finder.appearing:
            _finder.appearing += (name,)
    elif _unfinished(module):
        _finder.unfinished.add(name)
    else:
        callback(module)


def stop_waiting() -> None:
    """Forget every callback and leave ``sys.meta_path`` as it was."""
    _finder.waiting.clear()
    _finder.unfinished.clear()
    _finder.appearing = ()
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _unfinished(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
