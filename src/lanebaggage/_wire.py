"""Headers to what is carried, and back: ASM's three pass-through modes, W3C baggage spliced as text, limits.

Only configured names are read (Wire knows them in the spellings of WSGI and ASGI). Foreign baggage members keep their
bytes: our member is found, cut out and appended as text, never by parsing and writing the whole header again.
"""

from __future__ import annotations

from . import _log
from ._settings import BAGGAGE, BAGGAGE_MODE, CUSTOM_HEADER_MODE, TRACE_ID_MODE, Settings
from ._stats import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final

MAX_LANE: Final = 128
"""Characters of a lane's name."""
MAX_VALUE: Final = 8192
"""Characters of one pass-through header; what W3C Baggage (section 3.3.2) asks every participant to carry."""
MAX_TOTAL: Final = 16384
"""Characters of all pass-through headers of one request."""
MAX_HEADERS: Final = 32
"""Header lines that are carried for one request; prefix patterns could match hundreds."""

_LANE_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-_.:ABCDEFGHIJKLMNOPQRSTUVWXYZ/@+=~|!*"
"""Legal in a header field and, unescaped, as a baggage value (W3C Baggage, section 3.3.1.3)."""

_ILLEGAL: Final = bytes((*range(9), *range(10, 32), 127))
"""Not allowed in a header's value (RFC 9110, section 5.5)."""
_SHORT: Final = 64
"""Characters below which a text is checked faster as text than as bytes."""

_KNOWN: Final = 1024
"""Lanes for which the object that is carried is kept ready."""


def is_lane(value: str) -> bool:
    """Whether a text can be the name of a lane."""
    return 0 < len(value) <= MAX_LANE and not value.strip(_LANE_CHARACTERS)


class Added(str):
    """A header's value that was added to an object of the client's own, where the next hop may find and must replace it."""

    __slots__ = ("own",)

    own: Any
    """What the request had of its own (baggage), in the client's form; absent or None for nothing."""

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class Carried:
    """What one request carries: its lane, and the headers that go onto every request made meanwhile.

    Never changed after creation; shared between threads and tasks.
    """

    __slots__ = ("added", "headers", "lane", "lines", "raw", "stale", "tail", "telling")

    lane: str | None
    headers: tuple[tuple[str, str], ...]
    """Lower-case names and their values, each name once."""
    added: tuple[tuple[str, Added], ...]
    """The same with values that are known again; made at first use."""
    raw: tuple[tuple[bytes, bytes], ...]
    """The same as bytes; made at first use, since not every client wants them."""
    lines: tuple[tuple[str, ...], tuple[bytes, ...]]
    """The same as lines of HTTP/1, after what such lines begin with, line break included; made at first use. Empty where
    adding lines is not all that there is to do, since a lane is stale."""
    tail: bytes
    """The same as the end of an HTTP/1 head, empty line included; made at first use."""
    telling: frozenset[bytes]
    """Names of headers in whose presence adding them is not all that there is to do: the same, and a signature's."""
    stale: tuple[str, ...]
    """Lanes that ``lane()`` replaced: another library may still write one of them into baggage."""

    def __init__(self, lane: str | None, headers: tuple[tuple[str, str], ...] = (), stale: tuple[str, ...] = ()) -> None:
        self.lane = lane
        self.headers = headers
        self.stale = stale

    def __getattr__(self, name: str) -> Any:
        if name == "raw":
            self.raw = raw = tuple((name.encode("ascii"), value.encode("latin-1")) for name, value in self.headers)
            return raw
        if name == "added":
            self.added = added = tuple((name, Added(value)) for name, value in self.headers)
            return added
        if name == "lines":
            pairs = () if self.stale else self.headers
            begins = tuple(f"\r\n{name}:" for name, _ in pairs)
            self.lines = lines = (begins, tuple(f"{name}: {value}".encode("latin-1") for name, value in pairs))
            return lines
        if name == "tail":
            self.tail = tail = b"".join(name + b": " + value + b"\r\n" for name, value in self.raw) + b"\r\n"
            return tail
        if name == "telling":
            self.telling = telling = frozenset([b"authorization", *(name for name, _ in self.raw)])
            return telling
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self.lane, self.headers, self.stale)

    def __repr__(self) -> str:
        return f"Carried(lane={self.lane!r}, headers={[name for name, _ in self.headers]})"

    def without(self, names: Iterable[str]) -> Carried:
        """The same with fewer headers."""
        drop = frozenset(names)
        return Carried(self.lane, tuple(pair for pair in self.headers if pair[0] not in drop), self.stale)


