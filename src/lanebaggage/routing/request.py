"""A request as routing sees it: headers in wire order with names in any case, and a path as Envoy normalises it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNUSUAL: Final = re.compile(r'/\.|[%\\|"<>`{}^]')
"""What there is to normalise in a path."""
_UNSAFE: Final = re.compile(r'[|"<>`{}^]')
"""What Envoy escapes."""
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""RFC 3986, section 2.3."""


class Request:
    """A request on its way to the gateway or out of a service.

    :param method: as on the wire.
    :param path: with query.
    :param host: the authority; the Host header unless given.
    :param headers: names and values in wire order; a name may repeat. Each character is a byte (ISO 8859-1), as WSGI
        has them (PEP 3333).
    """

    __slots__ = ("_plain_path", "headers", "host", "method", "path")

    def __init__(self, method: str = "GET", path: str = "/", host: str = "", headers: Sequence[tuple[str, str]] = ()) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.host = host or self.value("host") or ""
        self._plain_path: str | None = None

    def values(self, name: str) -> list[str]:
        """All values of a header without the spaces and tabs around them; the name in any case."""
        name = name.lower()
        length = len(name)
        return [value.strip(" \t") for key, value in self.headers if len(key) == length and key.lower() == name]

    def value(self, name: str) -> str | None:
        """The value of a header; of several, all joined by commas, as Envoy joins them; None where it is absent."""
        values = self.values(name)
        if len(values) == 1:
            return values[0]
        return ",".join(values) if values else None

    def texts(self, name: str, *, each: bool) -> list[str]:
        """What a condition on a header is tried on: each value by itself, or all joined by commas; none if absent."""
        values = self.values(name)
        return values if each or len(values) < 2 else [",".join(values)]

    @property
    def plain_path(self) -> str:
        """The path without query, normalised as Envoy's ``normalize_path`` does (RFC 3986, section 6)."""
        path = self._plain_path
        if path is None:
            path = self.path.partition("#")[0].partition("?")[0]
            if _UNUSUAL.search(path):
                path = _normal(path)
            self._plain_path = path
        return path

    def query(self, name: str) -> str | None:
        """The first value of a query parameter as it stands, not percent-decoded, as Envoy compares it; None if absent."""
        for part in self.path.partition("#")[0].partition("?")[2].split("&"):
            key, _, value = part.partition("=")
            if key == name:
                return value
        return None

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path}, host={self.host!r}, {len(self.headers)} headers)"


def _normal(path: str) -> str:
    def decoded(escape: re.Match[str]) -> str:
        character = chr(int(escape.group()[1:], 16))
        return character if character in _UNRESERVED else escape.group()

    kept: list[str] = []
    path = _ESCAPE.sub(decoded, path.replace("\\", "/"))
    segments = _UNSAFE.sub(lambda unsafe: f"%{ord(unsafe.group()):02X}", path).split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
