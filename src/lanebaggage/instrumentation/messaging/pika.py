"""pika: ``Channel.basic_publish`` injects, for blocking channels too; callbacks run in their message's lane, pulls hand it out.

A callback of an asynchronous adapter is called by ``Channel._on_deliver``; one of a blocking channel is kept in a
``_ConsumerInfo`` and taken from there for each message, so that both are covered for consumers that were registered before.
``consume()`` and ``basic_get()`` pull. What another thread or a timer asks a ``BlockingConnection`` to call later runs in the
lane of whoever asked, since publishing from a second thread is done that way.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from ..._hop import read
from ..concurrency import _jobs
from . import _messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject and extract in ``Channel``; hand out in ``BlockingChannel``; carry in ``BlockingConnection``."""
    if hasattr(module, "BlockingChannel"):
        patch.descriptor(module._ConsumerInfo, "on_message_callback", _callback_of)
        patch.method(module.BlockingChannel, "consume", _consume)
        patch.method(module.BlockingChannel, "basic_get", _messages.pulls(_headers))
        patch.method(module.BlockingChannel, "cancel", _messages.closes)
        patch.method(module.BlockingChannel, "close", _messages.closes)
        patch.method(module.BlockingConnection, "add_callback_threadsafe", _call_later(0))
        patch.method(module.BlockingConnection, "call_later", _call_later(1))
    else:
        patch.method(module.Channel, "basic_publish", _publish(module.spec.BasicProperties))
        patch.method(module.Channel, "_on_deliver", _deliver)
        patch.method(module.Channel, "_on_getok", _deliver)


def _publish(empty: Any) -> Callable[[Any, Gate], Any]:
    def make(original: Any, gate: Gate) -> Any:
        def basic_publish(
            self: Any, exchange: Any, routing_key: Any, body: Any, properties: Any = None, *args: Any, **kwargs: Any
        ) -> Any:
            if gate.on:
                try:
                    headers = _messages.with_headers(properties.headers if properties is not None else None)
                    if headers is not None:
                        properties = copy(properties) if properties is not None else empty()
                        properties.headers = headers
                except Exception:
                    gate.failed()
            return original(self, exchange, routing_key, body, properties, *args, **kwargs)

        return basic_publish

    return make


def _deliver(original: Any, gate: Gate) -> Any:
    def deliver(self: Any, method_frame: Any, header_frame: Any, body: Any) -> Any:
        if not gate.on:
            return original(self, method_frame, header_frame, body)
        try:
            arrived = read(header_frame.properties.headers)
        except Exception:
            gate.failed()
            arrived = None
        return _jobs.run(arrived, original, self, method_frame, header_frame, body)

    return deliver


def _callback_of(original: Any, gate: Gate) -> Any:
    def get(self: Any) -> Any:
        callback = original.__get__(self)
        if not gate.on or callback is None:
            return callback

        def in_lane(channel: Any, method: Any, properties: Any, body: Any) -> Any:
            try:
                arrived = read(properties.headers)
            except Exception:
                gate.failed()
                arrived = None
            return _jobs.run(arrived, callback, channel, method, properties, body)

        return in_lane

    return property(get, original.__set__)


def _consume(original: Any, gate: Gate) -> Any:
    def consume(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        messages = original(self, *args, **kwargs)
        try:
            for message in messages:
                if gate.on:
                    try:
                        _messages.hand_out(self, _headers(message))
                    except Exception:
                        gate.failed()
                yield message
                _messages.ask()
        finally:
            messages.close()

    return consume


def _headers(message: Any) -> Any:
    """Headers of (method, properties, body), of which the first two are None where there is no message."""
    return _messages.NO_MESSAGE if message[0] is None else message[1].headers


def _call_later(position: int) -> Callable[[Any, Gate], Any]:
    """A replacement for a method that takes a callback at this position."""

    def make(original: Any, gate: Gate) -> Any:
        def call_later(self: Any, *args: Any, **kwargs: Any) -> Any:
            if gate.on:
                if "callback" in kwargs:
                    kwargs["callback"] = _jobs.bound(kwargs["callback"])
                elif len(args) > position:
                    args = (*args[:position], _jobs.bound(args[position]), *args[position + 1 :])
            return original(self, *args, **kwargs)

        return call_later

    return make
