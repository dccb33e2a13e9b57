"""A job in the lane of whoever submitted it, in whichever thread or process it runs."""

from __future__ import annotations

from ..._context import CARRIED, reset

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
