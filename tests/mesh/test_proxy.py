"""The embedded proxy on the wire: what passes byte for byte, what does not pass, and what it answers itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lanebaggage.mesh import Mesh, proxy
from mesh.wire import OK, SECONDS, Connection, Upstream, client, exchange, upstream, values

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    with Mesh(engine="sockets") as found:
        found.lanes(baseline="s1", s1="v1", s2="v2")
        yield found


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as found:
        yield found


@pytest.fixture
def sidecar(mesh: Mesh, server: Upstream) -> str:
    """The listener of clients, before a service with one version."""
    mesh.service("mocka", v1=server.url)
    mesh.start()
    address = mesh.engine.address_for(None)
    assert address is not None
    return address


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"mocka:8000", body: bytes = b"") -> bytes:
    return b"\r\n".join([first, b"Host: " + host, *lines, b"", b""]) + body


def test_names_values_order_and_target_pass_byte_for_byte(sidecar: str, server: Upstream) -> None:
    """Nothing is re-encoded, re-ordered or re-cased on the way up: UTF-8, ISO 8859-1, escapes, empty and odd values."""
    lines = [
        b"X-One: 1",
        b"x-TWO: caf\xc3\xa9",
        b"X-One: caf\xe9 \xff",
        b"X-Odd: a  b\tc;=,\"'",
        b"X-Empty: ",
        b"Cookie: a=1; b=2",
    ]
    target = b"/a%2Fb/./c//d?x=%20&y=a+b&z&&q=caf%C3%A9"
    head, body = exchange(sidecar, request(*lines, first=b"GET " + target + b" HTTP/1.1"))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"ok"
    got = server.heads[0].split(b"\r\n")
    assert got[0] == b"GET " + target + b" HTTP/1.1"
    assert got[1] == b"Host: mocka:8000"
    assert got[2 : 2 + len(lines)] == lines
    assert [line.partition(b":")[0] for line in got[2 + len(lines) :]] == [b"x-lanebaggage-hop", b""]


def test_response_headers_pass_byte_for_byte(sidecar: str, server: Upstream) -> None:
    """The same on the way down: no Date, Server or Content-Type is added, cookies stay apart, the reason is the service's."""
    lines = [b"X-One: caf\xe9", b"Set-Cookie: a=1; Path=/", b"sET-cookie: b=2", b"X-Two: caf\xc3\xa9", b"Content-Length: 2"]
    server.answer = b"\r\n".join([b"HTTP/1.1 299 As You L\xefke", *lines, b"", b"ok"])
    head, body = exchange(sidecar, request())
    assert head.split(b"\r\n")[:-1] == [b"HTTP/1.1 299 As You L\xefke", *lines]
    assert body == b"ok"


def test_hop_by_hop_headers_stay_on_their_hop(sidecar: str, server: Upstream) -> None:
    """RFC 9110, section 7.6.1, in both directions: the listed ones, and whatever Connection names."""
    mine = [b"Connection: keep-alive, X-Mine", b"X-Mine: 1", b"Keep-Alive: timeout=5", b"TE: gzip", b"Proxy-Authorization: x"]
    yours = [b"Connection: x-yours", b"X-Yours: 1", b"Keep-Alive: timeout=5", b"X-Kept: 2", b"Content-Length: 0"]
    server.answer = b"\r\n".join([b"HTTP/1.1 200 OK", *yours, b"", b""])
    head, _ = exchange(sidecar, request(*mine, b"Upgrade: h2c", b"X-Kept: 1"))
    assert [line.partition(b":")[0] for line in server.heads[0].split(b"\r\n")[1:-1]] == [
        b"Host",
        b"X-Kept",
        b"x-lanebaggage-hop",
    ]
    assert [line.partition(b":")[0] for line in head.split(b"\r\n")[1:-1]] == [b"X-Kept", b"Content-Length"]


