"""lanebaggage keeps a request in its traffic lane across every call that a Python service makes for it."""

from __future__ import annotations

from ._context import current_lane, lane
from ._errors import LanebaggageError, LaneError, MeshError, SettingsError
from ._hop import extract, inject
from ._stats import stats
from ._watch import Hop, on_hop
from .instrumentation import auto_instrument, uninstrument

__all__ = [
    "Hop",
    "LaneError",
    "LanebaggageError",
    "MeshError",
    "SettingsError",
    "__version__",
    "auto_instrument",
    "current_lane",
    "extract",
    "inject",
    "lane",
    "on_hop",
    "stats",
    "uninstrument",
]

__version__ = "0.1.0"
