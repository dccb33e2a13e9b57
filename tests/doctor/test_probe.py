"""The probe, through real services on real sockets: who kept the lane, who lost it, and what is said about why."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import flask
import pytest
import requests
from werkzeug.serving import make_server

import lanebaggage
from lanebaggage import doctor
from lanebaggage.doctor import capture as doctor_capture
from lanebaggage.doctor.probe import KEPT, LOST, OTHER, UNSEEN, WITHHELD
from support.names import STRANGER
from support.recorder import Recorder, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = "x-asm-prefer-tag"


@contextmanager
def service(call: Callable[[], Any]) -> Iterator[str]:
    """A Flask service that makes these calls for each request; gives its address."""
    app = flask.Flask("service")

    @app.get("/")
    def view() -> str:
        call()
        return "done"

    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.log = lambda *args: None  # type: ignore[method-assign,assignment] # no access log
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def upstream() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[doctor.Capture]:
    """A capture that is the proxy of every client here, as HTTP_PROXY makes it for a service."""
    with doctor.capturing() as running:
        monkeypatch.setenv("HTTP_PROXY", f"http://{running.address}")
        monkeypatch.setenv("HTTPS_PROXY", f"http://{running.address}")
        yield running


def probe(capture: doctor.Capture, call: Callable[[], Any], **options: Any) -> doctor.Probe:
    with service(call) as address:
        return doctor.probe(f"http://{address}/", capture, wait=0, **options)


def test_a_kept_lane_reaches_the_upstream(capture: doctor.Capture, upstream: Recorder) -> None:
    """A call that carries the probe's lane is kept, is passed on to where it was going, and nothing is lost."""
    lanebaggage.auto_instrument()
    found = probe(capture, lambda: requests.post(upstream.url("/a?b=1"), data=b"body"))
    assert [(hop.call, hop.verdict) for hop in found.hops] == [(f"POST 127.0.0.1:{upstream.port}/a", KEPT)]
    assert (found.lost, found.notes, found.status) == ([], [], 200)
    assert upstream.values() == [[found.lane]]
    assert (upstream.requests[0].target, upstream.requests[0].body) == ("/a?b=1", b"body")


@pytest.mark.parametrize(
    ("settings", "arrives"),
    [
        ({"trace_header": "baggage"}, "baggage"),
        ({"trace_header": "my-trace-id"}, "my-trace-id"),
        ({"preset": "okteto"}, "baggage"),
    ],
)
def test_each_mode_is_probed_by_its_own_headers(
    capture: doctor.Capture, upstream: Recorder, settings: dict[str, str], arrives: str
) -> None:
    """In baggage and trace-ID mode, the lane is told by what is forwarded there."""
    lanebaggage.auto_instrument(**settings)  # type: ignore[arg-type] # by name
    found = probe(capture, lambda: requests.get(upstream.url()))
    assert [hop.verdict for hop in found.hops] == [KEPT]
    assert found.lane in upstream.values(arrives)[0][0]


def test_a_service_without_lanebaggage_loses_it(capture: doctor.Capture, upstream: Recorder) -> None:
    """The service is named as the one that lost the lane, and its client as a supported one."""
    with service(lambda: requests.get(upstream.url())) as address:
        found = doctor.probe(f"http://{address}/", capture, wait=0)
    (hop,) = found.lost
    assert (hop.verdict, hop.caller) == (LOST, address)
    assert "sent by requests, which is supported: is lanebaggage on in that process" in hop.cause


def test_the_service_that_lost_it_is_found_in_a_chain(capture: doctor.Capture, upstream: Recorder) -> None:
    """Of a calls b calls c, where b forwards nothing, b is named: it was being called when the lane went missing."""
    lanebaggage.auto_instrument()

    def careless() -> None:
        with lanebaggage.lane(None):
            requests.get(upstream.url("/c"))

    with ExitStack() as stack:
        b = stack.enter_context(service(careless))
        a = stack.enter_context(service(lambda: requests.get(f"http://{b}/")))
        found = doctor.probe(f"http://{a}/", capture, wait=0)
    assert [(hop.call, hop.verdict, hop.caller) for hop in found.hops] == [
        (f"GET {b}/", KEPT, a),
        (f"GET 127.0.0.1:{upstream.port}/c", LOST, b),
    ]


