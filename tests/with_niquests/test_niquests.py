"""niquests in each situation of the clients, and what else runs over urllib3-future once that has taken urllib3's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3

import lanebaggage
from matrix import client_situations, client_situations_calls
from matrix.client_case import SITUATIONS, Case
from matrix.client_drivers.blocking import Requests, Urllib3
from matrix.client_drivers.niquests import Niquests, NiquestsAsync, NiquestsMultiplexed
from matrix.clients import NO_HOOK, NO_OBJECT, NO_WEBSOCKET, SYNC
from matrix.table import ROLES, Role
from support.recorder import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from matrix.table import Cell
    from support.recorder import Recorder

assert client_situations
assert client_situations_calls

ROLE = Role("niquests", "niquests", dict.fromkeys(SITUATIONS, ""))
del ROLES["niquests"]  # the page of coverage is that of the main run
MOCKS = {"mocks": "no mock in common use that replaces it"}
SDKS = {"layers": "no SDK in common use on it"}
BOTH = dict.fromkeys(("cancellation", "loop_in_thread"), SYNC)
ROLE.add("niquests.Session", Niquests, **BOTH, **MOCKS, **SDKS)
ROLE.add("niquests.Session multiplexed", NiquestsMultiplexed, **BOTH, **MOCKS, **SDKS)
ROLE.add("niquests.AsyncSession", NiquestsAsync, **MOCKS, **SDKS)
MAIN = "the same code as on urllib3, in the main run"
ON_FORK = {
    **BOTH,
    **dict.fromkeys(("import_after", "layers", "mocks", "undo"), MAIN),
    "websocket": NO_WEBSOCKET,
    "http2": "its own switch",
}
ROLE.add("requests", Requests, **ON_FORK)
ROLE.add("urllib3", Urllib3, **ON_FORK, request_reused=NO_OBJECT, response_hook=NO_HOOK, auth_callback=NO_HOOK)


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.mark.parametrize("cell", ROLE.cells, ids=str)
def test_niquests(cell: Cell, names: Callable[[str], None], tmp_path: Path) -> None:
    """A client over urllib3-future in a situation puts the lane where it belongs and nowhere else."""
    with cell.driver.server() as server:
        case = Case(cell, server, tmp_path)
        with case.stack:
            SITUATIONS[cell.situation](case)


def test_this_is_urllib3_future() -> None:
    """What is imported as urllib3 here is the fork."""
    assert urllib3.__version__ >= "2.10.900"


def test_the_report(server: Recorder) -> None:
    """The report names what is patched, and what goes through it."""
    Niquests().send(server.url())
    report = lanebaggage.auto_instrument()
    assert "HfaceBackend.endheaders" in report["urllib3-future"][0].detail
    assert "AsyncHfaceBackend.endheaders" in report["urllib3-future"][0].detail
    assert report["niquests"][0].detail == "through urllib3-future"
