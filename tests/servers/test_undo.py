"""Undo, for every server library at once, and with somebody else's patch on top."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import lanebaggage
from lanebaggage.instrumentation import PATCHED, TABLE, _patching
from support.server_drive import LANE

if TYPE_CHECKING:
    from collections.abc import Iterator

ABSENT = {"granian.server.mt", "granian.server.embed"}
"""Modules that not every interpreter can import, or wants to."""


@pytest.fixture
def everything() -> None:
    """Every module of every server library, imported."""
    from support import server_django

    assert server_django.settings.configured
    for entry in TABLE:
        if entry.role == "server":
            for name in entry.modules:
                if name not in ABSENT:
                    import_module(name)


def test_undo_gives_back_the_identical_attributes(everything: None) -> None:
    """After ``uninstrument()`` every attribute that was patched is the very object that was found, twice over."""
    for _ in range(2):
        report = lanebaggage.auto_instrument()
        assert {row.library: row.status for row in report if row.role == "server" and row.status != PATCHED} == {}
        patches = [(patch.owner, patch.name, patch.found, patch.replacement) for patch in _patching._installed]
        assert {vars(owner)[name] is replacement for owner, name, _, replacement in patches} == {True}
        lanebaggage.uninstrument()
        assert len(patches) > 60
        for owner, name, was, _ in patches:
            assert vars(owner).get(name, _patching._MISSING) is was, f"{owner}.{name}"


@pytest.fixture
def foreign() -> Iterator[list[Any]]:
    """Somebody else's patches of ``__call__``, put on top of ours; taken away afterwards."""
    put: list[Any] = []
    yield put
    for owner, original in put:
        owner.__call__ = original


def test_a_foreign_patch_on_top_stays(foreign: list[Any]) -> None:
    """Another library's later patch goes on working, ours below it is switched off, and on again once."""
    calls: list[str] = []

    def on_top(owner: Any) -> None:
        ours = owner.__call__
        foreign.append((owner, vars(owner)["__call__"].__wrapped__))

        def theirs(self: Any, *args: Any) -> Any:
            calls.append(owner.__name__)
            return ours(self, *args)

        async def theirs_async(self: Any, *args: Any) -> Any:
            await theirs(self, *args)

        owner.__call__ = theirs_async if owner is Starlette else theirs

    app = flask.Flask("app")
    app.add_url_rule("/", view_func=lambda: str(lanebaggage.current_lane()))
    api = Starlette()
    api.add_middleware(Answering)
    lanebaggage.auto_instrument()
    on_top(flask.Flask)
    on_top(Starlette)

    def lanes() -> list[str]:
        return [client.get("/", headers={LANE: "s2"}).text for client in (app.test_client(), TestClient(api))]

    assert lanes() == ["s2", "s2"]
    lanebaggage.uninstrument()
    assert lanes() == ["None", "None"]
    lanebaggage.auto_instrument()
    assert lanes() == ["s2", "s2"]
    assert calls == ["Flask", "Starlette"] * 3
    lanebaggage.uninstrument()


def test_what_somebody_put_back_is_patched_again() -> None:
    """A mock that began before and ended after takes our patch away; undo and another ``auto_instrument()`` bring it again."""
    app = flask.Flask("app")
    app.add_url_rule("/", view_func=lambda: str(lanebaggage.current_lane()))
    original = flask.Flask.__call__
    lanebaggage.auto_instrument()
    flask.Flask.__call__ = original  # type: ignore[method-assign] # as the end of a mock does
    lanebaggage.uninstrument()
    assert flask.Flask.__call__ is original
    lanebaggage.auto_instrument()
    assert app.test_client().get("/", headers={LANE: "s2"}).text == "s2"


class Answering:
    """An ASGI middleware that answers with the lane."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(lanebaggage.current_lane()).encode()})
