"""The situations of clients about objects, headers and hops; one body each, for every library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lanebaggage
from support.names import PARTNER, STRANGER

from .client_case import HEADER, situation

if TYPE_CHECKING:
    from .client_case import Case

SIGNATURE = "AWS4-HMAC-SHA256 Credential=a/20261123/r/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0"


@situation
def import_before(case: Case) -> None:
    case.client()
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        case.client().send(case.server.url())
    assert case.server.values() == [["s2"]]


@situation
def import_after(case: Case) -> None:
    """In a process of its own, since here everything is imported."""
    tests = str(Path(__file__).parents[1])
    driver = case.cell.driver
    command = [sys.executable, "-m", "matrix.client_child", driver.__module__, driver.__name__, case.server.url()]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": tests}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert case.server.values() == [["s2"], []]


@situation
def object_made_before(case: Case) -> None:
    client = case.client()
    client.send(case.server.url())
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        client.send(case.server.url())
    assert case.server.values() == [[], ["s2"]]


@situation
def function_taken_before(case: Case) -> None:
    function = case.client().function()
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        function(case.server.url())
    assert case.server.values() == [["s2"]]


@situation
def keep_alive(case: Case) -> None:
    client = case.instrumented()
    for name in ("s2", None, "s3"):
        with lanebaggage.lane(name):
            client.send(case.server.url())
    client.send(case.server.url())
    assert case.server.values() == [["s2"], [], ["s3"], []]


@situation
def redirect_same(case: Case) -> None:
    client = case.instrumented()
    with lanebaggage.lane("s2"):
        client.send(case.server.redirect(case.server.url("/there")))
    assert case.server.values() == [["s2"], ["s2"]]


@situation
def redirect_allowed(case: Case) -> None:
    client, url = case.named(PARTNER)
    lanebaggage.auto_instrument(allow=[PARTNER])
    with lanebaggage.lane("s2"):
        client.send(case.server.redirect(url))
    assert case.server.values() == [["s2"], ["s2"]]


@situation
def redirect_stranger(case: Case) -> None:
    client, _ = case.named(STRANGER)
    lanebaggage.auto_instrument()
    back = case.server.url("/back")
    stranger = case.server.redirect(back).replace("127.0.0.1", STRANGER, 1)
    with lanebaggage.lane("s2"):
        client.send(case.server.redirect(stranger))
    assert case.server.values() == [["s2"], [], ["s2"]]


@situation
def stranger(case: Case) -> None:
    client, url = case.named(STRANGER)
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        client.send(url)
    client, url = case.named(PARTNER)
    lanebaggage.uninstrument()
    lanebaggage.auto_instrument(allow=["*.partner.example"])
    with lanebaggage.lane("s2"):
        client.send(url)
    assert case.server.values() == [[], ["s2"]]


@situation
def retries(case: Case) -> None:
    client = case.instrumented()
    with lanebaggage.lane("s2"):
        client.retry(case.server.url("/fail?times=2"))
    assert case.server.values() == [["s2"], ["s2"], ["s2"]]


@situation
def request_reused(case: Case) -> None:
    client = case.instrumented()
    send = client.request_object(case.server.url())
    for name in ("s2", None, "s3"):
        with lanebaggage.lane(name):
            send()
    send()
    assert case.server.values() == [["s2"], [], ["s3"], []]


@situation
def user_header(case: Case) -> None:
    client = case.instrumented()
    with lanebaggage.lane("s2"):
        client.send(case.server.url(), headers={"X-Asm-Prefer-Tag": "mine"})
        client.send(case.server.url())
    assert case.server.values() == [["mine"], ["s2"]]


@situation
def user_baggage(case: Case) -> None:
    client = case.instrumented(trace_header="baggage")
    own = "a=1,  b=%C3%A9;p=q , c=x+y"
    with lanebaggage.lane("s2"):
        client.send(case.server.url(), headers={"Baggage": own})
        client.send(case.server.url())
    assert case.server.values("baggage") == [[f"{own},{HEADER}=s2"], [f"{HEADER}=s2"]]
    assert case.server.values() == [["s2"], ["s2"]]


@situation
def containers(case: Case) -> None:
    client = case.instrumented()
    call = getattr(client, "contained", None) or (lambda url, headers: client.send(url, headers=headers))
    for headers in client.containers():
        case.server.clear()
        before = _text(headers)
        with lanebaggage.lane("s2"):
            call(case.server.url(), headers)
        expected = [] if headers is None else ["1"]
        assert (case.server.values(), case.server.values("x-mine")) == ([["s2"]], [expected]), type(headers)
        assert _text(headers) == before, type(headers)


def _text(headers: Any) -> str:
    return f"{headers!r} {headers!s}"


@situation
def positional(case: Case) -> None:
    client = case.instrumented()
    headers = {"X-Mine": "1"}
    with lanebaggage.lane("s2"):
        client.positional(case.server.url(), headers)
    assert (case.server.values(), case.server.values("x-mine"), headers) == ([["s2"]], [["1"]], {"X-Mine": "1"})


@situation
def signed(case: Case) -> None:
    client = case.instrumented()
    with lanebaggage.lane("s2"):
        client.send(case.server.url(), headers={"Authorization": SIGNATURE})
        client.send(case.server.url("/?X-Amz-SignedHeaders=host&X-Amz-Signature=0"))
        client.send(case.server.url(), headers={"Authorization": "Bearer t"})
    assert case.server.values() == [[], [], ["s2"]]


@situation
def instrument_twice(case: Case) -> None:
    client = case.instrumented()
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s2"):
        client.send(case.server.url())
    assert case.server.values() == [["s2"]]


@situation
def trace_id_mode(case: Case) -> None:
    client = case.instrumented(trace_header="my-trace-id")
    with lanebaggage.extract({"my-trace-id": "t-1"}):
        client.send(case.server.url())
    with lanebaggage.extract({"my-trace-id": "t-2", HEADER: "s2"}):
        client.send(case.server.url())
    client.send(case.server.url())
    assert case.server.values("my-trace-id") == [["t-1"], ["t-2"], []]
    assert case.server.values() == [[], ["s2"], []]


@situation
def baggage_mode(case: Case) -> None:
    client = case.instrumented(trace_header="baggage")
    arrived = f"a=1 ,{HEADER}=s2;ttl=30, b=%20"
    with lanebaggage.extract({"baggage": arrived}):
        client.send(case.server.url())
    client.send(case.server.url())
    assert case.server.values("baggage") == [[arrived], []]
