"""Undo of every library of the table at once: each attribute is the very object that it was."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import lanebaggage
from lanebaggage.instrumentation import PATCHED, TABLE, WAITING, _patching

ELSEWHERE = {"niquests", "urllib3-future"}
"""They take urllib3's place, so they are tested in an environment of their own."""
ABSENT = {
    "apscheduler._schedulers.async_": "of APScheduler 4",
    "faststream.mqtt": "of a broker that the tests do not run",
    "faststream.nats": "of a broker that the tests do not run",
    "granian.server.embed": "asked for by an embedding program",
    "granian.server.mt": "of a Python without the lock",
    "uwsgi": "made by uWSGI in its own processes",
}
"""By how their names begin."""
if sys.version_info < (3, 11):
    ABSENT |= dict.fromkeys(("httpcore2", "httpx2", "uvicorn.protocols.http.zttp"), "needs Python 3.11")


def everything() -> None:
    """Every module that the table names, imported."""
    from support import server_django

    assert server_django.settings.configured
    for entry in TABLE:
        for name in entry.modules:
            if entry.library not in ELSEWHERE and not name.startswith((*ABSENT,)):
                import_module(name)


def held(place: tuple[Any, str]) -> Any:
    return vars(place[0]).get(place[1], _patching._MISSING)


def test_every_attribute_is_what_it_was() -> None:
    """Every library is patched, and afterwards all of it is identical (``is``) to before, whichever library it is of."""
    everything()
    for _ in range(2):
        report = lanebaggage.auto_instrument()
        assert {row.library for row in report if row.status == WAITING} <= ELSEWHERE | {*ABSENT}
        assert [row for row in report if row.status not in (PATCHED, WAITING)] == []
        found: dict[tuple[Any, str], Any] = {}
        for patch in _patching._installed:
            found.setdefault((patch.owner, patch.name), patch.found)
        assert "lanebaggage" not in {_package(value) for value in found.values()}
        assert [place for place, value in found.items() if held(place) is value] == []
        lanebaggage.uninstrument()
        assert [place for place, value in found.items() if held(place) is not value] == []


def _package(value: Any) -> str:
    """The package that a function, or what a property calls, comes from."""
    function = getattr(value, "fget", None) or getattr(value, "__func__", value)
    return str(getattr(function, "__module__", "")).partition(".")[0]
