"""An SDK over each client: elastic-transport, on which Elasticsearch's clients are built."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def transport(kind: str, url: str) -> Any:
    """A transport that makes its requests with urllib3, requests, aiohttp, httpx or httpx (``httpxasync``)."""
    from elastic_transport import AsyncTransport, NodeConfig, Transport

    target = urlsplit(url)
    node = NodeConfig(target.scheme, target.hostname or "", target.port or 0)
    made = AsyncTransport if kind in ("aiohttp", "httpxasync") else Transport
    return made([node], node_class=kind, max_retries=0)