def test_a_client_that_nobody_knows_is_told_how(capture: doctor.Capture, upstream: Recorder) -> None:
    """For a client without an integration, the call that adds the headers is named."""
    found = probe(capture, lambda: requests.get(upstream.url(), headers={"User-Agent": "orders-sdk/2.0"}))
    assert found.lost[0].cause.startswith("sent by orders-sdk/2.0, which lanebaggage does not know: lanebaggage.inject(")


@pytest.mark.usefixtures("names")
def test_a_stranger_gets_nothing_on_purpose(capture: doctor.Capture, upstream: Recorder) -> None:
    """A call to a host outside the mesh is no loss, and the entry that would allow it is named."""
    lanebaggage.auto_instrument()
    found = probe(capture, lambda: requests.get(upstream.url(host=STRANGER)))
    (hop,) = found.hops
    assert (hop.verdict, found.lost) == (WITHHELD, [])
    assert f"LANEBAGGAGE_ALLOW={STRANGER}" in hop.cause


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (("s9",), "it carries another lane"),
        (("s1", "s2"), "2 values of the lane's header"),
        (("s1, s2",), "it carries another lane"),
    ],
)
def test_another_lane_is_a_lost_one(capture: doctor.Capture, upstream: Recorder, own: tuple[str, ...], said: str) -> None:
    """A header that the code sets itself hides the lane, and counts as lost."""
    lanebaggage.auto_instrument()

    def call() -> None:
        connection = HTTPConnection(*capture.address.split(":"))
        connection.putrequest("GET", upstream.url())
        for value in own:
            connection.putheader(HEADER, value)
        connection.endheaders()
        connection.getresponse().read()
        connection.close()

    (hop,) = probe(capture, call).lost
    assert (hop.verdict, said in hop.cause) == (OTHER, True)


def test_an_encrypted_call_is_passed_through_unseen(capture: doctor.Capture, upstream: Recorder) -> None:
    """A tunnel is relayed both ways and not judged."""

    def tunnel() -> None:
        host, _, port = capture.address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /inside HTTP/1.0\r\n\r\n")
            answer = b""
            while data := connection.recv(1000):
                answer += data
        assert answer.startswith(b"HTTP/1.1 200")

    found = probe(capture, tunnel)
    assert [hop.verdict for hop in found.hops] == [UNSEEN]
    assert [request.path for request in upstream.requests] == ["/inside"]


def test_the_capture_can_be_the_upstream_itself(capture: doctor.Capture) -> None:
    """A service that is given the capture's address as its upstream gets an answer, and its call is judged."""
    lanebaggage.auto_instrument()
    answers: list[Any] = []
    session = requests.Session()
    session.trust_env = False

    def call() -> None:
        answers.append(session.get(f"http://{capture.address}/orders", data=iter([b"a", b"b"])).json())

    found = probe(capture, call)
    assert [hop.verdict for hop in found.hops] == [KEPT]
    assert answers == [{}]


