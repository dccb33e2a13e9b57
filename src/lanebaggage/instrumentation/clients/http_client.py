"""http.client: ``HTTPConnection.endheaders``, through which each wire request of urllib, urllib3 and requests goes.

It is below redirects and retries, knows the host that is connected to, and has the request's own headers in the buffer, so
that nothing is added twice. A proxied request has its target in the request line or in ``_tunnel_host``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._context import CARRIED
from ..._hop import sending
from ..._policy import host_of
from ..._stats import counts

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Gate, Patcher


def install(client: Any, patch: Patcher) -> None:
    """Inject in ``HTTPConnection.endheaders``, before the buffered header lines are sent."""
    patch.method(client.HTTPConnection, "endheaders", _endheaders)


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
    lines: list[bytes] = connection._buffer
    if not lines:
        return  # nothing was begun: http.client is about to say so
    block = b"\r\n".join(lines)
    lower = block.lower()
    authorization = _value(block, lower, b"authorization") if b"\r\nauthorization:" in lower else ""
    target = lines[0].split(b" ", 2)[1].decode("latin-1")
    host = connection._tunnel_host or connection.host if target[:1] in "/*" else host_of(target)
    carried = sending(host, authorization or "", target)
    if carried is None:
        return
    if not carried.stale and not any(b"\r\n" + name + b":" in lower for name, _ in carried.raw):
        counts.injected += 1
        lines.extend([name + b": " + value for name, value in carried.raw])
    else:
        _merge(lines, block, lower, carried)


def _merge(lines: list[bytes], block: bytes, lower: bytes, carried: Carried) -> None:
    def existing(name: str) -> str | None:
        return _value(block, lower, name.encode("ascii"))

    for name, value in _runtime.wire.additions(carried, existing):
        start = name.encode("ascii") + b":"
        lines[1:] = [line for line in lines[1:] if line[: len(start)].lower() != start]
        lines.append(start + b" " + value.encode("latin-1"))


def _value(block: bytes, lower: bytes, name: bytes) -> str | None:
    """Value of a header in the buffered lines; those of several lines joined by commas (RFC 9110, section 5.3)."""
    start = b"\r\n" + name + b":"
    values = []
    at = lower.find(start)
    while at >= 0:
        end = block.find(b"\r\n", at + 2)
        values.append(block[at + len(start) : len(block) if end < 0 else end].strip().decode("latin-1"))
        at = lower.find(start, at + 2)
    return ",".join(values) if values else None