@pytest.mark.parametrize(
    ("first", "host", "target"),
    [
        (b"GET http://mocka:8000/x?y HTTP/1.1", b"elsewhere", b"/x?y"),
        (b"GET http://mocka HTTP/1.1", b"elsewhere", b"/"),
        (b"GET HTTP://user:pass@MOCKA.default.svc.cluster.local?q=1/2 HTTP/1.1", b"elsewhere", b"/?q=1/2"),
        (b"GET /x HTTP/1.1", b"MockA.Default.svc:1", b"/x"),
    ],
)
def test_a_service_is_reached_by_absolute_form_and_by_host(
    sidecar: str, server: Upstream, first: bytes, host: bytes, target: bytes
) -> None:
    """An absolute target's authority replaces Host, without its user information (RFC 9112, section 3.2.2)."""
    head, _ = exchange(sidecar, request(first=first, host=host))
    assert head.startswith(b"HTTP/1.1 200 ")
    assert server.heads[0].startswith(b"GET " + target + b" HTTP/1.1\r\nHost: ")
    assert b"elsewhere" not in server.heads[0]
    assert b"pass" not in server.heads[0]


@pytest.mark.parametrize(
    ("host", "first", "name"),
    [
        (b"mockz:80", b"GET / HTTP/1.1", "mockz"),
        (b"mocka", b"GET http://127.0.0.1:1/ HTTP/1.1", "127.0.0.1"),
        (b"api.partner.example", b"GET / HTTP/1.1", "api.partner.example"),
    ],
)
def test_an_unknown_host_is_an_error_that_names_it(mesh: Mesh, sidecar: str, host: bytes, first: bytes, name: str) -> None:
    """502 with the reason, recorded as a hop; nothing is connected to."""
    head, body = exchange(sidecar, request(host=host, first=first))
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"is no service of this mesh; declare it with mesh.service(" in body
    assert values(head, b"x-lanebaggage-reason") == [body]
    [hop] = mesh.calls[-1].hops
    assert (hop.service, hop.version, hop.status) == (name, None, 502)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"X-%d: 1" % number for number in range(99)], 200),
        ([b"X-%d: 1" % number for number in range(100)], 431),
        ([b"X-Long: " + b"a" * 59 * 1024], 200),
        ([b"X-Long: " + b"a" * 60 * 1024], 431),
        ([b"X-Long-%d: " % number + b"a" * 3000 for number in range(21)], 431),
        ([b"X-Bad: a\x01b"], 400),
        ([b"X-Bad: a\x7fb"], 400),
        ([b"X-Bad: a\x00b"], 400),
        ([b"Bad Name: a"], 400),
    ],
)
def test_limits_are_those_of_envoy(sidecar: str, server: Upstream, lines: list[bytes], status: int) -> None:
    """100 headers and 60 KiB of them (431), no control characters (400); what is refused never reaches the service."""
    server.answer = OK
    head, _ = exchange(sidecar, request(*lines))
    assert head.split(b" ")[1] == b"%d" % status
    assert len(server.heads) == (status == 200)


def test_connect_is_refused(sidecar: str, server: Upstream) -> None:
    """A client that takes the sidecar for a proxy for https is told that it is none."""
    head, body = exchange(sidecar, b"CONNECT mocka:443 HTTP/1.1\r\nHost: mocka:443\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"call http://" in body
    assert not server.heads


def test_repeated_lane_headers_are_no_lane_and_pass_unchanged(mesh: Mesh, sidecar: str, server: Upstream) -> None:
    """Two values are joined as Envoy joins them, name no lane, and reach the baseline as two lines."""
    with upstream() as other:
        mesh.service("mockb", v1=server.url, v2=other.url)
        mesh.start()
        for lines, reached in (([b"s2"], other), ([b"s2", b"s2"], server), ([b"s1", b"s2"], server), ([b"", b"s2"], server)):
            before = len(reached.heads)
            exchange(sidecar, request(*(b"x-asm-prefer-tag: " + value for value in lines), host=b"mockb"))
            assert values(reached.heads[before], b"x-asm-prefer-tag") == lines


@pytest.mark.parametrize(
    ("answer", "method", "head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"GET", b"Content-Length: 3", b"abc"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"GET",
            b"Transfer-Encoding: chunked",
            b"abc",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"HEAD", b"Content-Length: 3", None),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", b"GET", b"ETag: x", None),
        (b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", b"DELETE", b"X-A: b", None),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b?",
            b"GET",
            b"Content-Encoding: gzip",
            b"\x1f\x8b?",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET", b"Content-Length: 0", b""),
    ],
)
def test_bodies_pass_in_every_framing(
    sidecar: str, server: Upstream, answer: bytes, method: bytes, head: bytes, body: bytes | None
) -> None:
    """Sized, chunked, empty and absent bodies, encoded ones as they are; the connection serves the next request after each."""
    server.answer = lambda _connection, _head: answer
    with client(sidecar) as connection:
        for _ in range(2):
            connection.send(request(first=method + b" / HTTP/1.1"))
            got = connection.head()
            assert head in got.split(b"\r\n")
            assert values(got, b"content-type") == []
            if body is not None:
                assert connection.body(got) == body
    assert server.connections == 1


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        ([b"Content-Length: 5"], b"hello"),
        ([b"Transfer-Encoding: chunked"], b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        ([b"Content-Length: 5", b"Expect: 100-continue"], b"hello"),
    ],
)
def test_request_bodies_pass(sidecar: str, server: Upstream, framing: list[bytes], sent: bytes) -> None:
    """In either framing; Expect is answered here and goes no further."""
    with client(sidecar) as connection:
        connection.send(request(*framing, first=b"POST / HTTP/1.1"))
        if len(framing) > 1:
            assert connection.head() == b"HTTP/1.1 100 Continue\r\n"
        connection.send(sent)
        assert connection.head().startswith(b"HTTP/1.1 200 ")
    assert server.bodies == [b"hello"]
    assert values(server.heads[0], b"expect") == []
    assert framing[0] in server.heads[0].split(b"\r\n")


