"""HTTP clients: situations, and a driver of a few lines per library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .table import Role

CLIENTS = Role(
    "clients",
    "HTTP clients",
    {
        "object-made-before": "client object made before `auto_instrument()`",
        "keep-alive": "second request on a kept connection, without a lane",
        "redirect-stranger": "redirect to a host outside the mesh",
        "user-header": "the caller's own lane header: kept, not doubled",
    },
)


@dataclass
class Reply:
    """What a driver gives back of an answer."""

    status: int
    body: bytes


class Requests:
    """requests with a Session."""

    distribution = "requests"

    def __init__(self) -> None:
        import requests

        self.session = requests.Session()

    def send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Reply:
        answer = self.session.request(method, url, headers=headers, data=body, timeout=10)
        return Reply(answer.status_code, answer.content)

    def close(self) -> None:
        self.session.close()


CLIENTS.add("requests", Requests)
