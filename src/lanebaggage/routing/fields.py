"""Reads typed fields from a document and notes, with file, line and the expected shape, whatever has another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .errors import NOWHERE, Finding, Place, RoutingError, error, warning
from .matching import StringMatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from .documents import Node

P = ParamSpec("P")
T = TypeVar("T")

_SHAPES = {
    "text": ("text", "{name}: s2"),
    "boolean": ("true or false", "{name}: true"),
    "number": ("a whole number", "{name}: 20"),
    "mapping": ("a mapping", "{name}: {{key: value}}"),
    "list": ("a list", "{name}: [a, b]"),
}


class Fields:
    """One mapping of a document.

    :param node: the mapping; None for one that is absent, whose fields are all absent.
    :param path: where it stands, such as ``spec.ingress``.
    :param findings: takes what is wrong.
    :param around: where it should stand; needed for one that is absent.
    """

    __slots__ = ("findings", "node", "path", "place")

    def __init__(self, node: Node | None, path: str, findings: list[Finding], around: Place = NOWHERE) -> None:
        self.node = node
        self.path = path
        self.findings = findings
        self.place = node.place if node is not None else around

    def place_of(self, name: str) -> Place:
        """Where a field stands, or the mapping where it is absent."""
        node = self.node.get(name) if self.node is not None else None
        return node.place if node is not None else self.place

    def places(self, *names: str) -> dict[str, Place]:
        """Where fields stand, those that are there."""
        return {name: self.place_of(name) for name in names if name in self}

    def __contains__(self, name: str) -> bool:
        return self.node is not None and self.node.get(name) is not None

    def names(self) -> list[str]:
        """Names of the fields that are there."""
        return [name for name in (self.node.value if self.node is not None else ()) if name in self]

    # --- fields by shape

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        node = self._field(name, "text")
        return default if node is None else str(node.value)

    def flag(self, name: str) -> bool:
        """A boolean, false where it is absent."""
        node = self._field(name, "boolean")
        return node is not None and bool(node.value)

    def number(self, name: str) -> int | None:
        """A whole number, or None."""
        node = self._field(name, "number")
        if node is None:
            return None
        try:
            return int(node.value)
        except ValueError:
            self._shape(name, node, "number")
            return None

    def mapping(self, name: str) -> Fields:
        """A mapping; an empty one where it is absent."""
        return Fields(self._field(name, "mapping"), self._at(name), self.findings, self.place)

    def mappings(self, name: str) -> list[Fields]:
        """A list of mappings."""
        node = self._field(name, "list")
        found = []
        for index, item in enumerate(node.value if node is not None else ()):
            if item.kind == "mapping":
                found.append(Fields(item, f"{self._at(name)}[{index}]", self.findings))
            else:
                self._shape(f"{name}[{index}]", item, "mapping")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        node = self._field(name, "list")
        found = []
        for index, item in enumerate(node.value if node is not None else ()):
            if item.kind == "text":
                found.append(item.value)
            else:
                self._shape(f"{name}[{index}]", item, "text")
        return tuple(found)

    def text_map(self, name: str) -> dict[str, str]:
        """A mapping of texts, such as labels."""
        inner = self.mapping(name)
        return {key: inner.text(key) for key in inner.names()}

    def string_match(self, name: str) -> StringMatch | None:
        """Istio's StringMatch: one of exact, prefix, regex, or an empty mapping for any value."""
        inner = self.mapping(name)
        if inner.node is None:
            return None
        kinds = inner.names()
        if not kinds:
            return StringMatch("present")
        if len(kinds) > 1 or kinds[0] not in ("exact", "prefix", "regex"):
            what = f"{inner.path} has {', '.join(kinds)[:60]}"
            self.error("shape", name, what, "a match has one of exact, prefix, regex", f"Write {name}: {{exact: text}}")
            return None
        value = inner.text(kinds[0])
        return inner.made(kinds[0], StringMatch, kinds[0], value)  # type: ignore[arg-type] # checked above

    # --- what is wrong

    def error(self, code: str, name: str, what: str, why: str, fix: str) -> None:
        """Note an error at a field."""
        self.findings.append(error(code, self.place_of(name), what, why, fix))

    def warning(self, code: str, name: str, what: str, why: str, fix: str) -> None:
        """Note a warning at a field."""
        self.findings.append(warning(code, self.place_of(name), what, why, fix))

    def made(self, name: str, make: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What a constructor of the model makes of a field, or None with its error noted."""
        try:
            return make(*args, **kwargs)
        except RoutingError as refused:
            problem, _, way_out = str(refused).rpartition("; ")
            what = f"{self._at(name)}: {problem or way_out}"
            fix = f"{way_out[0].upper()}{way_out[1:]}" if problem else "Correct it"
            self.error("value", name, what, "the mesh would not take it", fix)
            return None

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _field(self, name: str, kind: str) -> Node | None:
        node = self.node.get(name) if self.node is not None else None
        if node is None or node.kind == kind:
            return node
        self._shape(name, node, kind)
        return None

    def _shape(self, name: str, node: Node, kind: str) -> None:
        expected, example = _SHAPES[kind]
        shown: Any = node.value if node.kind in ("text", "number", "boolean") else ""
        what = f"{self._at(name)} is a {node.kind}"
        fix = f"Write {example.format(name=name.partition('[')[0])}"
        if kind == "text" and node.kind in ("number", "boolean"):
            fix = f"Write it in quotes: {name.partition('[')[0]}: '{str(shown).lower()[:40]}'"
        self.findings.append(error("shape", node.place, what, f"expected {expected}", fix))