class Wire:
    """Reads and merges headers as the settings say; compiled once."""

    __slots__ = (
        "_baggage_key",
        "_edge",
        "_environ_names",
        "_environ_prefixes",
        "_known",
        "_lanes",
        "_mode",
        "_names",
        "_prefixes",
        "_raw_names",
        "_raw_prefixes",
        "_route",
        "_single_environ",
        "_single_raw",
        "_trace",
    )

    def __init__(self, settings: Settings) -> None:
        self._mode = settings.mode
        self._route = settings.route_header
        self._trace = settings.trace_header
        self._baggage_key = settings.baggage_key
        self._edge = settings.edge
        self._lanes = settings.lanes
        exact = [name for name in settings.pass_through if not name.endswith("*")]
        self._names = frozenset((self._route, self._trace, *exact))
        self._prefixes = tuple(name[:-1] for name in settings.pass_through if name.endswith("*"))
        self._raw_names = {name.encode("ascii"): name for name in self._names}
        self._raw_prefixes = tuple(prefix.encode("ascii") for prefix in self._prefixes)
        self._environ_names = tuple((_environ_key(name), name) for name in sorted(self._names))
        self._environ_prefixes = tuple(_environ_key(prefix) for prefix in self._prefixes)
        alone = self._mode == CUSTOM_HEADER_MODE and not settings.pass_through and not self._edge
        self._single_environ = _environ_key(self._route) if alone else ""
        self._single_raw = self._route.encode("ascii") if alone else b""
        self._known: dict[str | bytes, Carried] = {}

    # --- reading

    def from_environ(self, environ: Mapping[str, Any]) -> Carried | None:
        """What a WSGI request carries (PEP 3333: repeated headers arrive joined by commas)."""
        if self._single_environ:
            value = environ.get(self._single_environ)
            if value is None:
                return None
            if known := self._known.get(value):
                counts.extracted += 1
                return known
            return self._learn(value, [(self._route, value)])
        if self._edge:
            return None
        found = [(name, environ[key]) for key, name in self._environ_names if key in environ]
        if self._environ_prefixes:
            prefixes = self._environ_prefixes
            exact = self._names
            for key in environ:
                if key.startswith(prefixes) and (name := key[5:].lower().replace("_", "-")) not in exact:
                    found.append((name, environ[key]))
        return self._build(found) if found else None

    def from_raw(self, headers: Iterable[tuple[bytes, bytes]]) -> Carried | None:
        """What an ASGI request carries (ASGI HTTP spec: names arrive in lower case)."""
        if self._single_raw:
            single = self._single_raw
            values = []
            for name, value in headers:  # no comprehension: until Python 3.12 that is a call of its own
                if name == single:
                    values.append(value)
            if not values:
                return None
            if len(values) == 1 and (known := self._known.get(values[0])):
                counts.extracted += 1
                return known
            return self._learn(values[0], [(self._route, value.decode("latin-1")) for value in values])
        if self._edge:
            return None
        names = self._raw_names
        if prefixes := self._raw_prefixes:
            found = [
                (name.decode("ascii"), value.decode("latin-1"))
                for name, value in headers
                if name in names or name.startswith(prefixes)
            ]
        else:
            found = []
            for name, value in headers:
                if name in names:
                    found.append((names[name], value.decode("latin-1")))
        return self._build(found) if found else None

    def from_pairs(self, headers: Iterable[tuple[Any, Any]]) -> Carried | None:
        """What other headers carry: message headers, gRPC metadata, a client library's own type.

        Names are in any case; names and values are text or bytes, a value may be a list of them, and the rest is ignored.
        """
        if self._edge:
            return None
        names, prefixes = self._names, self._prefixes
        found = []
        for name, value in headers:
            if isinstance(name, str):
                text = name.lower()
            elif isinstance(name, bytes):
                text = name.decode("latin-1").lower()
            else:
                continue
            if text not in names and not (prefixes and text.startswith(prefixes)):
                continue
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if one is not None:
                    found.append((text, one.decode("latin-1") if isinstance(one, bytes) else str(one)))
        if not found:
            return None
        if not self._single_raw or len(found) > 1:
            return self._build(found)
        value = found[0][1]
        if known := self._known.get(value):
            counts.extracted += 1
            return known
        return self._learn(value, found)

    def _learn(self, key: str | bytes, found: list[tuple[str, str]]) -> Carried | None:
        carried = self._build(found)
        if carried is not None and len(found) == 1 and len(self._known) < _KNOWN:
            self._known[key] = carried
        return carried

    def _build(self, found: list[tuple[str, str]]) -> Carried | None:
        if len(found) == 1 and self._mode == BAGGAGE_MODE and (plain := self._plain(*found[0])):
            return plain
        if len(found) > MAX_HEADERS:
            self._refuse("count", "%d pass-through headers in one request, more than %d", len(found), MAX_HEADERS)
            return None
        values: dict[str, str] = {}
        total = 0
        conflicting = False
        for name, value in found:
            text = value.strip(" \t")
            if not text:
                continue
            size = len(text)
            if size > MAX_VALUE:
                self._refuse("size", "%s of %d characters, more than %d", name, size, MAX_VALUE)
                continue
            total += size
            if total > MAX_TOTAL:
                self._refuse("total", "pass-through headers of %d characters, more than %d", total, MAX_TOTAL)
                return None
            if not _clean(text):
                self._refuse("characters", "%s of %d characters, some of them illegal in a header", name, size)
                continue
            if name not in values:
                values[name] = text
            elif name != self._trace or self._mode != TRACE_ID_MODE:
                values[name] = f"{values[name]},{text}"
            elif values[name] != text:
                conflicting = True
        if conflicting:
            self._refuse("trace", "several different values of the trace header")
            del values[self._trace]

        route = self._route
        lane = None
        if route in values:
            text = values[route]
            lane = self._one([part.strip(" \t") for part in text.split(",")] if "," in text else [text])
        headers = []
        for name, text in values.items():
            if name == route:
                if lane is not None:
                    headers.append((name, lane))
            elif name == BAGGAGE and self._mode == BAGGAGE_MODE:
                baggage, member = self._baggage(text)
                if lane is None and route not in values:
                    lane = member
                if baggage:
                    headers.append((name, baggage))
            else:
                headers.append((name, text))
        if not headers:
            return None
        counts.extracted += 1
        return Carried(lane, tuple(headers))

    def _plain(self, name: str, value: str) -> Carried | None:
        """What baggage with one member of ours, spelt in the plainest way, carries; None where a closer look is needed."""
        text = value.strip(" \t")
        if name != BAGGAGE or len(text) > MAX_VALUE:
            return None
        parts = text.split(self._baggage_key)
        if len(parts) != 2 or parts[1][:1] != "=" or parts[0][-1:] not in ("", ","):
            return None
        lane = parts[1][1:].partition(",")[0]
        if not is_lane(lane) or (self._lanes is not None and lane not in self._lanes) or not _clean(text):
            return None
        counts.extracted += 1
        return Carried(lane, ((BAGGAGE, text),))

    def _one(self, names: list[str]) -> str | None:
        """The one lane that these values name, or None with a warning."""
        name = names[0]
        if len(names) > 1 and any(other != name for other in names):
            self._refuse("several", "%d values where one lane was expected", len(names))
        elif not is_lane(name):
            self._refuse("value", "a lane of %d characters that is not a lane's name", len(name))
        elif self._lanes is not None and name not in self._lanes:
            self._refuse("unknown", "a lane of %d characters that is not among the %d known", len(name), len(self._lanes))
        else:
            return name
        return None

    def _refuse(self, kind: str, message: str, *args: object) -> None:
        counts.refused_value += 1
        _log.warn_limited(f"wire {kind}", f"ignored what a request carried: {message}", *args)

    # --- baggage

    def _baggage(self, text: str) -> tuple[str, str | None]:
        """The baggage to forward and the lane in it; members of ours that name no single lane are cut out."""
        if len(text) > MAX_VALUE:
            self._refuse("size", "baggage of %d characters, more than %d", len(text), MAX_VALUE)
            return "", None
        spans = self._members(text)
        if not spans:
            return text, None
        lane = self._one([_decoded(value) for _, _, value in spans])
        return (text, lane) if lane is not None else (_cut(text, spans), None)

    def _members(self, text: str) -> list[tuple[int, int, str]]:
        """Start, end and value of each baggage member whose key is ours (W3C Baggage, section 3.3.1)."""
        key = self._baggage_key
        spans: list[tuple[int, int, str]] = []
        at = text.find(key)
        while at >= 0:
            start = at
            if at and text[at - 1] != ",":
                if text[at - 1] not in " \t":
                    at = text.find(key, at + 1)
                    continue
                start = text.rfind(",", 0, at) + 1
            end = text.find(",", at)
            if end < 0:
                end = len(text)
            name, equals, value = text[start:end].partition("=")
            if equals and name.strip(" \t") == key:
                spans.append((start, end, value.partition(";")[0].strip(" \t")))
            at = text.find(key, end)
        return spans

    def merged(self, existing: str, carried: Carried) -> str:
        """Baggage that a request has of its own, with the carried members that it lacks; its bytes are kept."""
        if carried.stale and (spans := self._members(existing)):
            stale = [span for span in spans if _decoded(span[2]) in carried.stale and span[2] != carried.lane]
            existing = _cut(existing, stale)
        ours = next((value for name, value in carried.headers if name == BAGGAGE), "")
        present = {_key(member) for member in existing.split(",")}
        missing = [member for member in ours.split(",") if (key := _key(member)) and key not in present]
        missing.sort(key=lambda member: _key(member) != self._baggage_key)
        merged = existing.strip(" \t,")
        for member in missing:
            candidate = f"{merged},{member.strip()}" if merged else member.strip()
            if len(candidate) > MAX_VALUE:
                break
            merged = candidate
        return merged

    # --- writing

    def additions(self, carried: Carried, existing: Callable[[str], str | None]) -> list[tuple[str, str]]:
        """The headers to set on a request that may have some of its own.

        :param existing: gives the request's own value of a lower-case name, or None.
        :return: names and values to set, each replacing what stands there: a request's own header is not among them,
            own baggage is, merged.
        """
        pairs = []
        for name, value in carried.headers:
            own = existing(name)
            if own is None:
                pairs.append((name, value))
            elif name == BAGGAGE and self._mode == BAGGAGE_MODE and (merged := self.merged(own, carried)) != own:
                pairs.append((name, merged))
        if carried.stale and self._mode == BAGGAGE_MODE and not any(name == BAGGAGE for name, _ in carried.headers):
            own = existing(BAGGAGE)
            if own is not None and (merged := self.merged(own, carried)) != own:
                pairs.append((BAGGAGE, merged))
        if pairs:
            counts.injected += 1
        return pairs

    def entered(self, current: Carried | None, lane: str | None) -> Carried | None:
        """What is carried once a lane is entered, or left (None), by hand."""
        stale: tuple[str, ...] = ()
        baggage = ""
        kept = []
        if current is not None:
            replaced = () if current.lane is None or current.lane == lane else (current.lane,)
            stale = tuple(dict.fromkeys(name for name in (*current.stale, *replaced) if name != lane))
            for name, value in current.headers:
                if name == BAGGAGE and self._mode == BAGGAGE_MODE:
                    baggage = _cut(value, self._members(value))
                elif name == self._trace and self._mode == TRACE_ID_MODE and lane is None:
                    continue  # a sidecar would restore the lane from the trace ID
                elif name != self._route:
                    kept.append((name, value))
        if lane is not None:
            kept.insert(0, (self._route, lane))
            if self._mode == BAGGAGE_MODE:
                member = f"{self._baggage_key}={lane}"
                baggage = f"{baggage},{member}" if baggage else member
        if baggage:
            kept.append((BAGGAGE, baggage))
        return Carried(lane, tuple(kept), stale) if kept or stale else None


def _environ_key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def _clean(text: str) -> bool:
    if len(text) < _SHORT and text.isascii() and text.isprintable():
        return True
    try:
        return len(text.encode("latin-1").translate(None, _ILLEGAL)) == len(text)
    except UnicodeEncodeError:
        return False


def _decoded(value: str) -> str:
    if "%" not in value:
        return value
    from urllib.parse import unquote  # RFC 3986, so that a plus stays a plus

    return unquote(value, errors="replace")


def _key(member: str) -> str:
    return member.partition("=")[0].strip(" \t")


def _cut(text: str, spans: list[tuple[int, int, str]]) -> str:
    """The baggage without the members at these places; what is left keeps its bytes."""
    if not spans:
        return text
    dropped = {start for start, _, _ in spans}
    kept = []
    start = 0
    for member in text.split(","):
        if start not in dropped:
            kept.append(member)
        start += len(member) + 1
    return ",".join(kept)
