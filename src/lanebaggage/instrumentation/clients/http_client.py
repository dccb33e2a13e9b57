"""http.client: ``HTTPConnection.endheaders``, through which each wire request of urllib, urllib3 and requests goes.

It is below redirects and retries, knows the host that is connected to, and has the request's own headers in the buffer, so
that nothing is added twice. A proxied request has its target in the request line or in ``_tunnel_host``; ``CONNECT`` itself
does not come this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _runtime, _watch
from ..._context import CARRIED
from ..._hop import sending
from ..._policy import host_of
from ..._stats import counts

CO_VARARGS = 0x04
CO_VARKEYWORDS = 0x08
"""As in ``inspect``, which would have to be imported for them."""

if TYPE_CHECKING:
    from ..._wire import Carried
    from .._patching import Gate, Patcher


def install(client: Any, patch: Patcher) -> None:
    """Inject in ``HTTPConnection.endheaders``, before the buffered header lines are sent."""
    patch.method(client.HTTPConnection, "endheaders", _endheaders)


def _endheaders(original: Any, gate: Gate) -> Any:
    get = CARRIED.get

    def endheaders(self: Any, message_body: Any = None, *, encode_chunked: bool = False) -> Any:
        if gate.on and (current := get()) is not None:
            try:
                _inject(self, current)
            except Exception:
                gate.failed()
        return original(self, message_body, encode_chunked=encode_chunked)

    def endheaders_of_another_signature(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and (current := get()) is not None:
            try:
                _inject(self, current)
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return endheaders if _is_known(original) else endheaders_of_another_signature


def _is_known(original: Any) -> bool:
    """Whether a function takes what ``endheaders`` takes in Python 3.10 to 3.14, which is passed on in half the time."""
    code = getattr(original, "__code__", None)
    if code is None or code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        return False
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names == ("self", "message_body", "encode_chunked")


def _inject(connection: Any, current: Carried) -> None:
    """Add the header lines; what is neither signed, watched nor proxied takes the short way, which costs a third."""
    lines: list[bytes] = connection._buffer
    begins, added = current.lines
    host = connection._tunnel_host or connection.host
    policy = _runtime.policy
    if added and lines and not _watch.watchers and (policy.verdicts.get(host) or policy.verdict(host)):
        block = _block(lines)
        if block.find(" /") == block.find(" ") and "signature=" not in block:  # AWS's, in the header or the query
            for begin in begins:
                if begin in block:
                    _merge(lines, block, current)
                    return
            counts.injected += 1
            lines += added
            return
    if lines:  # else nothing was begun: http.client is about to say so
        _decide(connection, lines, current)


def _block(lines: list[bytes]) -> str:
    """The buffered lines in lower case; as text, which is searched in a fifth of the time that bytes take."""
    return b"\r\n".join(lines).decode("latin-1").lower()


def _decide(connection: Any, lines: list[bytes], current: Carried) -> None:
    added = current.lines[1]
    if added and all(line in lines for line in added):
        return  # a client above has decided already
    block = _block(lines)
    target = lines[0].split(b" ", 2)[1].decode("latin-1")
    scheme, absolute, _ = target.partition("://")
    host = host_of(target) if absolute and scheme.isalpha() else connection._tunnel_host or connection.host
    authorization = _value(lines, block, "authorization") if "\r\nauthorization:" in block else ""
    carried = sending(host, authorization or "", target)
    if carried is not None:
        _merge(lines, block, carried)


def _merge(lines: list[bytes], block: str, carried: Carried) -> None:
    def existing(name: str) -> str | None:
        return _value(lines, block, name)

    for name, value in _runtime.wire.additions(carried, existing):
        start = name.encode("ascii") + b":"
        lines[1:] = [line for line in lines[1:] if line[: len(start)].lower() != start]
        lines.append(start + b" " + value.encode("latin-1"))


def _value(lines: list[bytes], block: str, name: str) -> str | None:
    """Value of a header in the buffered lines; those of several lines joined by commas (RFC 9110, section 5.3)."""
    if f"\r\n{name}:" not in block:
        return None
    start = name.encode("ascii") + b":"
    values = [line[len(start) :].strip() for line in lines[1:] if line[: len(start)].lower() == start]
    return b",".join(values).decode("latin-1")
