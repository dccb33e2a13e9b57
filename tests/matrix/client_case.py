"""One client in one situation: what a situation's body has at hand."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import lanebaggage
from support.recorder import recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.recorder import Recorder

    from .table import Cell

HEADER = "x-asm-prefer-tag"
SITUATIONS: dict[str, Callable[[Case], None]] = {}


def situation(body: Callable[[Case], None]) -> Callable[[Case], None]:
    """Register a body under its name, underscores as dashes."""
    SITUATIONS[body.__name__.replace("_", "-")] = body
    return body


@dataclass
class Case:
    """A library's driver, a recorder that it can talk to, and what a body makes on its way."""

    cell: Cell
    server: Recorder
    files: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def client(self, **options: Any) -> Any:
        """A client of the library."""
        made = self.cell.driver(**options)
        self.stack.callback(made.close)
        return made

    def instrumented(self, **settings: Any) -> Any:
        """A client that was made before auto_instrument(), which is called with these settings."""
        made = self.client()
        lanebaggage.auto_instrument(**settings)
        return made

    def recorder(self, **options: Any) -> Recorder:
        """Another recorder, of HTTP."""
        return self.stack.enter_context(recording(**options))

    def named(self, host: str) -> tuple[Any, str]:
        """A client for a host name, through a proxy where the library resolves names by itself, and the URL."""
        proxy = ""
        if not self.cell.driver.resolves:
            proxy = (self.server if self.server.scheme == "http" else self.recorder()).url()
        return self.client(proxy=proxy), self.server.url(host=host)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
