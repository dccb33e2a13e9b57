"""FastStream, with whichever broker: publishing passes ``_basic_publish``, replies ``FakePublisher``; handlers enter the lane.

The lane is known once the message has been parsed, in ``HandlerItem.is_suitable``, within ``process_message``. It covers the
handler with its middlewares, and what is published from its return value. ``get_one()`` and ``async for`` of a subscriber
without handlers pull; with RabbitMQ and aiokafka, what is below FastStream hands out. A batch has no lane of its own:
``message.batch_headers`` has those of each message, for ``lanebaggage.extract``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, reset
from ..._hop import read
from . import _messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .._patching import Gate, Patcher

PUBLISHING = ("_basic_publish", "_basic_publish_batch", "_basic_request")


def install(module: Any, patch: Patcher) -> None:
    """Inject in brokers and publishers; extract in subscribers, and hand out in those that are pulled from."""
    if module.__name__ == "faststream._internal.endpoint.subscriber.usecase":
        patch.method(module.SubscriberUsecase, "process_message", _process_message)
        patch.method(module.SubscriberUsecase, "stop", _messages.closes)
    elif module.__name__ == "faststream._internal.endpoint.subscriber.call_item":
        patch.method(module.HandlerItem, "is_suitable", _is_suitable)
    elif ".subscriber." in module.__name__:
        for owner in vars(module).values():
            if isinstance(owner, type) and owner.__module__ == module.__name__ and "get_one" in vars(owner):
                patch.method(owner, "get_one", _messages.pulls_async(_pulled))
                patch.method(owner, "__aiter__", _iterate)
    elif hasattr(module, "FakePublisher"):
        patch.method(module.FakePublisher, "_publish", _publish)
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


def _iterate(original: Any, gate: Gate) -> Any:
    async def iterate(self: Any) -> AsyncIterator[Any]:
        messages = original(self)
        try:
            async for message in messages:
                if gate.on:
                    try:
                        _messages.hand_out(self, _pulled(message))
                    except Exception:
                        gate.failed()
                yield message
                _messages.ask()
        finally:
            await messages.aclose()

    return iterate


def _pulled(message: Any) -> Any:
    return _messages.NO_MESSAGE if message is None or len(message.batch_headers) > 1 else message.headers
