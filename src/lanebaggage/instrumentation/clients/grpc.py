"""grpc: the ``__call__``, ``with_call`` and ``future`` of what a stub's methods are, below every interceptor of the user.

The metadata is passed on as a new tuple, duplicates kept, and calls come back as grpc's own objects. The channel's target
decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED
from .._patching import MissingAttributeError
from ._metadata import with_carried

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

MULTICALLABLES = (
    "_UnaryUnaryMultiCallable",
    "_UnaryStreamMultiCallable",
    "_SingleThreadedUnaryStreamMultiCallable",
    "_StreamUnaryMultiCallable",
    "_StreamStreamMultiCallable",
)

METADATA = 2
"""Its position after ``self``: request, timeout, metadata."""


def install(channel: Any, patch: Patcher) -> None:
    """Inject in the methods of the multicallables, which know their target since grpcio 1.63."""
    for name in MULTICALLABLES:
        owner = getattr(channel, name)
        if not hasattr(owner, "_target"):
            raise MissingAttributeError(f"{name}._target")
        for method in ("__call__", "with_call", "future"):
            if method in vars(owner):
                patch.method(owner, method, _call)


def _call(original: Any, gate: Gate) -> Any:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and CARRIED.get() is not None:
            try:
                if len(args) > METADATA:
                    args = (*args[:METADATA], with_carried(args[METADATA], self._target), *args[METADATA + 1 :])
                else:
                    kwargs = {**kwargs, "metadata": with_carried(kwargs.get("metadata"), self._target)}
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return call
