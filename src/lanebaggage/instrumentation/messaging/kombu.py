"""kombu, which Celery publishes through: ``Producer.publish`` injects; callbacks run in their message's lane.

``SimpleQueue.get()`` pulls. A consumer's ``on_message`` is not wrapped: it is what frameworks such as Celery's worker hang
their own dispatcher on, which serves many messages at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._hop import read
from ..concurrency import _jobs
from . import _messages

if TYPE_CHECKING:
    from .._patching import Gate, Patcher

HEADERS = 8
"""Where ``headers`` stands among the positional arguments of ``publish``, after the body."""


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``publish``; extract in ``Consumer.receive``; hand out in ``SimpleQueue.get``."""
    if hasattr(module, "SimpleBase"):
        patch.method(module.SimpleBase, "get", _messages.pulls(_messages.headers))
        patch.method(module.SimpleBase, "close", _messages.closes)
        return
    patch.method(module.Producer, "publish", _publish)
    patch.method(module.Consumer, "receive", _receive)


def _publish(original: Any, gate: Gate) -> Any:
    def publish(self: Any, body: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            try:
                headers = _messages.with_headers(_messages.argument(args, kwargs, HEADERS, "headers"))
                if headers is not None:
                    args, kwargs = _messages.replaced(args, kwargs, HEADERS, "headers", headers)
            except Exception:
                gate.failed()
        return original(self, body, *args, **kwargs)

    return publish


def _receive(original: Any, gate: Gate) -> Any:
    def receive(self: Any, body: Any, message: Any) -> Any:
        if not gate.on:
            return original(self, body, message)
        try:
            arrived = read(message.headers)
        except Exception:
            gate.failed()
            arrived = None
        return _jobs.run(arrived, original, self, body, message)

    return receive
