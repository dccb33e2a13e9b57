"""kafka-python: ``KafkaProducer.send`` injects; ``KafkaConsumer.__next__`` hands out each message's lane.

``poll`` returns a batch, so that it makes no lane current unless ``max_records=1`` asks for one message at most. What the
library would refuse (headers that are no list, items that are no tuples) goes through as it is, to be refused by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _messages

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``send``; hand out in ``__next__`` and ``poll``; leave in ``close``."""
    if hasattr(module, "KafkaProducer"):
        patch.method(module.KafkaProducer, "send", _send)
    if hasattr(module, "KafkaConsumer"):
        patch.method(module.KafkaConsumer, "__next__", _messages.pulls(_messages.headers))
        patch.method(module.KafkaConsumer, "poll", _messages.pulls(first, _messages.Limit(1, "max_records")))
        patch.method(module.KafkaConsumer, "close", _messages.closes)


def _send(original: Any, gate: Gate) -> Any:
    def send(self: Any, topic: Any, value: Any = None, key: Any = None, headers: Any = None, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                if headers is None or isinstance(headers, list):
                    headers = _messages.with_pairs(headers) or headers
            except Exception:
                gate.failed()
        return original(self, topic, value, key, headers, *args, **kwargs)

    return send


def first(batches: Any) -> Any:
    """Headers of the first message in what ``poll`` or ``getmany`` returned."""
    return next((record.headers for batch in batches.values() for record in batch), _messages.NO_MESSAGE)
