"""YAML documents as trees that know file and line; hostile ones are refused before they cost anything.

Built from PyYAML's events, so that no tag is ever resolved, no object is ever made, and depth and size are known while
the text is read. Anchors are followed, but what they expand to counts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import Finding, Place, RoutingError, error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of one file; Kubernetes itself takes no object beyond 1.5 MB."""
MAX_NODES: Final = 200_000
"""Keys and values of one file, with what its aliases expand to."""
MAX_DEPTH: Final = 64

_SUFFIXES: Final = (".yaml", ".yml")

_BOOLEAN: Final = re.compile("y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_TRUE: Final = frozenset(("y", "yes", "true", "on"))
_NULL: Final = re.compile("~|null|Null|NULL|")
_INTEGER: Final = re.compile(r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+|0o[0-7_]+")
_FLOAT: Final = re.compile(
    r"[-+]?([0-9][0-9_]*)?\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


class Node:
    """A value in a document: ``mapping`` (name to node), ``list`` (of nodes) or ``text``, ``number``, ``boolean``, ``null``.

    The line is that of its key where it has one.
    """

    __slots__ = ("file", "kind", "line", "size", "value")

    def __init__(self, kind: str, value: Any, file: str, line: int) -> None:
        self.kind = kind
        self.value = value
        self.file = file
        self.line = line
        self.size = 1

    @property
    def place(self) -> Place:
        """File and line."""
        return Place(self.file, self.line)

    def get(self, *path: str) -> Node | None:
        """What stands at a path of names, or None where there is nothing or something that is no mapping."""
        node: Node | None = self
        for name in path:
            if node is None or node.kind != "mapping":
                return None
            node = node.value.get(name)
        return None if node is None or node.kind == "null" else node


class Document:
    """One Kubernetes object, or a plain list, whose kind is empty; the API group is empty where the object names none."""

    __slots__ = ("api_group", "kind", "labels", "name", "namespace", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.kind = _text(node.get("kind"))
        version = _text(node.get("apiVersion"))
        self.api_group = version.partition("/")[0] if "/" in version else ""
        self.name = _text(node.get("metadata", "name"))
        self.namespace = _text(node.get("metadata", "namespace")) or "default"
        labels = node.get("metadata", "labels")
        found = labels.value.items() if labels is not None and labels.kind == "mapping" else ()
        self.labels: dict[str, str] = {name: value.value for name, value in found if value.kind == "text"}

    @property
    def place(self) -> Place:
        """Where it starts."""
        return self.node.place


def read_files(paths: Iterable[str | PathLike[str]]) -> Iterator[tuple[str, str]]:
    """Texts and names of files; a directory means the YAML files in it, by name.

    :raises RoutingError: a file is not there, too large, or not UTF-8.
    """
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
            if not inside:
                raise RoutingError([_refused(str(path), 0, "no YAML file is in it", "Give the directory of lanes.yaml")])
            yield from read_files(inside)
            continue
        try:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise RoutingError([_too_large(str(path), size)])
            yield path.read_bytes().decode("utf-8-sig"), str(path)
        except OSError as error:
            problem = _refused(str(path), 0, (error.strerror or "cannot be read").lower(), "Give a file that can be read")
            raise RoutingError([problem]) from None
        except UnicodeDecodeError as error:
            problem = _refused(str(path), 0, f"byte {error.start} is no UTF-8", "Save the file as UTF-8")
            raise RoutingError([problem]) from None


def documents(text: str, file: str = "<text>") -> list[Document]:
    """The Kubernetes objects in a text, those inside a ``List`` included, and plain lists.

    :param text: YAML or JSON, any number of documents.
    :param file: its name, for messages.
    :raises RoutingError: it is not YAML, is hostile, or holds something else than objects and lists.
    """
    found: list[Document] = []
    for root in trees(text, file):
        items = root.get("items")
        if root.kind == "null":
            continue
        if _text(root.get("kind")).endswith("List") and items is not None and items.kind == "list":
            found += map(Document, items.value)
        else:
            found.append(Document(root))
    for document in found:
        if document.node.kind != "list" and not document.kind:
            what = "this is no Kubernetes object"
            raise RoutingError([_refused(file, document.node.line, what, "Write apiVersion, kind, metadata and spec")])
    return found


def by_age(found: list[Document]) -> list[Document]:
    """Objects in the order of their creation, where the cluster says it, or as they stand in the files."""
    created = [document.node.get("metadata", "creationTimestamp") for document in found]
    stamps = [str(stamp.value) for stamp in created if stamp is not None]
    if len(stamps) < len(found):
        return found
    return [document for _, _, document in sorted(zip(stamps, range(len(found)), found, strict=True))]


def trees(text: str, file: str = "<text>") -> Iterator[Node]:
    """The documents of a text, whatever they are.

    :raises RoutingError: it is not YAML, or is hostile.
    """
    if len(text) > MAX_BYTES:
        raise RoutingError([_too_large(file, len(text))])
    yield from _Builder(file).trees(text)


class _Builder:
    """Trees from events, with the limits."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0
        self._anchors: dict[str, Node] = {}

    def trees(self, text: str) -> Iterator[Node]:
        try:
            import yaml
        except ImportError:
            raise RoutingError("reading YAML needs PyYAML: pip install 'lanebaggage[mesh]'") from None
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            events: Iterator[Any] = iter(yaml.parse(text, Loader=loader))
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors = {}
                    yield self._node(next(events), events, 0)
        except UnicodeError:
            raise RoutingError([_refused(self._file, 0, "half a character", "Save the file as UTF-8")]) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "illegal characters"
            line = mark.line + 1 if mark is not None else 0
            if "nesting depth" in problem:  # libyaml 0.2.6 has a limit of its own, and reads ahead
                raise self._too_deep(line) from None
            what = f"this is not YAML: {problem}"
            raise RoutingError([_refused(self._file, line, what, "Check indentation and quotes here")]) from None

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        line = event.start_mark.line + 1
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event.anchor, line)
        if event.tag is not None:
            raise self._stop(line, "a tag such as !!python/object or !name", "Write the plain value; tags are not read")
        if depth > MAX_DEPTH:
            raise self._too_deep(line)
        self._count(1, line)
        if kind == "ScalarEvent":
            node = self._scalar(event, line)
        elif kind == "SequenceStartEvent":
            node = self._sequence(events, line, depth)
        else:
            node = self._mapping(events, line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, events: Iterator[Any], line: int, depth: int) -> Node:
        node = Node("list", [], self._file, line)
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            item = self._node(event, events, depth + 1)
            node.size += item.size
            node.value.append(item)
        return node

    def _mapping(self, events: Iterator[Any], line: int, depth: int) -> Node:
        node = Node("mapping", {}, self._file, line)
        merged: list[Node] = []
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self._node(event, events, depth + 1)
            if key.kind in ("mapping", "list", "null"):
                raise self._stop(key.line, "a key that is no text", "Write name: value")
            value = self._node(next(events), events, depth + 1)
            value.line = key.line
            node.size += 1 + value.size
            name = event.value if hasattr(event, "value") else str(key.value)
            if name == "<<" and value.kind in ("mapping", "list"):
                merged += value.value if value.kind == "list" else [value]
            elif name in node.value:
                raise self._stop(
                    key.line, f"the key {name[:60]!r} stands here twice", "Remove one; which one counts is undefined"
                )
            else:
                node.value[name] = value
        for other in merged:
            if other.kind == "mapping":
                node.value = {**other.value, **node.value}
        return node

    def _scalar(self, event: Any, line: int) -> Node:
        text = event.value
        if event.implicit[0]:
            for pattern, kind in ((_BOOLEAN, "boolean"), (_NULL, "null"), (_INTEGER, "number"), (_FLOAT, "number")):
                if pattern.fullmatch(text):
                    return Node(kind, text.lower() in _TRUE if kind == "boolean" else text, self._file, line)
        return Node("text", text, self._file, line)

    def _alias(self, anchor: str, line: int) -> Node:
        target = self._anchors.get(anchor)
        if target is None:
            raise self._stop(line, f"*{anchor[:60]} stands for nothing so far", "Define it with & before")
        self._count(target.size, line)
        copy = Node(target.kind, target.value, self._file, line)
        copy.size = target.size
        return copy

    def _count(self, more: int, line: int) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            raise self._stop(line, f"more than {MAX_NODES} values, aliases included", "Split the file; check its anchors")

    def _too_deep(self, line: int) -> RoutingError:
        return self._stop(line, f"nested deeper than {MAX_DEPTH} levels", "No lane resource is; check what made this file")

    def _stop(self, line: int, what: str, fix: str) -> RoutingError:
        return RoutingError([_refused(self._file, line, what, fix)])


def _refused(file: str, line: int, what: str, fix: str) -> Finding:
    return error("yaml", Place(file, line), what, "the file cannot be read", fix)


def _too_large(file: str, size: int) -> Finding:
    return _refused(file, 0, f"{size} bytes, more than {MAX_BYTES}", "Split the file")


def _text(node: Node | None) -> str:
    return node.value if node is not None and node.kind == "text" else ""
