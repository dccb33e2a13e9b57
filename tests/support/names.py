"""Names for tests: ``*.example`` and single labels given to ``names`` resolve to 127.0.0.1 for every client of this process."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

STRANGER = "stranger.example"
"""Resolves to this machine and does not look like the mesh."""
PARTNER = "api.partner.example"
"""Likewise; tests allow it."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make host names resolve to 127.0.0.1; ``*.example`` ones do from the start."""
    known = set()
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and (name in known or name.endswith(".example")):
            host = "127.0.0.1"
        return original(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known.add
