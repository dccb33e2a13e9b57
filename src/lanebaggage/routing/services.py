"""Kubernetes services, and the hosts that mean them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import RoutingError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-._ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, order=True)
class ServiceRef:
    """A Kubernetes service.

    :param name: its name.
    :param namespace: its namespace.
    :raises RoutingError: one of them cannot be such a name.
    """

    name: str
    namespace: str = "default"

    def __post_init__(self) -> None:
        for text in (self.name, self.namespace):
            if not text or len(text) > 253 or "." in text or text.strip(_NAME_CHARACTERS):
                raise RoutingError(f"{text[:60]!r} is no name of a service or namespace; write letters, digits and hyphens")

    @classmethod
    def parse(cls, text: str, namespace: str = "default") -> ServiceRef:
        """The service that a host or ``namespace/name`` means.

        :param text: ``name``, ``name.ns``, ``name.ns.svc``, ``name.ns.svc.cluster.local`` (any case, with or without
            port) or ``ns/name``.
        :param namespace: of a name without one.
        :raises RoutingError: the text is none of these.
        """
        if "/" in text:
            first, _, second = text.partition("/")
            return cls(second, first)
        labels = plain_host(text).split(".")
        if is_outside(text):
            raise RoutingError(
                f"{text[:80]!r} is no host of a cluster service; write one such as mocka.default.svc.cluster.local"
            )
        return cls(labels[0], labels[1] if len(labels) > 1 else namespace)

    @property
    def host(self) -> str:
        """The full name in the cluster."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that mean this service wherever it is called from."""
        local = f"{self.name}.{self.namespace}".lower()
        return local, f"{local}.svc", f"{local}.svc.cluster.local"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def is_outside(text: str) -> bool:
    """Whether a host is that of no service of the cluster."""
    labels = plain_host(text).split(".")
    return len(labels) > 2 and labels[2:] not in (["svc"], ["svc", "cluster", "local"])


def plain_host(text: str) -> str:
    """A host in lower case without port and final dot; an address in brackets without them."""
    host = text.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def host_matches(patterns: Iterable[str], host: str) -> bool:
    """Whether a host is one of these: ``*``, a name, or ``*.suffix`` (Istio's Gateway and VirtualService hosts)."""
    patterns = tuple(patterns)
    if not patterns or "*" in patterns:
        return True
    host = plain_host(host)
    return any(host == pattern or (pattern[:1] == "*" and host.endswith(pattern[1:])) for pattern in map(plain_host, patterns))
