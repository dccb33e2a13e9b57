"""Replace a method once, guard it, switch it off, and put back exactly what was there.

Two forms with one gate and one undo: ``Patcher.method`` puts a plain function in place, for calls whose cost is felt,
``Patcher.wrap`` a wrapt proxy. Either way our part runs under ``try`` and the original is called outside of it, so that a
failure of ours leaves the call as it was. Undo restores the very object found; where somebody patched on top later, their
patch stays and ours, below it, is switched off.
"""

from __future__ import annotations

import sys

from .. import _log
from .._stats import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    C = TypeVar("C", bound=Callable[..., Any])

_MISSING: Any = object()
_CO_COROUTINE = 0x80
"""``inspect.CO_COROUTINE``."""


class Gate:
    """Whether one replaced method still does its work; looked at on every call."""

    __slots__ = ("library", "on")

    def __init__(self, library: str) -> None:
        self.library = library
        self.on = True

    def failed(self) -> None:
        """Report the exception being handled, once a minute and library, by type and place and without its text."""
        counts.failed += 1
        kind, _, traceback = sys.exc_info()
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        place = f"{traceback.tb_frame.f_globals.get('__name__')}:{traceback.tb_lineno}" if traceback is not None else "?"
        _log.warn_limited(
            f"failed {self.library}",
            "a call through %s went out unchanged: %s at %s; please report this",
            self.library,
            getattr(kind, "__name__", "error"),
            place,
        )


class _Patch:
    """One replaced attribute."""

    __slots__ = ("found", "gate", "name", "owner", "replacement", "top")

    def __init__(self, owner: Any, name: str, found: Any, replacement: Any, gate: Gate) -> None:
        self.owner = owner
        self.name = name
        self.found = found
        self.replacement = replacement
        self.gate = gate
        self.top: Any = _MISSING

    def undo(self) -> bool:
        """Put back what was found; False where a later patch of somebody else stays on top."""
        self.gate.on = False
        current = vars(self.owner).get(self.name, _MISSING)
        if current is self.found:
            return True  # somebody, such as a mock that ended, has put it back
        if current is not self.replacement:
            self.top = current
            return False
        if self.found is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.found)
        return True

    def revive(self) -> bool:
        """Switch on again below the patch that kept it from being undone; False where that patch has gone."""
        current = vars(self.owner).get(self.name, _MISSING)
        if current is not self.replacement and current is not self.top:
            return False
        self.gate.on = True
        return True


_installed: list[_Patch] = []
_buried: list[_Patch] = []


class Patcher:
    """Hands one integration the means to replace methods; keeps the record for undo."""

    def __init__(self, library: str) -> None:
        self.library = library
        self._made: list[_Patch] = []

    def rollback(self) -> None:
        """Undo what this patcher did, after a failure halfway."""
        while self._made:
            patch = self._made.pop()
            _installed.remove(patch)
            patch.undo()

    def method(self, owner: Any, name: str, make: Callable[[Any, Gate], Any]) -> None:
        """Replace a function that a class or module holds, inherited ones included.

        :param owner: the class, or the module where a library looks the function up at each call.
        :param name: the attribute; :class:`MissingAttributeError` is raised where it is absent.
        :param make: called with the original and a gate; returns the replacement.
        """

        def replace(found: Any, gate: Gate) -> Any:
            if isinstance(found, (staticmethod, classmethod)):
                return type(found)(dressed(make(found.__func__, gate), found.__func__))
            bound = getattr(owner, name)  # as a call finds it: a wrapt proxy taken from the class's dict knows no instance
            return dressed(make(bound, gate), bound)

        self._put(owner, name, replace)

    def wrap(self, owner: Any, name: str, make: Callable[[Gate], Callable[..., Any]]) -> None:
        """Replace a function by a wrapt proxy.

        :param owner: as for :meth:`method`.
        :param name: as for :meth:`method`.
        :param make: called with a gate; returns wrapt's ``wrapper(wrapped, instance, args, kwargs)``.
        """

        def replace(found: Any, gate: Gate) -> Any:
            import wrapt  # not at start-up: it imports asyncio and importlib.metadata

            return wrapt.FunctionWrapper(found, make(gate), enabled=lambda: gate.on)

        self._put(owner, name, replace)

    def descriptor(self, owner: Any, name: str, make: Callable[[Any, Gate], Any]) -> None:
        """Replace a property, or another descriptor that is not a function.

        :param owner: the class that holds it.
        :param name: the attribute.
        :param make: called with the descriptor found and a gate; returns the replacement.
        """
        self._put(owner, name, make)

    def _put(self, owner: Any, name: str, replace: Callable[[Any, Gate], Any]) -> None:
        for patch in (*_installed, *_buried):
            if patch.owner is owner and patch.name == name and patch.gate.library == self.library:
                if patch in _installed:
                    return
                if patch.revive():
                    _buried.remove(patch)
                    _installed.append(patch)
                    return
        if not hasattr(owner, name):
            raise MissingAttributeError(f"{getattr(owner, '__qualname__', owner.__name__)}.{name}")
        found = vars(owner).get(name, _MISSING)
        gate = Gate(self.library)
        replacement = replace(getattr(owner, name) if found is _MISSING else found, gate)
        setattr(owner, name, replacement)
        patch = _Patch(owner, name, found, replacement, gate)
        self._made.append(patch)
        _installed.append(patch)


class MissingAttributeError(LookupError):
    """The library's version lacks what is patched; the report says so and nothing else happens."""


def dressed(replacement: C, original: Any) -> C:
    """Give a replacement the name, documentation, attributes and signature of the original, as ``functools.wraps`` does."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        try:
            setattr(replacement, attribute, getattr(original, attribute))
        except AttributeError:
            continue
    vars(replacement).update(getattr(original, "__dict__", {}))
    replacement.__wrapped__ = original  # type: ignore[attr-defined] # inspect.signature follows it
    if _is_async(original) and not _is_async(replacement):
        _marked_async(replacement)
    return replacement


def _is_async(function: Any) -> bool:
    """Whether it is an ``async def``; without ``inspect``, which start-up does not import."""
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & _CO_COROUTINE)


def _marked_async(function: Any) -> None:
    """Mark a function that hands on a coroutine, so that a mock with its specification can be awaited."""
    if sys.version_info >= (3, 12):
        from inspect import markcoroutinefunction

        markcoroutinefunction(function)
    else:
        from asyncio import coroutines

        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined] # what asyncio and mocks ask for


def undo_all() -> None:
    """Undo every patch, the last one first."""
    while _installed:
        patch = _installed.pop()
        if not patch.undo():
            _buried.append(patch)


def patched(library: str) -> list[str]:
    """What is patched for a library, as ``module.Class.method``."""
    return [f"{_name(patch.owner)}.{patch.name}" for patch in _installed if patch.gate.library == library]


def _name(owner: Any) -> str:
    return f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else str(owner.__name__)
