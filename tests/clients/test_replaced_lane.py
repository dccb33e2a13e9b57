"""A lane that was left by hand, and that another library still writes into a request's baggage, goes out by no client."""

from __future__ import annotations

import asyncio
import http.client
from typing import TYPE_CHECKING

import aiohttp
import httpcore
import httpx
import pytest
import requests

import lanebaggage
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = {"Baggage": "x-asm-prefer-tag=s2,a=1"}


def by_http_client(url: str) -> None:
    connection = http.client.HTTPConnection(url.split("/")[2])
    connection.request("GET", "/", headers=OWN)
    connection.getresponse().read()
    connection.close()


def by_aiohttp(url: str) -> None:
    async def call() -> None:
        async with aiohttp.ClientSession() as session, session.get(url, headers=OWN):
            pass

    asyncio.run(call())


def by_httpx_behind_a_transport(url: str) -> None:
    class Mine(httpx.HTTPTransport):
        """No longer httpx's own."""

    with httpx.Client(transport=Mine()) as client:
        client.get(url, headers=OWN)


CLIENTS: dict[str, Callable[[str], object]] = {
    "http.client": by_http_client,
    "requests": lambda url: requests.get(url, headers=OWN, timeout=10),
    "httpx": lambda url: httpx.get(url, headers=OWN),
    "httpx, another transport": by_httpx_behind_a_transport,
    "httpcore": lambda url: httpcore.request("GET", url, headers=OWN),
    "aiohttp": by_aiohttp,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_left_lane_is_cut_out(client: str) -> None:
    """Other pass-through headers still go out, the request's own members stay."""
    lanebaggage.auto_instrument(trace_header="baggage", pass_through=["x-user"])
    with (
        recording() as server,
        lanebaggage.extract({"baggage": "x-asm-prefer-tag=s2", "x-user": "u"}),
        lanebaggage.lane(None),
    ):
        CLIENTS[client](server.url())
    assert _sent(server) == (["a=1"], ["u"])


def _sent(server: Recorder) -> tuple[list[str], list[str]]:
    return server.values("baggage")[0], server.values("x-user")[0]
