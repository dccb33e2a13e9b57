"""While a mesh is open, requests of this process to its services are carried by it; below every instrumentation.

Clients are patched on their classes where one connection, or one request on the wire, is made, so that objects made earlier
are covered, and what instrumentations add is there already. Patches are shared by all open meshes and go with the last one.
"""

from __future__ import annotations

import os
import socket
import sys
from ipaddress import ip_address
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Protocol

import wrapt

from ..routing import plain_host
from ._serving import origin
from .client import GATEWAY_NAME
from .traffic import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .topology import Topology
    from .traffic import Origin

    Install = Callable[[ModuleType, "Patches"], None]


class Carrier(Protocol):
    """An engine that carries requests of this process."""

    topology: Topology

    @property
    def sidecar(self) -> tuple[str, int] | None:
        """Where connections to service names go; None where requests are carried without sockets."""


_INHERITED: Final[Any] = object()


class Patches:
    """Attributes replaced, and put back unless somebody replaced them since."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, Any, Any]] = []

    def put(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace an attribute that a class or module has.

        :param make: called with the original; returns the replacement.
        """
        found = vars(owner).get(name, _INHERITED)
        replacement = make(getattr(owner, name) if found is _INHERITED else found)
        self._made.append((owner, name, found, replacement))
        setattr(owner, name, replacement)

    def undo(self) -> None:
        """Put back what was there."""
        while self._made:
            owner, name, found, replacement = self._made.pop()
            if vars(owner).get(name) is not replacement:
                continue
            if found is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, found)


_open: list[Carrier] = []
_patches: Final = Patches()
_installs: list[tuple[str, Install]] = []
_installed: set[tuple[str, Install]] = set()
_lock: Final = RLock()


def register(module: str, install: Install) -> None:
    """Have a module patched while a mesh is open; as soon as it is imported."""
    if (module, install) in _installs:
        return
    _installs.append((module, install))

    def imported(found: ModuleType) -> None:
        with _lock:
            if _open:
                _install(module, install, found)

    wrapt.register_post_import_hook(imported, module)


def _install(module: str, install: Install, found: ModuleType) -> None:
    if (module, install) not in _installed:
        _installed.add((module, install))
        install(found, _patches)


def add(carrier: Carrier) -> None:
    """Open a mesh: its services can be called by name from now on."""
    with _lock:
        if carrier in _open:
            return
        _open.append(carrier)
        for module, install in _installs:
            if module in sys.modules:
                _install(module, install, sys.modules[module])


def remove(carrier: Carrier) -> None:
    """Close a mesh."""
    with _lock:
        if carrier in _open:
            _open.remove(carrier)
        if not _open:
            _patches.undo()
            _installed.clear()


def claimed(host: str) -> tuple[Carrier, Origin] | None:
    """The mesh that carries a request to a host, made here and now, and where it comes from; None for the network.

    A host that no mesh knows is claimed too where an application calls it, so that the mesh can say so: from an application
    under test nothing but this machine's own addresses is reached without a word.
    """
    name = host.lower() if host.count(":") > 1 and host[0] != "[" else plain_host(host)
    here = origin()
    for carrier in reversed(_open):
        if carrier.topology.knows(name) and _serves(carrier, here):
            carrier.topology.ready()
            return carrier, here
        if name == GATEWAY_NAME and carrier.sidecar is None:
            carrier.topology.ready()
            return carrier, GATEWAY
    if not _open or here.outside or is_local(name) or any(carrier.topology.reaches(name) for carrier in _open):
        return None
    return next((carrier for carrier in reversed(_open) if _serves(carrier, here)), _open[-1]), here


def _serves(carrier: Carrier, here: Origin) -> bool:
    return here.instance is None or here.instance in carrier.topology.instances


def refuse(here: Origin, message: str) -> str:
    """Note in the hop being served what its application may not do; an application may turn the exception into anything."""
    if here.serving is not None:
        here.serving.error = here.serving.error or message
    return message


def is_local(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return host == socket.gethostname().lower()
    return address.is_loopback or address.is_unspecified


class NoProxy:
    """Keeps requests to service names from a proxy that the environment names, for as long as a mesh is open."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def apply(self, hosts: list[str]) -> None:
        """Add hosts to ``NO_PROXY``, where the environment names a proxy for http."""
        if not any(os.environ.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
            return
        for name in ("NO_PROXY", "no_proxy"):
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = ",".join(filter(None, (self._before[name], *hosts)))

    def undo(self) -> None:
        """Put the environment back."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()