def test_the_capture_may_listen_on_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--capture [::1]:8899`` is an address like others; here another one stands in for it."""
    asked: list[Any] = []

    class StandIn(ThreadingHTTPServer):
        def __init__(self, address: Any, handler: Any) -> None:
            asked.append(address)
            super().__init__(("127.0.0.1", 0), handler)

    assert doctor_capture._OnIPv6.address_family == socket.AF_INET6
    monkeypatch.setattr(doctor_capture, "_OnIPv6", StandIn)
    with doctor.capturing("::1") as capture:
        assert asked == [("::1", 0)]
        assert capture.address.startswith("[::1]:")


def test_an_upstream_that_is_away_does_not_end_the_chain(capture: doctor.Capture) -> None:
    """A name that cannot be reached from here is answered by the doctor, so that the calls after it are seen as well."""
    lanebaggage.auto_instrument()
    with recording() as gone:
        pass
    answers: list[int] = []
    found = probe(capture, lambda: answers.append(requests.get(gone.url()).status_code))
    assert (answers, [hop.verdict for hop in found.hops]) == ([200], [KEPT])


def test_a_service_whose_calls_are_not_seen_is_told_how(capture: doctor.Capture) -> None:
    """Where nothing passed through, the variables to start the service with are named."""
    found = probe(capture, lambda: None)
    assert found.hops == []
    assert f"HTTP_PROXY=http://{capture.address}" in found.notes[0]


def test_calls_after_the_answer_are_waited_for(capture: doctor.Capture, upstream: Recorder) -> None:
    """A call that the service makes in the background, once it has answered, is seen within the wait."""
    lanebaggage.auto_instrument()
    answered = threading.Event()

    def later() -> None:
        threading.Thread(target=lambda: (answered.wait(), requests.get(upstream.url()))).start()

    with service(later) as address:
        threading.Timer(0.1, answered.set).start()
        found = doctor.probe(f"http://{address}/", capture, wait=1.0)
    assert [hop.verdict for hop in found.hops] == [KEPT]


def test_a_lane_must_be_a_known_one() -> None:
    """Where the service believes certain lanes only, the probe uses one of them, else one of its own each time."""
    assert doctor.new_lane() != doctor.new_lane()
    lanebaggage.auto_instrument(lanes=["s3", "s2"])
    assert doctor.new_lane() == "s2"


@pytest.mark.parametrize(
    ("settings", "call", "said"),
    [
        ({"lanes": ["zz"]}, "plain", ""),
        ({}, "stranger", "the service withheld the lane from a host outside the mesh"),
        ({}, "worker", "a worker thread made a call without a lane"),
        ({"edge": True}, "plain", "edge is set"),
    ],
)
@pytest.mark.usefixtures("names")
def test_the_services_own_counters_tell_more(
    capture: doctor.Capture, upstream: Recorder, settings: dict[str, Any], call: str, said: str
) -> None:
    """With the service's debug path, what it counted meanwhile is explained."""
    lanebaggage.auto_instrument(debug_path="/debug/lanebaggage", **settings)

    def work() -> None:
        if call == "worker":
            worker = threading.Thread(target=requests.get, args=(upstream.url(),), daemon=True)
            worker.start()
            worker.join()
        else:
            requests.get(upstream.url(host=STRANGER if call == "stranger" else "127.0.0.1"))

    with service(work) as address:
        found = doctor.probe(f"http://{address}/", capture, wait=0, debug_url=f"http://{address}/debug/lanebaggage")
    assert any(said in note for note in found.notes) if said else found.notes == []


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_a_path_that_is_no_debug_path_is_an_error(capture: doctor.Capture, path: str) -> None:
    """A debug path that does not answer as one says how to switch it on."""
    with service(lambda: None) as address, pytest.raises(lanebaggage.MeshError, match="LANEBAGGAGE_DEBUG_PATH"):
        doctor.probe(f"http://{address}/", capture, wait=0, debug_url=f"http://{address}{path}")


def test_a_service_that_is_not_there_is_an_error(capture: doctor.Capture) -> None:
    """A probe of an address where nobody listens is a sentence."""
    with recording() as gone:
        pass
    with pytest.raises(lanebaggage.MeshError, match="is the service running there"):
        doctor.probe(gone.url(), capture)


def test_an_address_in_use_is_an_error(capture: doctor.Capture) -> None:
    """A capture where somebody listens already names the option to change."""
    with pytest.raises(lanebaggage.MeshError, match="--capture"), doctor.capturing(port=int(capture.address.split(":")[1])):
        pass
