"""A job in the lane of whoever submitted it, in whichever thread or process it runs."""

from __future__ import annotations

from functools import partial

from ..._context import CARRIED, UNSET, reset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..._wire import Carried


def run(carried: Carried | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function with what its submitter carried, "nothing" included, and leave the worker as it was."""
    token = CARRIED.set(carried)
    try:
        return function(*args, **kwargs)
    finally:
        reset(token)


def bound(function: Any) -> Any:
    """A callable for another thread that runs in the lane of whoever asks now; None stays None."""
    return None if function is None else partial(run, CARRIED.get(), function)


def bound_for_process(function: Any) -> Any:
    """A callable for another process: the same, but left as it is where nothing is carried.

    A process that serves jobs starts with nothing, so that "nothing" needs no word, and a job that carries nothing does not
    make the process import this library.
    """
    carried = CARRIED.get()
    return function if carried is None or carried is UNSET else partial(run, carried, function)
