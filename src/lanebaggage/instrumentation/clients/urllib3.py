"""urllib3: its connections are ``http.client`` connections, so the patch there serves them; HTTP/2 ones are patched here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``HTTP2Connection.endheaders`` (urllib3 2.3 or later, opt-in there)."""
    if hasattr(module, "HTTP2Connection"):
        patch.method(module.HTTP2Connection, "endheaders", _endheaders)


def _endheaders(original: Any, gate: Gate) -> Any:
    def endheaders(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and CARRIED.get() is not None:
            try:
                _inject(self)
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return endheaders


def _inject(connection: Any) -> None:
    headers: list[tuple[bytes, bytes]] = connection._headers
    own = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    carried = sending(connection.host, own.get("authorization", ""), own.get(":path", ""))
    if carried is None:
        return
    for name, value in _runtime.wire.additions(carried, own.get):
        raw = name.encode("ascii")
        headers[:] = [pair for pair in headers if pair[0] != raw]
        headers.append((raw, value.encode("latin-1")))
