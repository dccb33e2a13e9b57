"""lanebaggage keeps a request in its traffic lane across every call that a Python service makes for it.

PYTEST_DONT_REWRITE: under the launcher this module is imported before pytest, which would warn of it.
"""

from __future__ import annotations

from ._context import carry, current_lane, lane
from ._errors import LanebaggageError, LaneError, MeshError, SettingsError
from ._hop import extract, inject
from ._stats import stats
from ._watch import Hop, on_hop
from .instrumentation import auto_instrument, uninstrument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .middleware import asgi_middleware, wsgi_middleware

__all__ = [
    "Hop",
    "LaneError",
    "LanebaggageError",
    "MeshError",
    "SettingsError",
    "__version__",
    "asgi_middleware",
    "auto_instrument",
    "carry",
    "current_lane",
    "extract",
    "inject",
    "lane",
    "on_hop",
    "stats",
    "uninstrument",
    "wsgi_middleware",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the middleware when it is asked for: most services never do."""
    if name not in ("asgi_middleware", "wsgi_middleware"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import middleware

    return getattr(middleware, name)
