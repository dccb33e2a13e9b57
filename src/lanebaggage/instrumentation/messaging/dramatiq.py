"""Dramatiq: ``Message.encode`` puts the pass-through headers among the message's options; a worker enters the lane.

Brokers encode a message when they queue it, so that the caller's message is never changed. A message that was received
keeps its lane in its options: one that a worker delays or retries stays in it. The lane covers the actor and the middleware
around it, with the next message of a pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._hop import read
from ..concurrency import _jobs
from . import _messages

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``encode``; extract in ``process_message``; leave what pika hands out to the broker's own thread."""
    worker = getattr(module, "WorkerThread", None) or getattr(module, "_WorkerThread", None)
    if worker is not None:
        patch.method(worker, "process_message", _process_message)
    elif hasattr(module, "_RabbitmqConsumer"):
        patch.method(module._RabbitmqConsumer, "__next__", _next)
    else:
        patch.method(module.Message, "encode", _encode)


def _encode(original: Any, gate: Gate) -> Any:
    def encode(self: Any) -> Any:
        message = self
        if gate.on:
            try:
                options = _messages.with_headers(self.options)
                if options is not None:
                    message = self._replace(options=options)
            except Exception:
                gate.failed()
        return original(message)

    return encode


def _process_message(original: Any, gate: Gate) -> Any:
    def process_message(self: Any, message: Any) -> Any:
        if not gate.on:
            return original(self, message)
        try:
            arrived = read(message.options)
        except Exception:
            gate.failed()
            arrived = None
        return _jobs.run(arrived, original, self, message)

    return process_message


def _next(original: Any, gate: Gate) -> Any:
    def following(self: Any) -> Any:
        try:
            return original(self)
        finally:
            if gate.on:
                _messages.ask()  # this thread serves every message; what it queues again has its lane in its options

    return following
