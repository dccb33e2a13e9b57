"""urllib3: its connections are ``http.client`` connections, so the patch there serves them; HTTP/2 ones are patched here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._pairs import endheaders

if TYPE_CHECKING:
    from .._patching import Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``HTTP2Connection.endheaders`` (urllib3 2.3 or later, opt-in there)."""
    if hasattr(module, "HTTP2Connection"):
        patch.method(module.HTTP2Connection, "endheaders", endheaders("_headers"))
