"""confluent-kafka: ``Producer.produce`` injects; ``Consumer.poll`` hands out its message's lane, ``AIOConsumer.poll`` too.

Both are classes of a C extension. ``consume`` returns a batch, so that it makes no lane current unless one message at most
was asked for, which is its default; ``ShareConsumer.poll`` always returns one. ``produce_batch`` cannot carry headers
(librdkafka), nor can ``AIOProducer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extension import opened
from . import _messages, _wait_for

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


HEADERS = 7
"""Where ``headers`` stands among the arguments: topic, value, key, partition, callback, on_delivery, timestamp, headers."""

LIMIT = _messages.Limit(0, "num_messages", default=1)


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``produce``; hand out in ``poll`` and ``consume``; leave in ``close``."""
    if hasattr(module, "AIOConsumer"):
        patch.method(module.AIOConsumer, "poll", _messages.pulls_async(_headers))
        patch.method(module.AIOConsumer, "consume", _messages.pulls_async(_first, LIMIT))
        patch.method(module.AIOConsumer, "close", _messages.closes)
        _wait_for.install(patch)
        return
    patch.method(opened(module.Producer), "produce", _produce)
    consumer = opened(module.Consumer)
    patch.method(consumer, "poll", _messages.pulls(_headers))
    patch.method(consumer, "consume", _messages.pulls(_first, LIMIT))
    patch.method(consumer, "close", _messages.closes)
    if "__exit__" in vars(module.Consumer):
        patch.method(consumer, "__exit__", _messages.closes)
    if hasattr(module, "ShareConsumer"):
        patch.method(opened(module.ShareConsumer), "poll", _messages.pulls(lambda _: _messages.NO_MESSAGE))


def _produce(original: Any, gate: Gate) -> Any:
    def produce(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                args, kwargs = _with_headers(args, kwargs)
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return produce


def _with_headers(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    headers = _messages.argument(args, kwargs, HEADERS, "headers")
    if isinstance(headers, dict):
        new: Any = _messages.with_headers(headers)
    elif headers is None or isinstance(headers, list):
        new = _messages.with_pairs(headers)
    else:
        new = None  # which the library is about to refuse
    return (args, kwargs) if new is None else _messages.replaced(args, kwargs, HEADERS, "headers", new)


def _headers(message: Any) -> Any:
    return _messages.NO_MESSAGE if message is None or message.error() is not None else message.headers()


def _first(messages: Any) -> Any:
    return _headers(messages[0]) if messages else _messages.NO_MESSAGE
