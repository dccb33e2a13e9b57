"""A certificate for this machine's names and the authority that signed it, made once per process."""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from pathlib import Path

import trustme

_directory = tempfile.TemporaryDirectory(prefix="lanebaggage-")


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def authority_file() -> str:
    """Path of the authority's certificate, for clients."""
    path = Path(_directory.name) / "authority.pem"
    _authority().cert_pem.write_to_path(path)
    return str(path)


@cache
def server_file() -> str:
    """Path of the server's key and certificate, for servers that take files."""
    path = Path(_directory.name) / "server.pem"
    _authority().issue_cert(
        "127.0.0.1", "localhost", "*.example", "*.partner.example"
    ).private_key_and_cert_chain_pem.write_to_path(path)
    return str(path)


@cache
def server_context() -> ssl.SSLContext:
    """A context for a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file())
    return context


@cache
def client_context() -> ssl.SSLContext:
    """A context for a client that trusts the authority."""
    return ssl.create_default_context(cafile=authority_file())
