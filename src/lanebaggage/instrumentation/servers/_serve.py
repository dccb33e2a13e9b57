"""What servers share: a method that serves one whole request runs in its lane, and what it hands on is marked.

The mark is in the environ or scope that a framework gets. A framework that finds it, and finds a lane decided, enters none
again: a lane that a middleware in between entered by hand stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED, UNSET, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..._wire import Carried
    from .._patching import Gate

ENTERED = "lanebaggage.entered"
"""Key of the mark."""


def pairs(headers: Iterable[tuple[Any, Any]]) -> Carried | None:
    """What a request carries, from headers that a server keeps in a form of its own."""
    return _runtime.wire.from_pairs(headers)


def serving(
    read: Callable[..., Carried | None], through: Callable[[Any, Gate], None] | None = None
) -> Callable[[Any, Gate], Any]:
    """Make the replacement of a method that serves one request, its body included, in one thread.

    :param read: called with the method's arguments; gives what the request carries, or ``UNSET`` to leave the call alone.
    :param through: where something is added to answers, called with the method's object before: :func:`answering`.
    """

    def make(original: Any, gate: Gate) -> Any:
        def serve(*args: Any, **kwargs: Any) -> Any:
            if not gate.on:
                return original(*args, **kwargs)
            try:
                if through is not None and _runtime.answers is not None:
                    through(args[0], gate)
                carried = read(*args, **kwargs)
            except Exception:
                gate.failed()
                carried = UNSET
            if carried is UNSET:
                return original(*args, **kwargs)
            token = CARRIED.set(carried)
            try:
                return original(*args, **kwargs)
            finally:
                reset(token)

        return serve

    return make


def serving_async(
    read: Callable[..., Carried | None], through: Callable[[Any, Gate], None] | None = None
) -> Callable[[Any, Gate], Any]:
    """Make the replacement of a coroutine method that serves one request or websocket.

    :param read: as for :func:`serving`.
    :param through: as for :func:`serving`.
    """

    def make(original: Any, gate: Gate) -> Any:
        async def serve(*args: Any, **kwargs: Any) -> Any:
            if not gate.on:
                return await original(*args, **kwargs)
            try:
                if through is not None and _runtime.answers is not None:
                    through(args[0], gate)
                carried = read(*args, **kwargs)
            except Exception:
                gate.failed()
                carried = UNSET
            if carried is UNSET:
                return await original(*args, **kwargs)
            token = CARRIED.set(carried)
            try:
                return await original(*args, **kwargs)
            finally:
                reset(token)

        return serve

    return make


def answering(holder: Any, name: str, application: Callable[[Any, Gate], Any], gate: Gate) -> None:
    """Have a server call its bare callable through ours, which adds to answers; once, for as long as the server runs.

    :param holder: what holds the callable.
    :param name: the attribute.
    :param application: makes ours: that of ``_wsgi`` or of ``_asgi``.
    """
    try:
        held = getattr(holder, name)
        if getattr(held, "__module__", "") != application.__module__:
            setattr(holder, name, application(held, gate))
    except Exception:
        gate.failed()


def marking(pick: Callable[[Any], Any]) -> Callable[[Any, Gate], Any]:
    """Make the replacement of a function that makes the environ or scope of a request whose lane was entered before.

    :param pick: finds it in what the function returns.
    """

    def make(original: Any, gate: Gate) -> Any:
        def mark(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            if gate.on and CARRIED.get() is not UNSET:
                try:
                    pick(made)[ENTERED] = True
                except Exception:
                    gate.failed()
            return made

        return mark

    return make
