"""grpc.aio: the constructors of the four calls, below every interceptor of the user.

An interceptor runs in a task of its own, which has the caller's context, and ends in one of these constructors. The target
is that of the channel underneath, which tells it since grpcio 1.82; for an older version it is noted when the channel is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from ... import _log
from ..._context import carried
from ._metadata import with_carried

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

CALLS = ("UnaryUnaryCall", "UnaryStreamCall", "StreamUnaryCall", "StreamStreamCall")

METADATA = 2
"""Its position after ``self``: request, deadline, metadata, credentials, wait_for_ready, channel."""
CHANNEL = 5

_targets: dict[int, tuple[Any, str]] = {}
"""By the identity of the channel underneath: a weak reference to the channel that owns it, and its target."""


def install(module: Any, patch: Patcher) -> None:
    """Inject in the calls' ``__init__``; note the target of a channel made from now on, where grpc does not tell it."""
    if not hasattr(module, "Channel"):
        for name in CALLS:
            patch.method(getattr(module, name), "__init__", _init)
    elif not _tells_target(module.cygrpc.AioChannel):
        patch.method(module.Channel, "__init__", _init_channel)


def _init(original: Any, gate: Gate) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if gate.on and carried() is not None:
            try:
                target = _target(args[CHANNEL])
                if target is not None:
                    args = (*args[:METADATA], with_carried(args[METADATA], target), *args[METADATA + 1 :])
            except Exception:
                gate.failed()
        original(self, *args, **kwargs)

    return __init__


def _init_channel(original: Any, gate: Gate) -> Any:
    def __init__(self: Any, target: str, *args: Any, **kwargs: Any) -> None:
        original(self, target, *args, **kwargs)
        if gate.on:
            try:
                key = id(self._channel)
                _targets[key] = (ref(self, lambda _: _targets.pop(key, None)), target)
            except Exception:
                gate.failed()

    return __init__


def _tells_target(channel_type: Any) -> bool:
    return hasattr(channel_type, "target")


def _target(channel: Any) -> Any:
    target: Any = None
    if _tells_target(type(channel)):
        target = channel.target
    else:
        _, target = _targets.get(id(channel), (None, None))
    if target is None:
        _log.warn_once(
            "grpc.aio target",
            "a grpc.aio channel was made before auto_instrument(), and this version of grpcio does not tell its target, so "
            "that its calls carry nothing; make it later, or use grpcio 1.82 or later",
        )
    return target
