"""Messages: the headers that a producer adds, and the lane of the message that a consumer was just handed.

A producer's containers are never touched: what is sent is a copy. On the other side there are two styles. A callback runs
in its message's lane and leaves none behind. A pull (``for message in consumer``, ``poll()``, ``get()``) makes the lane
of the message that it hands out the current one in the context of whoever pulled, until the next message is asked for, or
the consumer is closed, or the task or thread ends. A message without a lane makes that "no lane". What was current before
the pull comes back in between. A call that may hand out several messages at once makes none of their lanes current.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, carried
from ..._hop import read, text
from ..._wire import Carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._patching import Gate

NO_MESSAGE: Any = object()
"""In place of headers: nothing, or more than one message, was handed out."""


def headers(message: Any) -> Any:
    """Headers of a message that has them as an attribute."""
    return message.headers


# --- producers


def with_headers(existing_headers: Mapping[Any, Any] | None) -> dict[Any, Any] | None:
    """A message's headers and what is carried, as a new dictionary; None where they can stay as they are."""
    current = carried()
    if current is None:
        return None
    own = dict(existing_headers or {})
    names = {(name if type(name) is str else text(name)).lower(): name for name in own}  # Celery's are two dozen

    def existing(name: str) -> str | None:
        return text(own[names[name]]) if name in names else None

    added = _runtime.wire.additions(current, existing)
    if not added:
        return None
    for name, value in added:
        own[names.get(name, name)] = value
    return own


def with_pairs(existing_headers: Iterable[tuple[str, Any]] | None) -> list[tuple[str, Any]] | None:
    """The same for Kafka's headers, (text, bytes) pairs in which a name may repeat."""
    current = carried()
    if current is None:
        return None
    pairs = list(existing_headers or ())

    def existing(name: str) -> str | None:
        values = [text(value) for key, value in pairs if key.lower() == name and value is not None]
        return ",".join(values) if values else None

    added = _runtime.wire.additions(current, existing)
    if not added:
        return None
    replaced = {name for name, _ in added}
    kept = [pair for pair in pairs if pair[0].lower() not in replaced]
    return kept + [(name, value.encode("latin-1")) for name, value in added]


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str) -> Any:
    """An argument that was given by position or by name, or None."""
    return args[position] if len(args) > position else kwargs.get(name)


def replaced(
    args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, value: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that a function was called with, one of them replaced."""
    if len(args) > position:
        return (*args[:position], value, *args[position + 1 :]), kwargs
    kwargs[name] = value
    return args, kwargs


# --- consumers that pull


class Handed(Carried):
    """The lane of a message that was handed out, with what was current before."""

    __slots__ = ("before", "source")

    def __init__(self, arrived: Carried | None, before: Carried | None, source: int) -> None:
        super().__init__(arrived.lane, arrived.headers) if arrived is not None else super().__init__(None)
        self.before = before
        self.source = source


def ask() -> None:
    """Leave the lane of the message handed out last, from whichever consumer: the next one is asked for."""
    current = CARRIED.get()
    if type(current) is Handed:
        CARRIED.set(current.before)


def hand_out(source: object, arrived: Any) -> None:
    """Make a message's lane current until the next one is asked for."""
    ask()
    if arrived is not NO_MESSAGE:
        CARRIED.set(Handed(read(arrived), CARRIED.get(), id(source)))


def close(source: object) -> None:
    """Leave the lane of a consumer's last message, where that is the current one."""
    current = CARRIED.get()
    if type(current) is Handed and current.source == id(source):
        CARRIED.set(current.before)


class Limit:
    """Which argument of a call says how many messages it may hand out at most."""

    def __init__(self, position: int, name: str, default: int | None = None) -> None:
        self.position = position
        self.name = name
        self.default = default

    def is_one(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether this call may hand out one message only."""
        asked = argument(args, kwargs, self.position, self.name)
        return (self.default if asked is None else asked) == 1


def pulls(headers_of: Callable[[Any], Any], limit: Limit | None = None) -> Callable[[Any, Gate], Any]:
    """A replacement for a method that hands out messages.

    :param headers_of: called with what the method returned; gives the message's headers or NO_MESSAGE.
    :param limit: for a method that can hand out several: a batch makes no lane current.
    """

    def make(original: Any, gate: Gate) -> Any:
        def pull(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not gate.on:
                return original(self, *args, **kwargs)
            ask()
            result = original(self, *args, **kwargs)
            try:
                if limit is None or limit.is_one(args, kwargs):
                    hand_out(self, headers_of(result))
            except Exception:
                gate.failed()
            return result

        return pull

    return make


def pulls_async(headers_of: Callable[[Any], Any], limit: Limit | None = None) -> Callable[[Any, Gate], Any]:
    """The same for a coroutine method; the lane is current in the task that awaits it."""

    def make(original: Any, gate: Gate) -> Any:
        async def pull(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not gate.on:
                return await original(self, *args, **kwargs)
            ask()
            result = await original(self, *args, **kwargs)
            try:
                if limit is None or limit.is_one(args, kwargs):
                    hand_out(self, headers_of(result))
            except Exception:
                gate.failed()
            return result

        return pull

    return make


def closes(original: Any, gate: Gate) -> Any:
    """A replacement for the method, coroutine method or not, that ends a consumer."""

    def close_consumer(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on:
            close(self)
        return original(self, *args, **kwargs)

    return close_consumer
