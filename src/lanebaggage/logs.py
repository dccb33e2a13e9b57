"""The lane on every log record: for ``logging``, structlog and loguru; none of them is imported for it.

The field is called ``lane``; outside every lane it is ``-``, so that a format that names it always works.
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING

from ._context import current_lane

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any, Final

FIELD: Final = "lane"
OUTSIDE: Final = "-"
"""What the field says outside every lane."""


class LaneFilter(logging.Filter):
    """Gives every record that passes a handler or logger the attribute ``lane``; keeps all of them.

    Put it on a handler: a logger's filters do not see what its children log (``logging`` documentation, Filter Objects).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attribute, unless the record has it already."""
        if not hasattr(record, FIELD):
            setattr(record, FIELD, current_lane() or OUTSIDE)
        return True


def add_to_records() -> Callable[[], None]:
    """Give every record of every logger the attribute ``lane``, when it is made; ``log_records=True`` does it, too.

    That is in the thread and task that logs, so that handlers with a queue and a thread of their own have it too. It is set
    after the record factory and ``extra`` had their say, and only where they set none: a factory that sets it would make
    ``extra={"lane": ...}`` an error (``Logger.makeRecord``).

    :return: a function that ends it.
    """
    before = logging.Logger.makeRecord
    on = True

    @wraps(before)
    def makeRecord(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802 - name of logging
        record = before(self, *args, **kwargs)
        if on and FIELD not in record.__dict__:
            setattr(record, FIELD, current_lane() or OUTSIDE)
        return record

    def stop() -> None:
        nonlocal on
        on = False
        if logging.Logger.makeRecord is makeRecord:
            logging.Logger.makeRecord = before  # type: ignore[method-assign] # what was there

    logging.Logger.makeRecord = makeRecord  # type: ignore[method-assign] # of the same signature
    return stop


def structlog_processor(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that adds ``lane``: ``structlog.configure(processors=[structlog_processor, ...])``.

    A ``lane`` that the event has is kept; outside every lane none is added, since events need not be alike.
    """
    lane = current_lane()
    if lane is not None:
        event.setdefault(FIELD, lane)
    return event


def loguru_patcher(record: Any) -> None:
    """A loguru patcher that adds ``extra[lane]``: ``logger.configure(patcher=loguru_patcher)``; a bound one is kept."""
    record["extra"].setdefault(FIELD, current_lane() or OUTSIDE)
