"""May this host get the headers: the mesh by default, others by ``allow``, metadata services never."""

from __future__ import annotations

import pytest

from lanebaggage import SettingsError
from lanebaggage._policy import EXPLICIT, MESH, REFUSED, Policy, host_of
from lanebaggage._settings import resolve


def policy(*allow: str) -> Policy:
    return Policy(resolve({"allow": list(allow)}, {}))


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        ("mockb", MESH),
        ("MockB", MESH),
        ("mockb.", MESH),
        ("mock_b", MESH),
        ("mockb.default.svc", MESH),
        ("mockb.default.svc.cluster.local", MESH),
        ("mockb.default.svc.corp.example", MESH),
        ("x.cluster.local", MESH),
        ("localhost", MESH),
        ("app.localhost", MESH),
        ("127.0.0.1", MESH),
        ("127.9.9.9", MESH),
        ("::1", MESH),
        ("[::1]", MESH),
        ("::ffff:127.0.0.1", MESH),
        ("0.0.0.0", MESH),
        ("2130706433", MESH),
        ("api.partner.example", REFUSED),
        ("mockb.default", REFUSED),
        ("svc.example", REFUSED),
        ("xsvc", MESH),
        ("evil.example.svcx", REFUSED),
        ("10.0.0.7", REFUSED),
        ("8.8.8.8", REFUSED),
        ("2001:db8::1", REFUSED),
        ("", REFUSED),
        ("a b", REFUSED),
        ("a/b", REFUSED),
        ("%2Fvar%2Frun%2Fdocker.sock", REFUSED),
        ("bücher.example", REFUSED),
        ("a" * 254, REFUSED),
    ],
)
def test_hosts_of_the_mesh(host: str, verdict: int) -> None:
    """Single labels, cluster names and loopback look like the mesh, in every spelling; nothing else does."""
    assert policy().verdict(host) == verdict
    assert policy().verdict(host) == verdict


METADATA = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "100.100.100.200",
    "fd00:ec2::254",
    "metadata",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "instance-data",
]


@pytest.mark.parametrize("host", METADATA)
@pytest.mark.parametrize("allow", [(), ("*",), ("0.0.0.0/0", "::/0"), ("*.google.internal",)], ids=str)
def test_metadata_services_never_get_anything(host: str, allow: tuple[str, ...]) -> None:
    """No spelling of a metadata service and no setting makes it a target."""
    assert policy(*allow).verdict(host) == REFUSED


@pytest.mark.parametrize(
    ("allow", "host", "verdict"),
    [
        ("api.partner.example", "API.partner.example", EXPLICIT),
        ("api.partner.example.", "api.partner.example", EXPLICIT),
        ("api.partner.example", "xapi.partner.example", REFUSED),
        ("api.partner.example", "api.partner.example.evil.example", REFUSED),
        ("*.partner.example", "api.partner.example", EXPLICIT),
        ("*.partner.example", "a.b.partner.example", EXPLICIT),
        ("*.partner.example", "partner.example", REFUSED),
        ("*.partner.example", "evilpartner.example", REFUSED),
        ("10.0.0.0/8", "10.1.2.3", EXPLICIT),
        ("10.0.0.0/8", "167838211", EXPLICIT),
        ("10.0.0.0/8", "11.1.2.3", REFUSED),
        ("10.0.0.0/8", "10.evil.example", REFUSED),
        ("2001:db8::/32", "2001:db8::7", EXPLICIT),
        ("10.1.2.3", "10.1.2.3", EXPLICIT),
        ("[2001:db8::1]", "2001:DB8:0::1", EXPLICIT),
        ("bücher.example", "bücher.example", EXPLICIT),
        ("bücher.example", "xn--bcher-kva.example", EXPLICIT),
        ("*", "anything.example", EXPLICIT),
        ("*", "8.8.8.8", EXPLICIT),
        ("mockb", "mockb", EXPLICIT),
    ],
)
def test_allow(allow: str, host: str, verdict: int) -> None:
    """Names match whole, suffixes at a dot, addresses by value, and only ``*`` is everything."""
    assert policy(allow).verdict(host) == verdict


@pytest.mark.parametrize(
    "entry",
    [
        "https://api.example",
        "api.example/path",
        "api.example:443",
        "*",
        "a*.example",
        "*.*.example",
        "10.0.0.0/99",
        "a b",
        "169.254.0.0/16",
        "169.254.169.254",
        "metadata",
    ],
)
def test_an_unusable_allow_entry_is_an_error(entry: str) -> None:
    """The message names the entry and shows what one looks like; ``*`` alone is the only pattern of its kind."""
    if entry == "*":
        assert policy(entry).verdict("x.example") == EXPLICIT
        return
    with pytest.raises(SettingsError, match=r"argument: allow entry .*(api\.partner\.example|link-local)"):
        policy(entry)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://mockb:8000/x?y#z", "mockb"),
        ("HTTPS://User:Pass@MockB", "mockb"),
        ("http://[::1]:80/", "::1"),
        ("http://a@b@mockb/", "mockb"),
        ("http://evil.example/?next=http://mockb/", "evil.example"),
        ("http://evil.example#@mockb/", "evil.example"),
        ("http://evil.example?@mockb/", "evil.example"),
        ("http://evil.example\\@mockb/", ""),
        ("http://mockb\t.evil.example/", ""),
        ("http+unix://%2Fvar%2Frun%2Fdocker.sock/info", ""),
        ("ftp://mockb/", ""),
        ("//mockb/", ""),
        ("/path", ""),
        ("", ""),
        ("ws://mockb/", "mockb"),
    ],
)
def test_host_of(url: str, host: str) -> None:
    """The host is cut from the authority, never found in other text of the URL; what is read in two ways is none."""
    assert host_of(url) == host


def test_verdicts_kept_are_bounded() -> None:
    """A crawler that calls a million hosts does not make memory grow."""
    subject = policy()
    for number in range(2000):
        assert subject.verdict(f"h{number}.example") == REFUSED
    assert len(subject.verdicts) == 1024
