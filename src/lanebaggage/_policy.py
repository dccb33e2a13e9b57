"""May this host get the headers? By default hosts that look like the mesh, never a metadata service, others by ``allow``.

The decision is about a parsed host, never about text in a URL, and is taken anew for each hop, redirects included.
Verdicts are kept per host, so that a hop costs one dictionary look-up.
"""

from __future__ import annotations

from ._errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from typing import Final

    from ._settings import Settings

REFUSED: Final = 0
MESH: Final = 1
"""Looks like a host of the mesh."""
EXPLICIT: Final = 2
"""Named by ``allow``: may get the headers even on a signed request."""

_HOSTS: Final = 1024
"""Hosts whose verdict is kept; a service that calls more pays for judging the rest each time."""

_METADATA: Final = frozenset(
    "metadata metadata.google.internal metadata.goog metadata.tencentyun.com instance-data instance-data.ec2.internal".split()
)
_METADATA_ADDRESSES: Final = frozenset("100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254".split())
"""Metadata services of Alibaba Cloud, Azure, Oracle, AWS and Google that are not link-local."""

_HOST_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-._"


class Policy:
    """Decides by host; compiled once from the settings."""

    __slots__ = ("_any", "_names", "_networks", "_suffixes", "verdicts")

    verdicts: dict[str, int]
    """Those that were asked for, by host as it was spelt; looked up without a call where that would be felt."""

    def __init__(self, settings: Settings) -> None:
        self._any = False
        self._names: set[str] = set()
        self._suffixes: tuple[str, ...] = ()
        self._networks: list[IPv4Network | IPv6Network] = []
        self.verdicts = {}
        for entry in settings.allow:
            self._add(entry, settings.sources["allow"])

    def verdict(self, host: str) -> int:
        """``REFUSED``, ``MESH`` or ``EXPLICIT`` for a host name or address without port, in any case."""
        verdict = self.verdicts.get(host)
        if verdict is None:
            verdict = self.explain(host)[0]
            if len(self.verdicts) < _HOSTS:
                self.verdicts[host] = verdict
        return verdict

    def explain(self, host: str) -> tuple[int, str]:
        """The verdict and, in words, why."""
        name = _normal(host)
        if not name:
            return REFUSED, "no host"
        address = _address(name)
        if address is not None:
            if _is_metadata(address):
                return REFUSED, "link-local or metadata service, never allowed"
            for network in self._networks:
                if address in network:
                    return EXPLICIT, f"in {network}, which allow names"
            name = str(address)
        elif name in _METADATA:
            return REFUSED, "metadata service, never allowed"
        elif not _is_name(name):
            return REFUSED, "not a host name"
        if name in self._names:
            return EXPLICIT, "named by allow"
        if self._suffixes and name.endswith(self._suffixes):
            return EXPLICIT, "matches a suffix of allow"
        if self._any:
            return EXPLICIT, "allow is *"
        if address is not None:
            local = address.is_loopback or address.is_unspecified
            return (MESH, "loopback") if local else (REFUSED, "an address outside the mesh")
        if "." not in name:
            return MESH, "single-label name"
        if name.endswith((".svc", ".cluster.local", ".localhost")) or ".svc." in name:
            return MESH, "name of a cluster service"
        return REFUSED, "not a host of the mesh"

    def _add(self, entry: str, source: str) -> None:
        text = entry.lower().rstrip(".")
        if text == "*":
            self._any = True
            return
        if text.startswith("*."):
            suffix = text[2:]
            if _is_name(suffix):
                self._suffixes += ("." + suffix,)
                return
        elif "/" in text and "//" not in text:
            from ipaddress import ip_network

            try:
                network = ip_network(text, strict=False)
            except ValueError:
                pass
            else:
                if network.is_link_local:
                    raise SettingsError(
                        f"{source}: allow entry {entry!r} is link-local, where metadata services live; leave it out"
                    )
                self._networks.append(network)
                return
        else:
            name = _normal(text)
            address = _address(name)
            if address is not None and not _is_metadata(address):
                self._names.add(str(address))
                return
            if address is None and _is_name(name) and name not in _METADATA:
                self._names.add(name)
                return
        raise SettingsError(
            f"{source}: allow entry {entry[:80]!r} is not a host; write a name (api.partner.example), a suffix "
            "(*.partner.example), an address, a block (10.0.0.0/8) or * for every host, without scheme, port or path; "
            "metadata services are never allowed"
        )


def host_of(url: str) -> str:
    """Host of an absolute http(s) URL in lower case, or an empty text for anything that is not plainly one.

    User information, port, path and query are cut by position (RFC 3986, section 3.2). What parsers read in different
    ways, such as a backslash in the authority, counts as no host.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https", "ws", "wss"):
        return ""
    host, _, port = rest.partition("/")[0].partition(":")
    if host and not host.strip(_HOST_CHARACTERS) and (not port or port.isdecimal()):
        return host  # so plain that there is nothing to cut
    authority = rest
    for mark in "/?#":
        authority = authority.partition(mark)[0]
    if "\\" in authority or not authority.isprintable():
        return ""
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _normal(host: str) -> str:
    name = host.strip("[]").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name.removesuffix(".")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 253 and not name.strip(_HOST_CHARACTERS) and ".." not in name and name[0] != "."


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """The address that a client would connect to, for every spelling that the C library takes (``0x7f.1``, ``2130706433``)."""
    last = name.rpartition(".")[2]
    if ":" not in name and (not last[:1].isdigit() or not _is_name(name)):
        return None
    from ipaddress import IPv4Address, IPv6Address

    try:
        if ":" in name:
            address = IPv6Address(name.partition("%")[0])
            return address.ipv4_mapped or address
        import socket

        return IPv4Address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


def _is_metadata(address: IPv4Address | IPv6Address) -> bool:
    return address.is_link_local or str(address) in _METADATA_ADDRESSES
