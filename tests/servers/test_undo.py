"""Undo with somebody else's patch on top; that of everything at once is in ``tests/instrumentation/test_undo.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import lanebaggage
from support.server_drive import LANE

if TYPE_CHECKING:
    from collections.abc import Iterator


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
