"""Why a hop lost its lane: services that lose it in each way there is, what the mesh says, and that its remedy helps."""

from __future__ import annotations

import _thread
import asyncio
import http.client
import inspect
import os
import queue
import socket
import sys
import textwrap
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import httpx
import pytest
import requests
import urllib3
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import lanebaggage
from lanebaggage.instrumentation.clients import aiohttp as aiohttp_integration
from lanebaggage.mesh import WSGI, Command, Mesh, causes
from lanebaggage.mesh.causes import cause_of
from lanebaggage.mesh.report import explained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from lanebaggage.mesh import Call
    from lanebaggage.mesh.causes import Cause

ENGINES = ("inprocess", "sockets", "envoy")
SOCKETS = ENGINES[1:]
MOCKB = "http://mockb:8000/"
HEADER = "x-asm-prefer-tag"
SECONDS = 10


# --- ways to lose the lane; "# here" marks the line that the mesh shall name


def plain() -> str:
    return requests.get(MOCKB, timeout=SECONDS).text  # here


def too_late() -> str:
    lanebaggage.auto_instrument()
    return requests.get(MOCKB, timeout=SECONDS).text


def own_value() -> str:
    return requests.get(MOCKB, headers={"X-ASM-Prefer-Tag": "s9"}, timeout=SECONDS).text  # here


def own_trace() -> str:
    return requests.get(MOCKB, headers={"my-trace-id": "another"}, timeout=SECONDS).text  # here


def own_baggage() -> str:
    return requests.get(MOCKB, headers={"baggage": f"{HEADER}=s9"}, timeout=SECONDS).text  # here


def by_short_name() -> str:
    return requests.get("http://mockb.default:8000/", timeout=SECONDS).text  # here


SIGNATURE = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=c"


def signed() -> str:
    return requests.get(MOCKB, headers={"Authorization": SIGNATURE}, timeout=SECONDS).text  # here


def signed_in_url() -> str:
    return requests.get(MOCKB, {"X-Amz-SignedHeaders": "host", "X-Amz-Signature": "c"}, timeout=SECONDS).text  # here


def by_urllib3() -> str:
    with urllib3.PoolManager() as pool:
        return pool.request("GET", MOCKB).data.decode()  # here


def by_aiohttp() -> str:
    async def fetch() -> str:
        async with aiohttp.ClientSession() as session, session.get(MOCKB) as answer:  # here
            return await answer.text()

    return asyncio.run(fetch())


