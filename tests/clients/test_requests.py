"""requests beyond the matrix: adapters of other kinds, what mocks leave on a request, and the caller's objects."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
import requests
import responses
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPDigestAuth

import lanebaggage
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"


@pytest.fixture
def server(names: Callable[[str], None]) -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


class InProcess(BaseAdapter):
    """An adapter that never comes to http.client."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        self.sent.append(request)
        answer = requests.Response()
        answer.status_code, answer.request, answer.url, answer.raw = 200, request, request.url, BytesIO()
        return answer

    def close(self) -> None:
        pass


def test_the_request_is_the_callers_own(server: Recorder) -> None:
    """On a real connection the answer's request is the very object sent, without our header."""
    lanebaggage.auto_instrument()
    with requests.Session() as session, lanebaggage.lane("s2"):
        prepared = session.prepare_request(requests.Request("GET", server.url()))
        answer = session.send(prepared)
    assert answer.request is prepared
    assert HEADER not in prepared.headers
    assert server.values() == [["s2"]]


def test_adapter_that_is_no_http_adapter() -> None:
    """An adapter of another kind gets the header on a copy, and its own request object back in any lane."""
    lanebaggage.auto_instrument()
    adapter = InProcess()
    with requests.Session() as session:
        session.mount("http://", adapter)
        prepared = session.prepare_request(requests.Request("GET", "http://mockb/", headers={"A": "1"}))
        with lanebaggage.lane("s2"):
            answer = session.send(prepared)
        assert HEADER not in prepared.headers
        again = answer.request
        assert again.headers[HEADER] == "s2"
        with lanebaggage.lane("s3"):
            session.send(again)
        session.send(again)
    assert [request.headers.get(HEADER) for request in adapter.sent] == ["s2", "s3", None]
    assert [request.headers["a"] for request in adapter.sent] == ["1", "1", "1"]


def test_subclass_of_the_http_adapter(server: Recorder) -> None:
    """Adapters derived from requests' own end in http.client: one header."""

    class Mine(HTTPAdapter):
        pass

    lanebaggage.auto_instrument()
    with requests.Session() as session, lanebaggage.lane("s2"):
        session.mount("http://", Mine())
        session.get(server.url())
    assert server.values() == [["s2"]]


def test_own_baggage_comes_back() -> None:
    """A request taken from an answer of a mock has the caller's own baggage again where it is sent without a lane."""
    lanebaggage.auto_instrument(trace_header="baggage")
    adapter = InProcess()
    with requests.Session() as session:
        session.mount("http://", adapter)
        with lanebaggage.lane("s2"):
            answer = session.get("http://mockb/", headers={"baggage": "a=1"})
        with lanebaggage.lane("s3"):
            session.send(answer.request.copy())
        session.send(answer.request)
    assert [request.headers.get(HEADER) for request in adapter.sent] == ["s2", "s3", None]
    merged = [f"a=1,{HEADER}=s2", f"a=1,{HEADER}=s3", "a=1"]
    assert [request.headers["baggage"] for request in adapter.sent] == merged


def test_mocked_redirect_to_a_stranger() -> None:
    """Each hop of a redirect is decided on, in mocks too."""
    lanebaggage.auto_instrument()
    with responses.RequestsMock() as mock, lanebaggage.lane("s2"):
        mock.get("http://mockb/", status=302, headers={"Location": f"http://{STRANGER}/"})
        mock.get(f"http://{STRANGER}/", status=302, headers={"Location": "http://mockc/"})
        mock.get("http://mockc/")
        requests.get("http://mockb/")
        assert [call.request.headers.get(HEADER) for call in mock.calls] == ["s2", None, "s2"]


def test_mock_that_was_there_first() -> None:
    """A mock that is active when auto_instrument() is called is seen to as well."""
    with responses.RequestsMock() as mock:
        mock.get("http://mockb/")
        lanebaggage.auto_instrument()
        with lanebaggage.lane("s2"):
            requests.get("http://mockb/")
        assert mock.calls[0].request.headers[HEADER] == "s2"


def test_mock_passes_through(server: Recorder) -> None:
    """What a mock passes through to a real server has one header."""
    lanebaggage.auto_instrument()
    with responses.RequestsMock() as mock, lanebaggage.lane("s2"):
        mock.add_passthru("http://")
        requests.get(server.redirect(server.url().replace("127.0.0.1", STRANGER)))
    assert server.values() == [["s2"], []]


def test_digest_authentication(server: Recorder) -> None:
    """The second request of a challenge, which no Session.send makes, has the header too."""
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        assert requests.get(server.url("/challenge"), auth=HTTPDigestAuth("u", "p")).status_code == 200
    assert server.values() == [["s2"], ["s2"]]


def test_answers_are_pickled_as_before() -> None:
    """A pickled answer of a mock needs no lanebaggage to be read."""
    lanebaggage.auto_instrument()
    adapter = InProcess()
    with requests.Session() as session, lanebaggage.lane("s2"):
        session.mount("http://", adapter)
        pickled = pickle.dumps(session.get("http://mockb/"))
    assert b"lanebaggage" not in pickled
    assert pickle.loads(pickled).request.headers[HEADER] == "s2"


def test_a_request_that_is_not_prepared() -> None:
    """The documented error stays what it is."""
    lanebaggage.auto_instrument()
    with requests.Session() as session, lanebaggage.lane("s2"), pytest.raises(ValueError, match="PreparedRequest"):
        session.send(requests.Request("GET", "http://mockb/"))  # type: ignore[arg-type]


def test_without_the_patch_of_http_client(server: Recorder) -> None:
    """Where http.client is disabled, requests still has its own."""
    lanebaggage.auto_instrument(disabled=["http.client"])
    with lanebaggage.lane("s2"):
        requests.get(server.redirect(server.url().replace("127.0.0.1", STRANGER)))
    assert server.values() == [["s2"], []]
