"""WSGI: what happens to bodies, marks and failures, around a callable of ours."""

from __future__ import annotations

import io
from contextvars import Context
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest

import lanebaggage
from lanebaggage import _runtime
from lanebaggage._context import CARRIED, UNSET
from lanebaggage.instrumentation.servers._serve import ENTERED
from support.server_drive import LANE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IN_LANE = {"HTTP_X_ASM_PREFER_TAG": "s2"}


def served(body: Any, environ: dict[str, Any]) -> Any:
    """What the server gets for a body of the application's."""
    return lanebaggage.wsgi_middleware(lambda environ, start_response: body)(environ, lambda *_: None)


def generator() -> Iterator[bytes]:
    yield str(lanebaggage.current_lane()).encode()


@pytest.mark.parametrize(
    "body", [[b"a"], (b"a",), io.BytesIO(b"a"), FileWrapper(io.BytesIO(b"a"))], ids=["list", "tuple", "file", "wrapper"]
)
def test_a_body_that_runs_no_code_is_returned_as_it_is(body: Any) -> None:
    """Lists, tuples, files and the server's own file wrapper reach the server themselves."""
    assert served(body, {**IN_LANE, "wsgi.file_wrapper": FileWrapper}) is body


def test_a_body_without_a_lane_is_returned_as_it_is() -> None:
    """A generator of a request that carries nothing is not wrapped."""
    body = generator()
    assert served(body, {}) is body


def test_a_sized_body_keeps_its_length() -> None:
    """A body with ``len()`` has it afterwards, and one without has none."""

    class Sized:
        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[bytes]:
            return generator()

    body = served(Sized(), dict(IN_LANE))
    assert len(body) == 1
    assert list(body) == [b"s2"]
    assert not hasattr(served(generator(), dict(IN_LANE)), "__len__")


def test_a_bodys_attributes_are_reached() -> None:
    """What a server or middleware reads from the body it still reads, and what is not there raises."""
    body = served(generator(), dict(IN_LANE))
    assert body.gi_running is False
    with pytest.raises(AttributeError, match="nothing"):
        body.nothing  # noqa: B018 - the point
    assert served(map(bytes, []), dict(IN_LANE)).close() is None


def test_a_body_is_asked_for_its_bytes() -> None:
    """``bytes()`` of a response, as a Django response has it, is that of the application's own."""

    class Response:
        def __iter__(self) -> Iterator[bytes]:
            return generator()

        def __bytes__(self) -> bytes:
            return b"all of it"

    assert bytes(served(Response(), dict(IN_LANE))) == b"all of it"


def test_a_lane_entered_by_a_generator_lasts_over_its_yields() -> None:
    """A body that enters a lane by hand has it after each yield, and its server never."""

    def body() -> Iterator[bytes]:
        yield str(lanebaggage.current_lane()).encode()
        with lanebaggage.lane("by-hand"):
            yield str(lanebaggage.current_lane()).encode()
            yield str(lanebaggage.current_lane()).encode()
        yield str(lanebaggage.current_lane()).encode()

    def iterate() -> list[bytes]:
        chunks = []
        for chunk in served(body(), dict(IN_LANE)):
            chunks.append(chunk)
            assert CARRIED.get() is UNSET
        return chunks

    assert Context().run(iterate) == [b"s2", b"by-hand", b"by-hand", b"s2"]


def test_an_error_in_a_body_passes_and_leaves_no_lane() -> None:
    """What a body raises the server gets, in a thread without a lane."""

    def body() -> Iterator[bytes]:
        yield b""
        raise LookupError

    def iterate() -> None:
        with pytest.raises(LookupError):
            list(served(body(), dict(IN_LANE)))
        assert CARRIED.get() is UNSET

    Context().run(iterate)


def test_a_mark_counts_only_where_a_lane_was_decided() -> None:
    """An environ that is kept and served again, where nothing is current, brings its lane again."""
    environ = {**IN_LANE, ENTERED: True}
    assert Context().run(lambda: list(served(generator(), environ))) == [b"s2"]

    def decided() -> list[bytes]:
        with lanebaggage.lane("s9"):
            return list(served(generator(), environ))

    assert Context().run(decided) == [b"s9"]


def test_a_failure_of_ours_leaves_the_call_as_it_was(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where reading headers fails, the application is served without a lane, and one warning says so without content."""

    def fail(environ: Any) -> None:
        raise LookupError(environ)

    wire = type("Broken", (), {"from_environ": staticmethod(fail)})
    monkeypatch.setattr(_runtime, "wire", wire)
    body = generator()
    assert served(body, dict(IN_LANE)) is body
    assert served(body, dict(IN_LANE)) is body
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "LookupError" in caplog.text
    assert "s2" not in caplog.text


def test_a_body_goes_on_in_its_lane_after_uninstrument() -> None:
    """A response that was started before ``uninstrument()`` is finished in its lane."""
    import flask

    app = flask.Flask("app")
    app.add_url_rule("/", view_func=lambda: flask.Response(generator()))
    lanebaggage.auto_instrument()
    environ = {**IN_LANE, "REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "a", "SERVER_PORT": "80"}
    environ |= {"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
    body = app(environ, lambda *_: None)
    lanebaggage.uninstrument()
    assert list(body) == [b"s2"]


@pytest.mark.parametrize("value", [None, 7], ids=["none", "number"])
def test_an_illegal_environ_is_the_applications_to_refuse(value: Any) -> None:
    """What is no environ at all reaches the application, whose error the caller gets."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ)
        return []

    assert lanebaggage.wsgi_middleware(app)(value, lambda *_: None) == []
    assert seen == [value]


def test_the_header_is_that_of_the_settings() -> None:
    """The middleware follows the settings in force, edge included."""
    lanebaggage.auto_instrument(route_header="x-lane")
    assert list(served(generator(), {"HTTP_X_LANE": "s2"})) == [b"s2"]
    lanebaggage.uninstrument()
    lanebaggage.auto_instrument(edge=True)
    assert list(served(generator(), {"HTTP_X_ASM_PREFER_TAG": "s2", LANE: "s2"})) == [b"None"]