def by_socket() -> str:
    with closing(socket.create_connection(("mockb", 8000), SECONDS)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: mockb:8000\r\nConnection: close\r\n\r\n")  # here
        return connection.makefile().read().rpartition("\n")[2]


class Filtering(http.client.HTTPConnection):
    """A connection that lets no header through whose name begins in some way."""

    unwanted = b"x-asm-"

    def send(self, data: Any) -> None:
        lines = data.split(b"\r\n")
        super().send(b"\r\n".join(line for line in lines if not line.startswith(self.unwanted)))  # here


class FilteringAll(Filtering):
    unwanted = b"x-"


def fetched(connection: http.client.HTTPConnection) -> str:
    with closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().read().decode()


def filtered() -> str:
    return fetched(Filtering("mockb", 8000))


def all_filtered() -> str:
    return fetched(FilteringAll("mockb", 8000))


def not_filtered() -> str:
    return fetched(http.client.HTTPConnection("mockb", 8000))


def left() -> str:
    with lanebaggage.lane(None):
        return requests.get(MOCKB, timeout=SECONDS).text  # here


def in_another_lane() -> str:
    with lanebaggage.lane("s1"):
        return requests.get(MOCKB, timeout=SECONDS).text  # here


def in_another_message() -> str:
    with lanebaggage.extract({}):
        return requests.get(MOCKB, timeout=SECONDS).text  # here


def in_raw_thread(job: Callable[[], str] = plain) -> str:
    done: Future[str] = Future()
    _thread.start_new_thread(lambda: done.set_result(job()), ())
    return done.result(SECONDS)


def consume(jobs: queue.SimpleQueue[tuple[Callable[[], str], Future[str]] | None]) -> None:
    while (entry := jobs.get()) is not None:
        entry[1].set_result(entry[0]())


def by_worker(job: Callable[[], str] = plain) -> str:
    """By a thread that this request starts, and that would serve others too."""
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    done: Future[str] = Future()
    jobs.put((job, done))
    jobs.put(None)
    threading.Thread(target=consume, args=(jobs,), name="flusher", daemon=True).start()
    return done.result(SECONDS)


class Way(NamedTuple):
    """A way to lose the lane.

    :param kind: that the mesh finds.
    :param view: of the service that loses it.
    :param why: part of what the mesh says, where ``{here}`` stands for the place.
    :param fix: what it says to write.
    :param mended: the view once that is done, or the settings; None to run the fix itself.
    :param settings: that the library is switched on with; None for not at all.
    :param lanes: more about the lanes.
    :param marked: what has the marked line, where that is not the view.
    """

    kind: str
    view: Callable[[], str]
    why: str
    fix: str
    mended: Callable[[], str] | dict[str, Any] | None = None
    settings: dict[str, Any] | None = {}  # noqa: RUF012 - never changed
    lanes: dict[str, Any] = {}  # noqa: RUF012
    marked: Any = None


ON = "lanebaggage.auto_instrument()   # where the service starts; in a test, in conftest.py"
BEFORE = "lanebaggage.inject(headers, url=url)"
CARRY = "job = lanebaggage.carry(job)   # where the request hands the job over"
TRACE = {"trace_header": "my-trace-id"}
BAGGAGE = {"trace_header": "baggage"}

WAYS = {
    "off": Way(causes.OFF, plain, "not switched on when mocka made the call{here}", ON, settings=None),
    "too late": Way(
        causes.TOO_LATE,
        too_late,
        "switched on only after the request had reached mocka",
        "lanebaggage.auto_instrument()   # at import, before the first request",
        settings=None,
    ),
    "own value": Way(
        causes.OWN_VALUE,
        own_value,
        "has an x-asm-prefer-tag of its own: s9; mocka or a library of it sets it{here}",
        "take x-asm-prefer-tag out of the request's headers; lanebaggage adds the right one",
        plain,
    ),
    "own trace ID": Way(
        causes.OWN_VALUE,
        own_trace,
        "has an my-trace-id of its own: another;",
        "take my-trace-id out of the request's headers; lanebaggage adds the right one",
        plain,
        {"route_header": "x-lane", **TRACE},
        TRACE,
    ),
    "own baggage": Way(
        causes.OWN_VALUE,
        own_baggage,
        "has an baggage of its own: s9;",
        "take baggage out of the request's headers; lanebaggage adds the right one",
        plain,
        {"route_header": "x-lane", **BAGGAGE},
        BAGGAGE,
    ),
    "other headers": Way(
        causes.OTHER_HEADERS,
        plain,
        "mocka forwards x-lane (by argument and default), while the lane group's lanes come by x-asm-prefer-tag",
        "lanebaggage.auto_instrument(route_header='x-asm-prefer-tag', trace_header='x-asm-prefer-tag')",
        settings={"route_header": "x-lane"},
    ),
    "other headers than baggage": Way(
        causes.OTHER_HEADERS,
        plain,
        "mocka forwards sd-x and sd-y (by argument), while the lane group's lanes come by baggage and x-asm-prefer-tag",
        "lanebaggage.auto_instrument(route_header='x-asm-prefer-tag', trace_header='baggage')",
        settings={"route_header": "sd-x", "trace_header": "sd-y"},
        lanes=BAGGAGE,
    ),
    "edge": Way(
        causes.EDGE,
        plain,
        "edge (by argument): mocka ignores what arrives",
        "lanebaggage.auto_instrument(edge=False)   # where a gateway of the mesh stands before it",
        settings={"edge": True},
    ),
    "unknown lane": Way(
        causes.REFUSED_VALUE,
        plain,
        "mocka refused the lane: its lanes (by argument) do not name s2",
        "lanebaggage.auto_instrument(lanes=['s1', 's2', 's3'])",
        settings={"lanes": ["s1", "s3"]},
    ),
    "name outside the mesh": Way(
        causes.REFUSED_HOST,
        by_short_name,
        "the lane is withheld from mockb.default: not a host of the mesh{here}",
        "lanebaggage.auto_instrument(allow=['mockb.default'])",
    ),
    "name outside the mesh, by trace ID": Way(
        causes.REFUSED_HOST,
        by_short_name,
        "the lane is withheld from mockb.default",
        "lanebaggage.auto_instrument(allow=['mockb.default'])",
        {"route_header": "x-lane", "allow": ["mockb.default"], **TRACE},
        {"route_header": "x-lane", **TRACE},
        TRACE,
    ),
    "signed": Way(
        causes.SIGNED,
        signed,
        "the request is signed (AWS Signature), and allow does not name mockb{here}",
        "lanebaggage.auto_instrument(allow=['mockb'])",
    ),
    "signed in its URL": Way(
        causes.SIGNED, signed_in_url, "the request is signed{any}{here}", "lanebaggage.auto_instrument(allow=['mockb'])"
    ),
    "disabled": Way(
        causes.NOT_INSTRUMENTED,
        plain,
        "requests is not instrumented (disabled: by argument){here}",
        f"do not disable requests; or {BEFORE} before the call",
        {},
        {"disabled": ["requests", "http.client"]},
    ),
    "disabled below": Way(
        causes.NOT_INSTRUMENTED,
        by_urllib3,
        "urllib3 calls through http.client, which is not instrumented (disabled: by argument){here}",
        f"do not disable http.client; or {BEFORE} before the call",
        {},
        {"disabled": ["http.client"]},
    ),
    "taken away": Way(
        causes.TAKEN_AWAY,
        filtered,
        "the lane was on the request, and was taken away again on its way out{here}",
        "look at what http.client passes through: adapters, transports, event hooks",
        not_filtered,
        marked=Filtering,
    ),
    "all taken away": Way(
        causes.TAKEN_AWAY,
        all_filtered,
        "taken away again on its way out{here}",
        "look at what http.client passes through: adapters, transports, event hooks",
        not_filtered,
        marked=Filtering,
    ),
    "left": Way(
        causes.LEFT,
        left,
        "the code had left the lane, by lanebaggage.lane(None){here}",
        "make the call outside that block",
        plain,
    ),
    "left for another": Way(
        causes.LEFT,
        in_another_lane,
        "the code had entered lane s1, by lanebaggage.lane('s1'){here}",
        "make the call outside that block",
        plain,
    ),
    "left for a message": Way(
        causes.LEFT,
        in_another_message,
        "the code was in lanebaggage.extract() of other headers{any}{here}",
        "make the call outside that block, or let x-asm-prefer-tag through to the application",
        plain,
    ),
    "raw thread": Way(
        causes.THREAD,
        in_raw_thread,
        "the call was made in the thread 'Dummy-{any}', where no request is served{here}",
        CARRY,
        lambda: in_raw_thread(lanebaggage.carry(plain)),
        marked=plain,
    ),
    "worker": Way(
        causes.THREAD,
        by_worker,
        "in the thread 'flusher', which was started in lane s2 and serves others too, where no request is served{here}",
        CARRY,
        lambda: by_worker(lanebaggage.carry(plain)),
        marked=plain,
    ),
}
ON_SOCKETS = {
    "client of nobody": Way(
        causes.NOT_INSTRUMENTED,
        by_socket,
        "the call was made with a client that lanebaggage does not know, which is not instrumented{here}",
        f"{BEFORE}   # before the call",
        plain,
    ),
    "aiohttp disabled": Way(
        causes.NOT_INSTRUMENTED,
        by_aiohttp,
        "aiohttp is not instrumented (disabled: by argument){here}",
        f"do not disable aiohttp; or {BEFORE} before the call",
        {},
        {"disabled": ["aiohttp"]},
    ),
    "framework disabled": Way(
        causes.NOT_READ,
        plain,
        "flask is not instrumented (disabled: by argument), so that mocka knows no lane",
        "do not disable flask",
        {},
        {"disabled": ["flask", "werkzeug"]},
    ),
}


# --- the services, which go on running from test to test

views: dict[str, Callable[[], str]] = {}
first, second = Flask("mocka"), Flask("mockb")
second.add_url_rule("/", view_func=lambda: "b")


@first.get("/")
def view() -> str:
    return views["mocka"]()


@pytest.fixture(scope="module")
def meshes() -> Iterator[dict[str, Mesh]]:
    found: dict[str, Mesh] = {}
    yield found
    for mesh in found.values():
        mesh.close()


@pytest.fixture(params=ENGINES)
def mesh(request: pytest.FixtureRequest, meshes: dict[str, Mesh]) -> Iterator[Mesh]:
    """One mesh for each engine, as new."""
    found = meshes[request.param] if request.param in meshes else meshes.setdefault(request.param, Mesh(engine=request.param))
    yield found
    found.reset()


on_sockets = pytest.mark.parametrize("mesh", SOCKETS, indirect=True)


def declare(mesh: Mesh, app: Any = first, **lanes: Any) -> None:
    mesh.service("mocka", v1=app, v2=app)
    mesh.service("mockb", v1=second, v2=second)
    mesh.lanes(baseline="s1", s1="v1", s2="v2", **lanes)


def call_in_lane(mesh: Mesh, view: Callable[[], str], **more: Any) -> Call:
    views["mocka"] = view
    call = mesh.get("mocka", lane="s2", **more)
    assert [hop.service for hop in call.hops] == ["mocka", "mockb"], call.tree
    assert call.text == "b"
    return call


def cause(call: Call, mesh: Mesh) -> Cause:
    """Why the call lost its lane, which it did at mockb."""
    assert call.lost_at == "mockb", call.tree
    found = cause_of(call.hops[-1], mesh.topology)
    assert found is not None
    assert f"cause: {found.why}\n" in explained(call, mesh.topology) + "\n"
    assert f"fix:   {found.fix}\n" in explained(call, mesh.topology) + "\n"
    return found


def here(marked: Any) -> str:
    """Where the line is that is marked in a function, as the mesh shows it."""
    lines, start = inspect.getsourcelines(marked)
    [at] = [number for number, line in enumerate(lines, start) if line.rstrip().endswith("# here")]
    return f" ({os.path.relpath(__file__)}:{at} in "


def check(mesh: Mesh, way: Way) -> None:
    declare(mesh, **way.lanes)
    if way.settings is not None:
        lanebaggage.auto_instrument(**way.settings)
    call = call_in_lane(mesh, way.view)
    found = cause(call, mesh)
    assert (found.kind, found.fix) == (way.kind, way.fix)
    for part in way.why.replace("{here}", here(way.marked or way.view) if "{here}" in way.why else "").split("{any}"):
        assert part in found.why
    lanebaggage.uninstrument()
    assert cause_of(call.hops[-1], mesh.topology) == found, "it was another one once the library was off"
    if way.mended is None:
        exec(way.fix, {"lanebaggage": lanebaggage})
    else:
        lanebaggage.auto_instrument(**(way.mended if isinstance(way.mended, dict) else way.settings or {}))
    call = call_in_lane(mesh, way.mended if callable(way.mended) else plain if way.view is too_late else way.view)
    assert call.lost_at is None, explained(call, mesh.topology)
    assert call.path == [("mocka", "v2"), ("mockb", "v2")]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_lose_the_lane_is_told_and_mended(mesh: Mesh, way: str) -> None:
    """The kind of cause, the words, the line of the application; and that the lane is kept once the fix is made."""
    check(mesh, WAYS[way])


@on_sockets
@pytest.mark.parametrize("way", ON_SOCKETS)
def test_each_way_that_only_sockets_have_is_told_and_mended(mesh: Mesh, way: str) -> None:
    """Clients and servers that the in-process engine has not."""
    check(mesh, ON_SOCKETS[way])


# --- more of the kinds


@on_sockets
def test_an_integration_that_failed_is_named(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that cannot be patched: the report's own words, and a supported version as the remedy."""
    declare(mesh)
    with monkeypatch.context() as patched:
        patched.delattr(aiohttp_integration, "install")
        lanebaggage.auto_instrument()
        found = cause(call_in_lane(mesh, by_aiohttp), mesh)
    assert found.kind == causes.NOT_INSTRUMENTED
    assert found.why.startswith("aiohttp is not instrumented (failed: AttributeError")
    assert here(by_aiohttp) in found.why
    assert found.fix == f"use a supported version of aiohttp; or {BEFORE} before the call"
    lanebaggage.uninstrument()
    lanebaggage.auto_instrument()
    assert call_in_lane(mesh, by_aiohttp).lost_at is None


def test_too_much_of_what_is_passed_through_is_refused_as_a_whole(mesh: Mesh) -> None:
    """A pattern that matches more headers than are carried: the lane goes with them."""
    declare(mesh)
    lanebaggage.auto_instrument(pass_through=["x-m-*"])
    many = {f"x-m-{number}": "1" for number in range(32)}
    found = cause(call_in_lane(mesh, plain, headers=many), mesh)
    assert found.kind == causes.REFUSED_VALUE
    assert found.why.startswith("mocka refused what arrived: 34 pass-through headers of ")
    assert found.fix == "name fewer headers in pass_through, or send fewer of them"
    del many["x-m-0"], many["x-m-1"]
    assert call_in_lane(mesh, plain, headers=many).lost_at is None
    found = cause(call_in_lane(mesh, plain, headers={"x-m-0": "1" * 8000, "x-m-1": "2" * 8000, "x-m-2": "3" * 384}), mesh)
    assert "mocka refused what arrived: 5 pass-through headers of 16" in found.why


def test_a_trace_header_that_is_too_long_is_refused(mesh: Mesh) -> None:
    """More than a pass-through header may have, while the route header is another than the library's."""
    declare(mesh, **BAGGAGE)
    lanebaggage.auto_instrument(route_header="x-lane", trace_header="baggage")
    long = {"baggage": f"{HEADER}=s2,a={'1' * 8192}"}
    found = cause(call_in_lane(mesh, plain, headers=long), mesh)
    assert (found.kind, found.fix) == (causes.REFUSED_VALUE, "send a shorter baggage")
    assert found.why == "mocka refused baggage: it has 8214 characters, and 8192 are the most"
    assert call_in_lane(mesh, plain, headers={"baggage": f"{HEADER}=s2,a=1"}).lost_at is None


def test_a_host_that_is_never_allowed_is_called_by_another_name(mesh: Mesh) -> None:
    """No allow-list helps a service that is named as a metadata service is; its full name does."""
    views["mocka"] = lambda: requests.get("http://metadata:8000/", timeout=SECONDS).text
    mesh.service("mocka", v1=first, v2=first)
    mesh.service("metadata", v1=second, v2=second)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    lanebaggage.auto_instrument()
    call = mesh.get("mocka", lane="s2")
    found = cause_of(call.hops[1], mesh.topology)
    assert found is not None
    assert (found.kind, found.fix) == (causes.REFUSED_HOST, "call it by its full name, metadata.<namespace>.svc")
    views["mocka"] = lambda: requests.get("http://metadata.default.svc:8000/", timeout=SECONDS).text
    assert mesh.get("mocka", lane="s2").lost_at is None


def test_a_consumer_that_was_there_before_has_no_lane(mesh: Mesh) -> None:
    """A queue's worker, started at import: it serves no request, and gets its lane with the job."""
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    worker = threading.Thread(target=consume, args=(jobs,), name="consumer")
    worker.start()

    def handed_over(job: Callable[[], str] = plain) -> str:
        done: Future[str] = Future()
        jobs.put((job, done))
        return done.result(SECONDS)

    try:
        declare(mesh)
        lanebaggage.auto_instrument()
        found = cause(call_in_lane(mesh, handed_over), mesh)
        assert (found.kind, found.fix) == (causes.THREAD, CARRY)
        assert found.why.startswith(f"the call was made in the thread 'consumer', where no request is served{here(plain)}")
        assert call_in_lane(mesh, lambda: handed_over(lanebaggage.carry(plain))).lost_at is None
    finally:
        jobs.put(None)
        worker.join()


def test_threads_that_nobody_instruments_are_named(mesh: Mesh) -> None:
    """With the integration disabled, a thread that a request starts has no lane either."""

    def in_thread() -> str:
        done: Future[str] = Future()
        threading.Thread(target=lambda: done.set_result(plain())).start()
        return done.result(SECONDS)

    declare(mesh)
    lanebaggage.auto_instrument(disabled=["threading"])
    found = cause(call_in_lane(mesh, in_thread), mesh)
    assert (found.kind, found.fix) == (causes.THREAD, "do not disable threading")
    assert "not instrumented: threading" in found.why
    lanebaggage.uninstrument()
    lanebaggage.auto_instrument()
    assert call_in_lane(mesh, in_thread).lost_at is None


def test_a_task_of_the_application_has_no_lane(mesh: Mesh) -> None:
    """An asyncio task from the lifespan, which takes jobs from a queue: named as a task, and mended in the same way."""

    async def fetch() -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(MOCKB)).text  # here

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.jobs = asyncio.Queue()

        async def work() -> None:
            while True:
                job, done = await app.state.jobs.get()
                done.set_result(await job())

        task = asyncio.create_task(work(), name="batcher")
        yield
        task.cancel()

    async def view(request: Any) -> PlainTextResponse:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        request.app.state.jobs.put_nowait((lanebaggage.carry(fetch) if request.query_params else fetch, done))
        return PlainTextResponse(await done)

    app = Starlette(routes=[Route("/", view)], lifespan=lifespan)
    mesh.service("mocka", v2=app)
    mesh.service("mockb", v1=second, v2=second)
    mesh.lanes(baseline="s1", s1="v1", s2="v2")
    lanebaggage.auto_instrument()
    found = cause(mesh.get("mocka", lane="s2"), mesh)
    assert (found.kind, found.fix) == (causes.THREAD, CARRY)
    assert found.why.startswith(f"the call was made in the task 'batcher', where no request is served{here(fetch)}")
    assert mesh.get("mocka", "/?carried", lane="s2").lost_at is None


@on_sockets
@pytest.mark.parametrize(
    ("prefix", "kind", "fix"),
    [
        ("HTTP_X_ASM_", causes.TAKEN_AWAY, "let x-asm-prefer-tag through to the application"),
        ("HTTP_X_", causes.LEFT, "make the call outside that block, or let x-asm-prefer-tag through to the application"),
    ],
)
def test_a_middleware_may_take_the_lane_before_it_is_read(mesh: Mesh, prefix: str, kind: str, fix: str) -> None:
    """Under a server that is not instrumented, what stands before the framework decides what it reads."""

    def application(environ: Any, start_response: Any) -> Any:
        kept = {name: value for name, value in environ.items() if mended or not name.startswith(prefix)}
        return first(kept, start_response)

    mended = False
    declare(mesh, application)
    lanebaggage.auto_instrument(disabled=["werkzeug"])
    found = cause(call_in_lane(mesh, plain), mesh)
    assert (found.kind, found.fix) == (kind, fix)
    assert "x-asm-prefer-tag" in found.why
    mended = True
    assert call_in_lane(mesh, plain).lost_at is None


@on_sockets
def test_a_framework_that_nobody_knows_does_not_read_the_lane(mesh: Mesh) -> None:
    """A bare callable under a server that is not instrumented; the middleware that the mesh names reads it."""

    def application(_environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [plain().encode()]

    declare(mesh, application)
    lanebaggage.auto_instrument(disabled=["werkzeug"])
    found = cause(call_in_lane(mesh, plain), mesh)
    assert found.kind == causes.NOT_READ
    assert found.why == "mocka did not read the lane: its framework or server is none that lanebaggage instruments"
    assert found.fix == "app = lanebaggage.wsgi_middleware(app)   # or asgi_middleware"
    mesh.reset()
    names: dict[str, Any] = {"lanebaggage": lanebaggage, "app": application}
    exec(found.fix, names)
    declare(mesh, WSGI(names["app"]))
    assert call_in_lane(mesh, plain).lost_at is None


@pytest.mark.parametrize("mesh", ["envoy"], indirect=True)
@pytest.mark.parametrize(("agent", "kind"), [("PycURL/7", causes.NOT_INSTRUMENTED), ("", causes.UNKNOWN)])
def test_a_client_in_c_is_seen_by_its_name_alone(mesh: Mesh, agent: str, kind: str) -> None:
    """libcurl through the sidecar's own address: nothing here sees it, and where it has no name, nothing is found."""
    import pycurl

    def by_curl() -> str:
        curl = pycurl.Curl()
        curl.setopt(pycurl.PROXY, mesh.engine.address_for(mesh.topology.find("mocka", version="v2")[0]))
        curl.setopt(pycurl.URL, MOCKB)
        curl.setopt(pycurl.USERAGENT, agent)
        return curl.perform_rs()

    declare(mesh)
    lanebaggage.auto_instrument()
    found = cause(call_in_lane(mesh, by_curl), mesh)
    assert found.kind == kind
    assert agent in found.why
    if kind == causes.UNKNOWN:
        assert found.why == "not found by looking: mocka had the lane, and its call did not"
        assert "auto_instrument(debug=True)" in found.fix


def test_the_line_is_the_applications_even_where_it_is_installed(mesh: Mesh, tmp_path: Path) -> None:
    """A service from a wheel, and one that calls by a package of its own: the client is the one below, the line theirs."""
    path = tmp_path / "site-packages" / "corp.py"
    source = f"""
        import flask, requests
        app = flask.Flask("corp")
        @app.get("/")
        def view():
            return requests.get({MOCKB!r}, timeout=10).text
    """
    corp: dict[str, Any] = {"__name__": "corp"}
    exec(compile(textwrap.dedent(source), path, "exec"), corp)
    declare(mesh, corp["app"])
    lanebaggage.auto_instrument(disabled=["requests", "http.client"])
    found = cause(call_in_lane(mesh, plain), mesh)
    assert found.why == f"requests is not instrumented (disabled: by argument) ({path}:6 in view)"

    def by_package() -> str:
        return corp["view"]()  # here

    mesh.reset()
    declare(mesh)
    found = cause(call_in_lane(mesh, by_package), mesh)
    assert found.why.startswith(f"requests is not instrumented (disabled: by argument){here(by_package)}")


# --- in other processes

SCRIPT = """
    import _thread, os, sys, threading, urllib.request
    from wsgiref.simple_server import make_server

    def call(url="http://mockb:8000/", **headers):
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.read()

    def in_thread():
        found, done = [], threading.Event()
        _thread.start_new_thread(lambda: (found.append(call()), done.set()), ())
        done.wait(10)
        return found[0]

    def app(environ, start_response):
        start_response("200 OK", [])
        path = environ["PATH_INFO"]
        if path == "/name":
            return [call("http://mockb.default:8000/")]
        if path == "/thread":
            return [call(), in_thread()]
        if path == "/names":
            return [call(), call("http://mockb.default:8000/")]
        if path == "/own":
            return [call(**{"x-asm-prefer-tag": "s9"})]
        if path == "/agent":
            return [call(**{"User-Agent": "Erlang/27"})]
        return [call()]

    host, port = sys.argv[1].split(":")
    server = make_server(host, int(port), app)
    server.RequestHandlerClass.log_message = lambda *_: None
    server.serve_forever()
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("service") / "service.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return str(path)


LAUNCHED = (sys.executable, "-m", "lanebaggage", "run", "--")


def command(script: str, *launcher: str, **env: str) -> Command:
    return Command([*launcher, sys.executable, script, "{bind}"], env)


@on_sockets
def test_a_process_without_the_library_is_started_with_it(mesh: Mesh, script: str) -> None:
    """The command as it was declared, behind the launcher; what knows no client of ours has to copy the headers itself."""
    declare(mesh, command(script))
    found = cause(mesh.get("mocka", lane="s2"), mesh)
    assert found.kind == causes.PROCESS
    assert found.why == "mocka forwards nothing, its client is urllib.request: lanebaggage is not on in its process"
    assert found.fix == f"lanebaggage run -- {sys.executable} {script} {{bind}}"
    found = cause(mesh.get("mocka", "/agent", lane="s2"), mesh)
    assert found.kind == causes.PROCESS
    assert found.why == "mocka forwards nothing; its client is Erlang/27, which lanebaggage does not know"
    assert found.fix == "copy x-asm-prefer-tag and x-lanebaggage-hop from each request to the calls made for it"
    mesh.reset()
    declare(mesh, [*LAUNCHED, sys.executable, script, "{bind}"])
    assert mesh.get("mocka", lane="s2").lost_at is None


@on_sockets
def test_a_process_that_forwards_loses_the_lane_in_other_ways(mesh: Mesh, script: str) -> None:
    """Its own value, a thread, a name outside the mesh: told from what its other calls bring."""
    declare(mesh, command(script, *LAUNCHED))
    for path, kind, why, fix in (
        ("/own", causes.OWN_VALUE, "has an x-asm-prefer-tag of its own: s9", "take x-asm-prefer-tag out"),
        ("/thread", causes.THREAD, "mocka forwards the lane elsewhere: this call is made in a thread", CARRY),
        ("/names", causes.REFUSED_HOST, "but mockb.default does not look like", "LANEBAGGAGE_ALLOW=mockb.default"),
    ):
        call = mesh.get("mocka", path, lane="s2")
        [lost] = call.lost
        found = cause_of(lost, mesh.topology)
        assert found is not None
        assert found.kind == kind, call.tree
        assert why in found.why
        assert fix in found.fix


@pytest.mark.parametrize("mesh", ["sockets"], indirect=True)
@pytest.mark.parametrize(
    ("env", "kind", "why", "fix"),
    [
        (
            {"LANEBAGGAGE_ROUTE_HEADER": "x-lane", "LANEBAGGAGE_TRACE_HEADER": "x-lane"},
            causes.OTHER_HEADERS,
            "mocka forwards x-lane (by LANEBAGGAGE_ROUTE_HEADER and LANEBAGGAGE_TRACE_HEADER), while",
            "LANEBAGGAGE_ROUTE_HEADER=x-asm-prefer-tag LANEBAGGAGE_TRACE_HEADER=x-asm-prefer-tag",
        ),
        (
            {"LANEBAGGAGE_LANES": "s1"},
            causes.REFUSED_VALUE,
            "its lanes (by LANEBAGGAGE_LANES) do not name s2",
            "LANEBAGGAGE_LANES=s1,s2",
        ),
        ({"LANEBAGGAGE_EDGE": "1"}, causes.EDGE, "edge (by LANEBAGGAGE_EDGE): mocka ignores", "LANEBAGGAGE_EDGE=0"),
        (
            {"LANEBAGGAGE_DISABLED": "wsgiref"},
            causes.PROCESS,
            "mocka forwards nothing, its client is urllib.request, though lanebaggage is started with it",
            "lanebaggage doctor",
        ),
    ],
)
def test_the_settings_of_a_process_are_its_variables(
    mesh: Mesh, script: str, env: dict[str, str], kind: str, why: str, fix: str
) -> None:
    """Named by variable, and mended by one."""
    declare(mesh, command(script, *LAUNCHED, **env))
    found = cause(mesh.get("mocka", lane="s2"), mesh)
    assert found.kind == kind, found
    assert why in found.why
    assert fix in found.fix
    if "start it with" in found.fix:
        mesh.reset()
        better = dict(word.split("=") for word in found.fix.partition("start it with ")[2].partition("   #")[0].split())
        declare(mesh, command(script, *LAUNCHED, **env | better))
        assert mesh.get("mocka", lane="s2").lost_at is None
