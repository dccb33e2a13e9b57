"""aio-pika and aiormq below it: ``Channel.basic_publish`` injects; callbacks run in their message's lane, pulls hand it out.

aiormq starts a callback's task from the one that reads the connection, whose context is that of whoever connected: the
message's lane, or none, replaces it there. ``Queue.get()`` and ``queue.iterator()`` pull.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, reset
from ..._hop import read
from . import _messages, _wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate, Patcher


DELIVER = ("_on_deliver_frame", "_on_deliver")
"""What starts a callback's task, in aiormq since 6.7 and before."""


def install(module: Any, patch: Patcher) -> None:
    """Inject, extract and hand out in aiormq's ``Channel``; hand out in aio-pika's iterators."""
    _wait_for.install(patch)
    iterator = getattr(module, "RobustQueueIterator", None) or getattr(module, "QueueIterator", None)
    if iterator is not None:
        for name, make in ITERATOR.items():
            if name in vars(iterator):  # the robust one inherits what it does not have of its own
                patch.method(iterator, name, make)
        return
    patch.method(module.Channel, "basic_publish", _publish(module.spec.Basic.Properties))
    patch.method(module.Channel, "basic_get", _messages.pulls_async(_got_headers))
    patch.method(module.Channel, next((name for name in DELIVER if hasattr(module.Channel, name)), DELIVER[0]), _deliver)
    patch.method(module.Channel, "_read_content", _read_content)


def _publish(properties_class: Any) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        async def basic_publish(self: Any, *args: Any, **kwargs: Any) -> Any:
            if gate.on:
                try:
                    properties = kwargs.get("properties")
                    headers = _messages.with_headers(properties.headers if properties is not None else None)
                    if headers is not None:
                        new = copy(properties) if properties is not None else properties_class(delivery_mode=1)
                        new.headers = headers
                        kwargs["properties"] = new
                except Exception:
                    gate.failed()
            return await original(self, *args, **kwargs)

        return basic_publish

    return make


def _deliver(original: Any, gate: Gate) -> Any:
    async def deliver(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return await original(self, *args, **kwargs)
        token = CARRIED.set(None)
        try:
            return await original(self, *args, **kwargs)
        finally:
            reset(token)

    return deliver


def _read_content(original: Any, gate: Gate) -> Any:
    async def read_content(self: Any, frame: Any, header: Any, *args: Any, **kwargs: Any) -> Any:
        content = await original(self, frame, header, *args, **kwargs)
        if gate.on and hasattr(frame, "consumer_tag"):  # of a delivery, within deliver() above
            try:
                CARRIED.set(read(header.properties.headers))
            except Exception:
                gate.failed()
        return content

    return read_content


def _got_headers(message: Any) -> Any:
    empty = getattr(message.delivery, "delivery_tag", None) is None
    return _messages.NO_MESSAGE if empty else message.header.properties.headers


ITERATOR = {
    "__anext__": _messages.pulls_async(_messages.headers),
    "close": _messages.closes,
    "__aexit__": _messages.closes,
}
