"""The file that says what the services of a mesh are: what runs here, by which command, and what runs elsewhere.

::

    mocka:
      v1: http://mocka.staging.example:8080        # elsewhere
      v2: lanebaggage run -- python app.py         # here; told its port by PORT or {port}
    mockb:
      v1:
        command: [gunicorn, "app:app", -b, "{bind}"]
        cwd: mockb
        env: {greeting: hello}
        labels: {ASM_TRAFFIC_TAG: v1}
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._errors import MeshError
from ..routing import RoutingError, ServiceRef
from ..routing.documents import read_files, trees
from .apps import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

    from ..routing.documents import Node

_IMPORT: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?")
_FIELDS: Final = ("app", "command", "cwd", "env", "labels", "url")
_EXAMPLE: Final = "services by name: mocka: {v1: python app.py}"
_SHAPE: Final = "a command, 'http://host:port', 'module:attribute', or a mapping with command or url"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a service.

    :param service: the service.
    :param version: its version.
    :param app: as :meth:`Mesh.service <lanebaggage.mesh.Mesh.service>` takes it.
    :param labels: its pod labels.
    :param place: file and line.
    """

    service: ServiceRef
    version: str
    app: Any
    labels: Mapping[str, str] = field(default_factory=dict)
    place: str = ""


def read_services(path: str | PathLike[str]) -> list[Entry]:
    """The services of a file; commands run in the file's directory unless they name another.

    :raises MeshError: the file cannot be read, or something in it has another shape.
    """
    try:
        found = [entry for text, file in read_files([path]) for tree in trees(text, file) for entry in _services(tree)]
    except RoutingError as error:
        raise MeshError(str(error)) from error
    if not found:
        raise MeshError(f"{Path(path).name} holds no service; write {_EXAMPLE}")
    return found


def _services(tree: Node) -> Iterator[Entry]:
    for name, versions in _mapping(tree, "the file", _EXAMPLE).items():
        try:
            service = ServiceRef.parse(name)
        except RoutingError as error:
            raise MeshError(f"{versions.place}: {error}") from error
        for version, node in _mapping(versions, name, "its versions: v1: python app.py").items():
            yield _entry(service, version, node)


def _entry(service: ServiceRef, version: str, node: Node) -> Entry:
    here = Path(node.file).resolve().parent
    if node.kind in ("text", "list"):
        return Entry(service, version, _app(node, here, {}), place=str(node.place))
    fields = _mapping(node, f"{service.name} {version}", _SHAPE)
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise _wrong(fields[unknown[0]], f"{unknown[0]!r} is no field of a service", f"one of {', '.join(_FIELDS)}")
    kinds = [name for name in ("command", "url", "app") if name in fields]
    if len(kinds) != 1:
        raise _wrong(node, f"{service.name} {version} has {' and '.join(kinds) or 'nothing to run'}", "command, url or app")
    directory = here / _text(fields["cwd"], "cwd") if "cwd" in fields else here
    if not directory.is_dir():
        raise _wrong(fields["cwd"], f"there is no directory {directory}", "one that exists, as seen from this file")
    env, labels = (_texts(fields[name], name) if name in fields else {} for name in ("env", "labels"))
    return Entry(service, version, _app(fields[kinds[0]], directory, env), labels, str(node.place))


def _app(node: Node, directory: Path, env: Mapping[str, str]) -> Any:
    """A command, an address or an import string."""
    if node.kind == "list":
        return Command([_text(one, "a part of a command") for one in node.value], env, directory)
    text = _text(node, "it")
    if "://" in text.partition(" ")[0] or _IMPORT.fullmatch(text):
        return text
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise _wrong(node, f"this command cannot be taken apart ({error})", "it with its quotes closed, or a list") from None
    if not parts:
        raise _wrong(node, "an empty text", _SHAPE)
    return Command(parts, env, directory)


def _mapping(node: Node, what: str, shape: str) -> dict[str, Node]:
    if node.kind != "mapping" or not node.value:
        raise _wrong(node, f"{what} is a {node.kind}", shape)
    found: dict[str, Node] = node.value
    return found


def _texts(node: Node, what: str) -> dict[str, str]:
    return {name: _text(one, f"{what}.{name}") for name, one in _mapping(node, what, "names and values").items()}


def _text(node: Node, what: str) -> str:
    """A text; a number or a boolean as it stands, since YAML takes versions and ports for such."""
    if node.kind == "boolean":
        return "true" if node.value else "false"
    if node.kind not in ("text", "number"):
        raise _wrong(node, f"{what} is a {node.kind}", "a text")
    return str(node.value)


def _wrong(node: Node, what: str, shape: str) -> MeshError:
    return MeshError(f"{node.place}: {what}; write {shape}")
