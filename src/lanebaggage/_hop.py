"""One hop by hand or by a patch: what a request to a host gets, and what a request or message brings."""

from __future__ import annotations

from . import _log, _runtime, _watch
from ._context import CARRIED, UNSET, Scope, carried
from ._policy import EXPLICIT, host_of
from ._stats import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping
    from typing import Any, TypeVar

    from ._wire import Carried

    H = TypeVar("H", bound="MutableMapping[Any, Any] | list[Any]")


def sending(host: str, authorization: str | bytes = "", target: str = "", *, told: bool = False) -> Carried | None:
    """What a request to a host gets: the one decision that every client asks for, at every hop.

    :param host: name or address, without port.
    :param authorization: value of the request's ``Authorization`` header, if any.
    :param target: URL or query, where a pre-signed request has its signature.
    :param told: another layer asks for this hop as well, and counts, tells and logs what comes of it.
    :return: what to send, or None where nothing is carried or the host may not get it.
    """
    current = CARRIED.get()
    if current is UNSET:
        current = carried()
        if current is None and _watch.workers and not told:
            _watch.without_lane(host)
    if current is None or not (current.headers or current.stale):
        return None
    verdict = _runtime.policy.verdict(host)
    if not verdict:
        if not told:
            _refused(host, current)
        return None
    if authorization or "X-Amz-Signature=" in target:
        signature = text(authorization) if text(authorization).startswith("AWS4-") else target
        if "SignedHeaders=" in signature or "X-Amz-Signature=" in signature:
            if verdict != EXPLICIT:
                if not told:
                    counts.refused_signed += 1
                    if _watch.watchers:
                        _watch.outgoing(host, current, "a signed request, and allow does not name the host")
                return None
            current = current.without(_signed(signature))
    if _watch.watchers and not told:
        _watch.outgoing(host, current)
    return current


def inject(headers: H, url: str | None = None) -> H:
    """Add the pass-through headers to those of a request that no supported client makes.

    :param headers: a mutable mapping, or a list of (name, value) pairs; changed in place. A header that it has already
        is kept; baggage is merged.
    :param url: where the request goes; hosts outside the mesh get nothing unless ``allow`` names them. None says that the
        caller vouches for the target, as with a message broker.
    :return: the same object. Never raises; what cannot be changed is left as it is and a warning is logged.
    """
    try:
        current = carried() if url is None else sending(host_of(url))
        if current is not None:
            _write(headers, current)
    except Exception as error:
        _log.warn_limited(
            "inject", "could not add pass-through headers to a %s (%s)", type(headers).__name__, type(error).__name__
        )
    return headers


def extract(headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None) -> Scope:
    """Serve a request or message that no supported server or consumer delivers.

    :param headers: its headers: a mapping, a WSGI environ, or (name, value) pairs, as text or bytes; None for none.
    :return: a context manager within which the message's lane is current, and no lane where it has none.

    Never raises: what cannot be read means no lane and one rate-limited warning.
    """
    current: Carried | None = None
    try:
        current = read(headers)
    except Exception as error:
        _log.warn_limited("extract", "could not read headers from a %s (%s)", type(headers).__name__, type(error).__name__)

    def choose() -> Carried | None:
        return current

    return Scope(choose)


def read(headers: Any) -> Carried | None:
    """What the headers of a request or message carry, in any of the shapes that ``extract`` takes."""
    if headers is None:
        return None
    items = getattr(headers, "items", None)
    if items is None:
        return _runtime.wire.from_pairs(headers)
    return _runtime.wire.from_environ(headers) if "wsgi.version" in headers else _runtime.wire.from_pairs(items())


def _write(headers: Any, current: Carried) -> None:
    mapping = hasattr(headers, "items")
    own: dict[str, tuple[Any, Any]] = {}
    first = None
    for pair in headers.items() if mapping else headers:
        name = pair[0]
        own.setdefault((name if type(name) is str else text(name)).lower(), pair)
        first = first or pair

    def existing(name: str) -> str | None:
        return text(own[name][1]) if name in own else None

    for name, value in _runtime.wire.additions(current, existing):
        like_name, like_value = own.get(name) or first or (name, value)
        key = own[name][0] if name in own else (name.encode("ascii") if isinstance(like_name, bytes) else name)
        new = value.encode("latin-1") if isinstance(like_value, bytes) else value
        if mapping:
            headers[key] = new
        else:
            headers[:] = [pair for pair in headers if text(pair[0]).lower() != name]
            headers.append((key, new))


def text(value: Any) -> str:
    """A header's value as text, whichever of the legal types it has."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _signed(text: str) -> list[str]:
    """Names in SigV4's ``SignedHeaders``, of an Authorization header or a pre-signed query."""
    names = text.partition("SignedHeaders=")[2]
    for end in ",& ":
        names = names.partition(end)[0]
    return names.lower().replace("%3b", ";").split(";")


def _refused(host: str, current: Carried) -> None:
    if not host:
        return
    counts.refused_host += 1
    if _watch.watchers:
        _watch.outgoing(host, current, _runtime.policy.explain(host)[1])
    name = host.lower()
    if len(name) <= 253 and not name.strip("abcdefghijklmnopqrstuvwxyz0123456789-._:"):
        _log.warn_once(
            f"host {name}",
            'no pass-through header was sent to %s, which does not look like the mesh; if it is yours: allow=["%s"]',
            name,
            name,
        )
