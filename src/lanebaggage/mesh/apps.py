"""What a service can be: a WSGI or ASGI application, a factory, an import string, a command, or an address."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from .._errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike


@dataclass(frozen=True, slots=True)
class WSGI:
    """A WSGI application (PEP 3333), where that cannot be told from its signature."""

    app: Any


@dataclass(frozen=True, slots=True)
class ASGI:
    """An ASGI application (ASGI 3), where that cannot be told from its signature."""

    app: Any


@dataclass(frozen=True, slots=True)
class Command:
    """A service that runs as a process.

    :param args: program and arguments; ``{bind}`` becomes ``127.0.0.1:port``, ``{host}``, ``{port}``, and the name of
        another service in braces ``127.0.0.1:port`` of the sidecar's listener for it.
    :param env: environment variables on top of this process's and the mesh's.
    :param cwd: directory to start in.
    """

    args: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | PathLike[str] | None = None

    def __init__(
        self, args: Sequence[str], env: Mapping[str, str] | None = None, cwd: str | PathLike[str] | None = None
    ) -> None:
        object.__setattr__(self, "args", tuple(args))
        object.__setattr__(self, "env", dict(env or {}))
        object.__setattr__(self, "cwd", cwd)


@dataclass(frozen=True, slots=True)
class Address:
    """A service that runs elsewhere.

    :param host: name or address.
    :param port: its port.
    """

    host: str
    port: int

    @property
    def authority(self) -> str:
        """What requests to it must have as ``Host``, as other servers may be there too; empty for a mere address."""
        if self.host == "localhost" or ":" in self.host or self.host.replace(".", "").isdigit():
            return ""
        return self.host if self.port == 80 else f"{self.host}:{self.port}"


App: TypeAlias = WSGI | ASGI | Command | Address


def resolve(app: Any, where: str) -> App:
    """Find out what a service is; factories are called, import strings imported.

    :param app: what the user gave.
    :param where: the service and version, for messages.
    :raises MeshError: it is nothing that can be served.
    """
    if isinstance(app, (WSGI, ASGI, Command, Address)):
        return app
    if isinstance(app, str):
        return _address(app, where) if "://" in app else resolve(_imported(app, where), where)
    if isinstance(app, (list, tuple)) and app and all(isinstance(part, str) for part in app):
        return Command(app)
    required = _required(app)
    if required == 3:
        return ASGI(app)
    if required == 2:
        return WSGI(app)
    if required == 0:
        made = app()
        if _required(made) not in (2, 3):
            raise MeshError(f"{where}: the factory returned a {type(made).__name__}, which is no WSGI or ASGI application")
        return resolve(made, where)
    raise MeshError(
        f"{where}: a {type(app).__name__} cannot be served; give a WSGI or ASGI application, a factory without arguments, "
        "'module:attribute', a command as a list such as ['gunicorn', 'app:app', '-b', '{bind}'], or 'http://host:port'; "
        "WSGI(app) and ASGI(app) say which one a callable is"
    )


def _required(app: Any) -> int | None:
    """How many positional arguments a callable needs; None for anything else."""
    if not callable(app):
        return None
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None
    return sum(one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)


def _imported(text: str, where: str) -> Any:
    module, separator, attributes = text.partition(":")
    if not separator or not module or not attributes:
        raise MeshError(f"{where}: {text[:80]!r} is no import string; write 'package.module:attribute'")
    try:
        found: Any = import_module(module)
        for name in attributes.removesuffix("()").split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise MeshError(f"{where}: {text[:80]!r} cannot be imported: {error}") from error
    return found


def _address(url: str, where: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query:
        raise MeshError(f"{where}: {url[:80]!r} is no address of a service; write 'http://host:port', without a path")
    return Address(host, port or 80)