def test_a_response_streams(sidecar: str, server: Upstream) -> None:
    """Head and each chunk are there before the service sends the next part."""
    steps = [threading.Event(), threading.Event()]

    def answer(connection: Connection, _head: bytes) -> bytes:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert steps[0].wait(SECONDS)
        connection.send(b"3\r\none\r\n")
        assert steps[1].wait(SECONDS)
        return b"3\r\ntwo\r\n0\r\n\r\n"

    server.answer = answer
    with client(sidecar) as connection:
        connection.send(request())
        assert connection.head().startswith(b"HTTP/1.1 200 ")
        steps[0].set()
        assert connection.chunk() == b"one"
        steps[1].set()
        assert connection.chunk() == b"two"
        assert connection.chunk() == b""


def test_a_request_streams(sidecar: str, server: Upstream) -> None:
    """The service has the first chunk before the client sends the last, and may answer in between."""

    def answer(connection: Connection, _head: bytes) -> bytes:
        assert connection.chunk() == b"one"
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngot1\r\n")
        assert connection.chunk() == b"two"
        assert connection.chunk() == b""
        return b"4\r\ngot2\r\n0\r\n\r\n"

    server.answer = answer
    with client(sidecar) as connection:
        connection.send(request(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.1") + b"3\r\none\r\n")
        assert connection.head().startswith(b"HTTP/1.1 200 ")
        assert connection.chunk() == b"got1"
        connection.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert connection.chunk() == b"got2"


def test_a_request_that_is_answered_before_it_is_read_ends_well(sidecar: str, server: Upstream) -> None:
    """The answer passes at once; what the client still sends is read and dropped, and its next request is served."""

    def answer(connection: Connection, head: bytes) -> bytes:
        if head.startswith(b"POST"):
            return b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n"
        connection.body(head)
        return OK

    server.answer = answer
    with client(sidecar) as connection:
        connection.send(request(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.1") + b"3\r\none\r\n")
        assert connection.head().startswith(b"HTTP/1.1 413 ")
        connection.send(b"3\r\ntwo\r\n0\r\n\r\n" + request())
        assert connection.head().startswith(b"HTTP/1.1 200 ")


def test_connections_are_kept_on_both_sides(sidecar: str, server: Upstream) -> None:
    """Requests one after another, two of them pipelined, use one connection here and one there."""
    with client(sidecar) as connection:
        for sent, answers in ((request(), 1), (request() + request(first=b"GET /2 HTTP/1.1"), 2)):
            connection.send(sent)
            for _ in range(answers):
                assert connection.body(connection.head()) == b"ok"
    assert [head.split(b" ")[1] for head in server.heads] == [b"/", b"/", b"/2"]
    assert server.connections == 1


def test_an_idle_connection_is_not_waited_for_when_the_mesh_ends(
    mesh: Mesh, sidecar: str, server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that keeps its connection does not hold up the end of a test; only a request in progress has time."""
    monkeypatch.setattr(proxy, "_GRACE", 600.0)  # closing gives up long before
    with client(sidecar) as connection:
        connection.send(request())
        assert connection.body(connection.head()) == b"ok"
        mesh.close()


def test_http_1_0_clients_are_served(sidecar: str, server: Upstream) -> None:
    """A chunked answer reaches one that knows no chunks as a body that ends with the connection."""
    server.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with client(sidecar) as connection:
        connection.send(request(first=b"GET / HTTP/1.0"))
        assert b"chunked" not in connection.head().lower()
        assert connection.file.read() == b"abc"


def test_a_client_that_goes_away_ends_the_request_upstream(mesh: Mesh, sidecar: str, server: Upstream) -> None:
    """The service's connection ends while it is still answering, and the hop says why."""
    begun = threading.Event()

    def answer(connection: Connection, _head: bytes) -> bytes | None:
        begun.set()
        connection.file.read(1)  # until the other side ends it
        return None

    server.answer = answer
    with client(sidecar) as connection:
        connection.send(request())
        assert begun.wait(SECONDS)
    assert server.ended.get(timeout=SECONDS) == b"end"
    [hop] = mesh.calls[-1].hops
    assert hop.error == "the client went away"


def test_an_upstream_that_ends_without_an_answer_is_503_with_a_reason(mesh: Mesh, sidecar: str, server: Upstream) -> None:
    """So is one that answers what is no HTTP; the client's connection serves the next request."""
    answers: list[bytes | None] = [None, b"garbage\r\n\r\n", OK]
    server.answer = lambda connection, head: (connection.body(head), answers.pop(0))[1]
    with client(sidecar) as connection:
        for status in (503, 503, 200):
            connection.send(request(b"Content-Length: 1", first=b"POST / HTTP/1.1", body=b"x"))
            head = connection.head()
            body = connection.body(head)
            assert head.startswith(b"HTTP/1.1 %d " % status)
            if status == 503:
                assert body.startswith(b"mocka v1 failed before it answered: ")
    assert [call.hops[0].status for call in mesh.calls] == [503, 503, 200]


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"Content-Length: 6\r\n\r\nabc"])
def test_an_upstream_that_dies_halfway_does_not_look_complete(
    mesh: Mesh, sidecar: str, server: Upstream, framing: bytes
) -> None:
    """The client's connection ends short of the body's end, so that no client takes it for whole."""

    def answer(connection: Connection, _head: bytes) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n" + framing)

    server.answer = answer
    with client(sidecar) as connection:
        connection.send(request())
        assert connection.head().startswith(b"HTTP/1.1 200 ")
        assert connection.file.read() == framing.partition(b"\r\n\r\n")[2]
    [hop] = mesh.calls[-1].hops
    assert hop.error is not None
    assert hop.error.startswith("mocka v1 failed while it answered: ")


def test_a_refused_connection_falls_back_within_the_request_and_comes_back(mesh: Mesh, sidecar: str, server: Upstream) -> None:
    """Nobody told the mesh: the lane's instance does not listen, so the baseline gets the very request, body included."""
    with upstream() as lane:
        mesh.service("mockb", v1=server.url, v2=lane.url)
        mesh.start()
        sent = request(b"x-asm-prefer-tag: s2", b"Content-Length: 5", first=b"POST / HTTP/1.1", host=b"mockb", body=b"hello")
        exchange(sidecar, sent)
        port = lane.port
        assert lane.ended.empty()
    assert lane.ended.get(timeout=SECONDS)
    head, _ = exchange(sidecar, sent)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert (len(lane.bodies), server.bodies) == (1, [b"hello"])
    hop = mesh.calls[-1].hops[0]
    assert (hop.version, hop.lane, hop.fallback) == ("v1", "s2", True)
    assert values(server.heads[-1], b"x-asm-prefer-tag") == [b"s2"]
    with upstream(port=port) as again:
        exchange(sidecar, sent)
        assert again.bodies == [b"hello"]


def test_when_nothing_listens_the_reason_names_the_instance(mesh: Mesh, sidecar: str, server: Upstream) -> None:
    """503 with the router's reason and with what could not be reached."""
    server.close()
    head, body = exchange(sidecar, request())
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"mocka has no healthy endpoint" in body
    assert b"mocka v1 cannot be reached" in body
    assert mesh.calls[-1].path == [("mocka", None)]
