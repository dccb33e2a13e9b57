"""A job in the lane of whoever submitted it, in whichever thread or process it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._context import CARRIED, reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._wire import Carried


def run(carried: Carried | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function with what its submitter carried, "nothing" included, and leave the worker as it was."""
    token = CARRIED.set(carried)
    try:
        return function(*args, **kwargs)
    finally:
        reset(token)
