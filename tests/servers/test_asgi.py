"""ASGI: what happens to scopes, marks and failures, around a callable of ours."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from contextvars import Context
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage import _runtime
from lanebaggage.instrumentation.servers._serve import ENTERED
from support.server_drive import LANE

if TYPE_CHECKING:
    from collections.abc import Callable

HEADERS = [(LANE.encode(), b"s2")]


def lane_of(scope: Any, outside: Callable[[], Any] = lambda: None) -> tuple[str | None, Any]:
    """The lane in which the middleware serves a scope, and the scope that the application got."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((lanebaggage.current_lane(), scope))

    async def serve() -> None:
        await lanebaggage.asgi_middleware(app)(scope, None, None)

    def run() -> None:
        outside()
        asyncio.run(serve())

    Context().run(run)
    return seen[0], seen[1]


@pytest.mark.parametrize("headers", [iter(HEADERS), map(iter, HEADERS)], ids=["headers", "each header"])
def test_headers_that_can_be_read_once_reach_the_application(headers: Any) -> None:
    """ASGI allows any iterable: the application gets all headers although ours were looked for first."""
    lane, scope = lane_of({"type": "http", "headers": headers})
    assert (lane, list(scope["headers"])) == ("s2", HEADERS)


@pytest.mark.parametrize("headers", [{}, {"headers": None}, {"headers": ()}], ids=str)
def test_a_scope_without_headers_has_no_lane(headers: dict[str, Any]) -> None:
    """Headers that are missing, or empty, mean no lane and no failure."""
    failed = lanebaggage.stats()["failed"]
    assert lane_of({"type": "http", **headers})[0] is None
    assert lanebaggage.stats()["failed"] == failed


@pytest.mark.parametrize("scope", [{"type": "lifespan"}, {"type": "channel", "headers": HEADERS}, {}], ids=str)
def test_other_scopes_pass_untouched(scope: dict[str, Any]) -> None:
    """What is neither a request nor a websocket is not marked, and gets no lane."""
    before = dict(scope)
    assert lane_of(scope) == (None, before)


def test_a_mark_counts_only_where_a_lane_was_decided() -> None:
    """A scope that is kept and served again, where nothing is current, brings its lane again."""
    scope = {"type": "http", "headers": HEADERS, ENTERED: True}
    assert lane_of(scope)[0] == "s2"
    assert lane_of(scope, outside=lanebaggage.lane("s9").__enter__)[0] == "s9"


def test_a_failure_of_ours_leaves_the_call_as_it_was(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where reading headers fails, the application is served without a lane, and one warning says so without content."""

    def fail(headers: Any) -> None:
        raise LookupError(headers)

    monkeypatch.setattr(_runtime, "wire", type("Broken", (), {"from_raw": staticmethod(fail)}))
    assert [lane_of({"type": "http", "headers": HEADERS})[0] for _ in range(2)] == [None, None]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "s2" not in caplog.text


@pytest.mark.parametrize("scope", [None, 7], ids=["none", "number"])
def test_an_illegal_scope_is_the_applications_to_refuse(scope: Any) -> None:
    """What is no scope at all reaches the application."""
    assert lane_of(scope) == (None, scope)


def test_the_middleware_looks_like_asgi_3() -> None:
    """Servers tell ASGI 3 by a coroutine function of three arguments."""

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    in_lane = lanebaggage.asgi_middleware(app)
    assert inspect.isfunction(in_lane)
    assert inspect.iscoroutinefunction(in_lane)
    assert list(inspect.signature(in_lane).parameters) == ["scope", "receive", "send"]


def test_the_middleware_is_imported_when_it_is_asked_for() -> None:
    """Importing lanebaggage imports no middleware; a name that it does not have is an AttributeError."""
    code = (
        "import sys, lanebaggage; before = 'lanebaggage.middleware' in sys.modules; "
        "lanebaggage.asgi_middleware; print(before, 'lanebaggage.middleware' in sys.modules, hasattr(lanebaggage, 'nothing'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "False True False\n"
