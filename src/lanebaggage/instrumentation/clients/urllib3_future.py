"""urllib3-future, below niquests: ``endheaders`` of its connections, where a request of HTTP/1, 2 or 3 is formed.

It is run for each redirect hop and retry, of the synchronous and the asynchronous client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._pairs import endheaders

if TYPE_CHECKING:
    from .._patching import Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``HfaceBackend.endheaders`` and ``AsyncHfaceBackend.endheaders``; their headers have a private name."""
    for name in ("HfaceBackend", "AsyncHfaceBackend"):
        owner = getattr(module, name, None)
        if owner is not None and owner.__module__ == module.__name__:
            patch.method(owner, "endheaders", endheaders(f"_{name}__headers"))
