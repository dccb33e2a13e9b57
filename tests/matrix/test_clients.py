"""Each HTTP client in each situation, on a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from matrix.clients import CLIENTS
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matrix.table import Cell

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.mark.parametrize("cell", CLIENTS.cells, ids=str)
def test_client(cell: Cell, covers: Cell, server: Recorder, names: Callable[[str], None]) -> None:
    """A client in a situation puts the lane where it belongs and nowhere else."""
    client = cell.driver()
    lanebaggage.auto_instrument()
    try:
        SITUATIONS[cell.situation](client, server)
    finally:
        client.close()


def object_made_before(client: Any, server: Recorder) -> None:
    with lanebaggage.lane("s2"):
        client.send(server.url())
    assert server.values() == [["s2"]]


def keep_alive(client: Any, server: Recorder) -> None:
    with lanebaggage.lane("s2"):
        client.send(server.url())
    client.send(server.url())
    assert server.values() == [["s2"], []]


def redirect_stranger(client: Any, server: Recorder) -> None:
    with lanebaggage.lane("s2"):
        client.send(server.url(f"/redirect?to=http://{STRANGER}:{server.port}/there"))
    assert server.values() == [["s2"], []]


def user_header(client: Any, server: Recorder) -> None:
    with lanebaggage.lane("s2"):
        client.send(server.url(), headers={"X-Asm-Prefer-Tag": "mine"})
    assert server.values() == [["mine"]]


SITUATIONS: dict[str, Callable[[Any, Recorder], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (object_made_before, keep_alive, redirect_stranger, user_header)
}
