"""The one ContextVar: what the request being served carries, entered and left without ever touching a foreign context."""

from __future__ import annotations

import sys
from contextvars import Context, ContextVar

from . import _runtime
from ._errors import LaneError
from ._wire import Carried, is_lane

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from typing import Any, Final, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

UNSET: Final = Carried(None)
"""Nothing was ever entered here, unlike None, which says that what is being done belongs to no lane."""

CARRIED: Final[ContextVar[Carried | None]] = ContextVar("lanebaggage", default=UNSET)

OTEL_KEY: Final = "lanebaggage-carried"
"""Where ``LanePropagator`` keeps what it extracted in OpenTelemetry's context."""


def carried() -> Carried | None:
    """What goes onto requests made here, or None."""
    current = CARRIED.get()
    return _from_opentelemetry() if current is UNSET else current


def current_lane() -> str | None:
    """Name of the lane of the request being served.

    :return: the name, or None outside every lane. In trace-ID mode the name is known only where the route header
        arrived too (ASM's sidecars restore it).

    Never raises.
    """
    current = carried()
    return None if current is None else current.lane


def run_in_empty_context(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function with no context variable set, so that only headers can bring it a lane."""
    return Context().run(function, *args, **kwargs)


class Scope:
    """Context manager and decorator that makes something the current carried, and puts back what was."""

    __slots__ = ("_choose", "_tokens")

    def __init__(self, choose: Callable[[], Carried | None]) -> None:
        self._choose = choose
        self._tokens: list[Token[Carried | None]] = []

    def __enter__(self) -> str | None:
        chosen = self._choose()
        self._tokens.append(CARRIED.set(chosen))
        return None if chosen is None else chosen.lane

    def __exit__(self, *exception: object) -> None:
        reset(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        from functools import wraps
        from inspect import iscoroutinefunction

        choose = self._choose
        if iscoroutinefunction(function):

            @wraps(function)
            async def in_lane_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with Scope(choose):
                    return await function(*args, **kwargs)

            return in_lane_async  # type: ignore[return-value] # the coroutine function's own type, as wraps() says

        @wraps(function)
        def in_lane(*args: P.args, **kwargs: P.kwargs) -> R:
            with Scope(choose):
                return function(*args, **kwargs)

        return in_lane


def lane(name: str | None) -> Scope:
    """Enter a lane by hand, or leave it.

    :param name: the lane's name, 1 to 128 letters, digits and ``. _ - : / @ + = ~ | ! *``; None leaves every lane, while
        other pass-through headers stay.
    :return: a context manager, and a decorator for functions and coroutine functions.
    :raises LaneError: the name cannot travel in a header and in baggage.
    """
    if name is not None and not (isinstance(name, str) and is_lane(name)):
        raise LaneError(
            "a lane's name is 1 to 128 ASCII letters, digits and . _ - : / @ + = ~ | ! *, such as 's2'; "
            f"this is {_described(name)}"
        )

    def choose() -> Carried | None:
        return _runtime.wire.entered(carried(), name)

    return Scope(choose)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Bind what is carried now to a function that something else will call: a worker thread, a queue, a callback.

    :param function: a function or coroutine function.
    :return: a function of the same signature that runs in the lane that is current now, "no lane" included, wherever and
        whenever it is called; afterwards its caller has its own lane again. It cannot be pickled.
    """
    current = carried()

    def choose() -> Carried | None:
        return current

    return Scope(choose)(function)


def reset(token: Token[Carried | None]) -> None:
    """Undo a ``CARRIED.set``; does nothing in another context, where nothing was set."""
    try:
        CARRIED.reset(token)
    except (ValueError, RuntimeError):
        pass


def _from_opentelemetry() -> Carried | None:
    module = sys.modules.get("opentelemetry.context")
    if module is None:
        return None
    try:
        value = module.get_value(OTEL_KEY)
    except Exception:  # half imported, or an implementation of the user's that raises: no lane is known then
        return None
    return value if isinstance(value, Carried) else None


def _described(value: object) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"
