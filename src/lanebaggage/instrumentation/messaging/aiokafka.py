"""aiokafka: ``BatchBuilder.append`` injects; ``AIOKafkaConsumer.getone`` hands out each message's lane, iteration with it.

``send`` and a batch of the user's own both append. ``getmany`` returns a batch, so that it makes no lane current unless
``max_records=1`` asks for one message at most.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import _messages, _wait_for
from .kafka_python import first

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


LIMIT = _messages.Limit(sys.maxsize, "max_records")
"""By name only: what ``getmany`` takes by position are partitions."""


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``append``; hand out in ``getone`` and ``getmany``; leave in ``stop``."""
    if hasattr(module, "BatchBuilder"):
        patch.method(module.BatchBuilder, "append", _append)
    if hasattr(module, "AIOKafkaConsumer"):
        patch.method(module.AIOKafkaConsumer, "getone", _messages.pulls_async(_messages.headers))
        patch.method(module.AIOKafkaConsumer, "getmany", _messages.pulls_async(first, LIMIT))
        patch.method(module.AIOKafkaConsumer, "stop", _messages.closes)
        _wait_for.install(patch)


def _append(original: Any, gate: Gate) -> Any:
    def append(self: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                headers = _messages.with_pairs(kwargs.get("headers"))
                if headers is not None:
                    kwargs["headers"] = headers
            except Exception:
                gate.failed()
        return original(self, **kwargs)

    return append
