"""FastStream, with whichever broker: every publishing passes ``_basic_publish``; ``process_message`` enters the lane.

The lane is known once the message has been parsed, in ``HandlerItem.is_suitable``. It covers the handler with its
middlewares, and what is published from its return value. A batch has no lane of its own: ``message.batch_headers`` has
those of each message, for ``lanebaggage.extract``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, reset
from ..._hop import read
from . import _messages

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

PUBLISHING = ("_basic_publish", "_basic_publish_batch", "_basic_request")


def install(module: Any, patch: Patcher) -> None:
    """Inject in brokers and publishers; extract in subscribers."""
    if hasattr(module, "SubscriberUsecase"):
        patch.method(module.SubscriberUsecase, "process_message", _process_message)
    elif hasattr(module, "HandlerItem"):
        patch.method(module.HandlerItem, "is_suitable", _is_suitable)
    else:
        owner = getattr(module, "PublisherUsecase", None) or module.BrokerPublishMixin
        for name in PUBLISHING:
            patch.method(owner, name, _publish)


def _publish(original: Any, gate: Gate) -> Any:
    async def publish(self: Any, cmd: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                cmd.headers = _messages.with_headers(cmd.headers) or cmd.headers
            except Exception:
                gate.failed()
        return await original(self, cmd, *args, **kwargs)

    return publish


def _process_message(original: Any, gate: Gate) -> Any:
    async def process_message(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not gate.on:
            return await original(self, *args, **kwargs)
        token = CARRIED.set(None)
        try:
            return await original(self, *args, **kwargs)
        finally:
            reset(token)

    return process_message


def _is_suitable(original: Any, gate: Gate) -> Any:
    async def is_suitable(self: Any, *args: Any, **kwargs: Any) -> Any:
        message = await original(self, *args, **kwargs)
        if gate.on and message is not None:
            try:
                CARRIED.set(None if message.batch_headers else read(message.headers))  # within process_message() above
            except Exception:
                gate.failed()
        return message

    return is_suitable
