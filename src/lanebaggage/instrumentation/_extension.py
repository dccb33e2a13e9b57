"""Classes of extension modules, whose attributes Python refuses to set: confluent-kafka's ``Producer``, gevent's ``Greenlet``.

Such a class still looks its methods up in a dictionary of its own. ``Opened`` stands for the class as the owner of a patch:
it shares that dictionary, so that a patch covers objects, subclasses and names taken before, and undo restores the very
object found. CPython is told of each change by ``PyType_Modified``, which exists for whoever changes a type's dictionary by
hand. Where any of that is not to be had, the library counts as unsupported and is left alone.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Any

from ._patching import MissingAttributeError


class Opened:
    """The owner of the patches of one extension class; for methods that the class itself holds."""

    __slots__ = ("__dict__", "_cls")

    _cls: type

    def __init__(self, cls: type, attributes: dict[str, Any]) -> None:
        object.__setattr__(self, "_cls", cls)
        object.__setattr__(self, "__dict__", attributes)

    @property
    def __name__(self) -> str:
        return f"{self._cls.__module__}.{self._cls.__qualname__}"

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        self._modified()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._modified()

    def _modified(self) -> None:
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(self._cls))


_opened: dict[type, Opened] = {}


def opened(cls: type) -> Any:
    """What to hand to ``Patcher.method`` as the owner: the class itself where it lets its attributes be set.

    :raises MissingAttributeError: the class is closed and its dictionary cannot be had.
    """
    if cls not in _opened:
        if not _is_closed(cls):
            return cls
        found = [item for item in gc.get_referents(vars(cls)) if isinstance(item, dict)]
        if len(found) != 1 or found[0].keys() != vars(cls).keys() or not hasattr(ctypes, "pythonapi"):
            raise MissingAttributeError(f"open dictionary of {cls.__module__}.{cls.__qualname__}")
        _opened[cls] = Opened(cls, found[0])
    return _opened[cls]


def _is_closed(cls: type) -> bool:
    try:
        cls.__doc__ = cls.__doc__
    except (AttributeError, TypeError):
        return True
    return False
