"""Each server in each situation: in-process calls in an empty context, or real sockets where the server is a part of it."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage._context import CARRIED, UNSET
from lanebaggage.instrumentation.servers._serve import ENTERED
from matrix.servers import SERVERS
from support.server_drive import LANE
from support.server_probe import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matrix.table import Cell

    Make = Callable[..., Any]

S2 = [("X-Asm-Prefer-Tag", "s2")]
IMPORT_AFTER = """
import sys
sys.path.insert(0, sys.argv[1])
import lanebaggage
lanebaggage.auto_instrument()
from lanebaggage.instrumentation import TABLE
from matrix.servers import SERVERS
early = {entry.library for entry in TABLE if entry.role == "server" and entry.distribution and entry.library in sys.modules}
assert not early, f"imported too early: {early}"
driver = SERVERS.libraries[sys.argv[2]]()
print(driver.get("/lane", [("X-Asm-Prefer-Tag", "s2")]).text)
driver.close()
"""


@pytest.fixture
def make(cell: Cell) -> Iterator[Make]:
    """Make the application under test, and stop its server afterwards."""
    made = []

    def make(**options: Any) -> Any:
        made.append(cell.driver(**options))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.mark.parametrize("cell", SERVERS.cells, ids=str)
def test_server(cell: Cell, covers: Cell, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A server in a situation has its request's lane current wherever the request is served, and nowhere else."""
    situation = SITUATIONS[cell.situation]
    if situation in (several_values, malformed):
        situation(make, caplog)
    elif situation is import_after:
        situation(cell)
    else:
        situation(make)


def started(make: Make, **settings: Any) -> Any:
    """The application, made before it was instrumented."""
    driver = make()
    lanebaggage.auto_instrument(**settings)
    return driver


def place(make: Make, path: str, *places: str, name: str = "") -> None:
    """A request in a lane sees it at these places, and one without a lane sees none."""
    driver = started(make)
    path = driver.paths.get(name, path)
    driver.get(path, S2)
    for where in places:
        driver.probe.wait_for(where)
    assert set(driver.probe.lanes(*places)) == {"s2"}
    driver.probe.seen.clear()
    driver.get(path)
    assert set(driver.probe.lanes(*places)) <= {None}


def view(make: Make, kind: str) -> None:
    driver = started(make)
    path = driver.paths[kind]
    assert [driver.get(path, headers).text for headers in (S2, [])] == ["s2", "None"]


def import_after(cell: Cell) -> None:
    command = [sys.executable, "-c", IMPORT_AFTER, str(Path(__file__).parents[1]), cell.library]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout, run.returncode) == ("s2\n", 0), run.stderr


def import_before(make: Make) -> None:
    make().get("/lane")
    lanebaggage.auto_instrument()
    assert make().get("/lane", S2).text == "s2"


def made_before(make: Make) -> None:
    driver = make()
    assert driver.get("/lane").text == "None"
    lanebaggage.auto_instrument()
    assert driver.get("/lane", S2).text == "s2"


def subclass(make: Make) -> None:
    driver = make(subclass=True)
    lanebaggage.auto_instrument()
    assert driver.get("/lane", S2).text == "s2"


def stream_thread(make: Make) -> None:
    driver = started(make)
    body, _ = Context().run(driver.start, "/stream", S2)
    chunks: list[bytes] = []

    def iterate() -> None:
        for chunk in body:
            chunks.append(chunk)
            assert CARRIED.get() is UNSET
        body.close()

    thread = threading.Thread(target=Context().run, args=(iterate,))
    thread.start()
    thread.join()
    assert b"".join(chunks) == b"s2 s2 s2 "
    assert driver.probe.lanes("chunk", "cleanup") == ["s2"] * 4


def file(make: Make) -> None:
    driver = started(make)
    assert driver.get("/file", S2).body == Path(FILE).read_bytes()


def websocket(make: Make) -> None:
    driver = started(make)
    assert driver.websocket("/ws", S2) == ["s2", "s2"]
    assert driver.websocket("/ws") == ["None", "None"]


def disconnect(make: Make) -> None:
    driver = started(make)
    driver.disconnect("/stream" if hasattr(driver, "environ") else "/hold", S2)
    driver.probe.wait_for("cleanup")
    assert driver.probe.lanes("cleanup") == ["s2"]


def cancel(make: Make) -> None:
    driver = started(make)
    driver.cancel("/wait", S2)
    assert driver.probe.lanes("cleanup") == ["s2"]
    assert set(driver.probe.lanes("error")) <= {"s2"}


def keep_alive(make: Make) -> None:
    driver = make()
    lanebaggage.auto_instrument(disabled=[driver.server] if driver.server else [])
    lanes = ["s2", None, "s3", None]
    requests = [("/lane", [(LANE, lane)] if lane else []) for lane in lanes]
    assert [answer.text for answer in driver.kept(requests)] == [str(lane) for lane in lanes]


def surrounded(make: Make) -> None:
    lanebaggage.auto_instrument()
    with lanebaggage.lane("s9"):
        driver = make()
        driver.around = CARRIED.get()
    assert driver.get("/lane").text == "None"
    driver.get(driver.paths["body"])
    assert set(driver.probe.lanes("chunk", "cleanup")) == {None}
    assert driver.get("/lane", S2).text == "s2"


def lifespan(make: Make) -> None:
    driver = started(make)
    assert ENTERED not in driver.lifespan()


def several_values(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    driver = started(make)
    assert driver.get("/lane", [(LANE, "secret2"), (LANE, "secret3")]).text == "None"
    told_once(caplog)


def malformed(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    driver = started(make)
    assert driver.get("/lane", [(LANE, "secret;2")]).text == "None"
    assert driver.get("/lane", [(LANE, "secret;2")]).text == "None"
    told_once(caplog)


def told_once(caplog: pytest.LogCaptureFixture) -> None:
    messages = [record.getMessage() for record in caplog.records if record.name == "lanebaggage"]
    assert len(messages) == 1
    assert "secret" not in messages[0]


def header_case(make: Make) -> None:
    driver = started(make)
    assert [driver.get("/lane", [(name, "s2")]).text for name in ("X-ASM-PREFER-TAG", LANE)] == ["s2", "s2"]


def edge(make: Make) -> None:
    driver = started(make, edge=True)
    driver.get("/lane", S2)
    assert driver.probe.outgoing == [{}] * len(driver.probe.outgoing) != []


def trace_id(make: Make) -> None:
    driver = started(make, trace_header="my-trace-id")
    driver.get("/lane", [("My-Trace-Id", "t-1")])
    assert driver.probe.outgoing[-1] == {"my-trace-id": "t-1"}
    driver.get("/lane", [("My-Trace-Id", "t-1"), *S2])
    assert driver.probe.outgoing[-1] == {"my-trace-id": "t-1", LANE: "s2"}


def baggage(make: Make) -> None:
    driver = started(make, trace_header="baggage")
    lines = [("Baggage", f"a=1%2C2;p=1,{LANE}=s2"), ("baggage", "b=+2")]
    assert driver.get("/lane", lines).text == "s2"
    assert driver.probe.outgoing[-1]["baggage"].replace(", ", ",") == f"a=1%2C2;p=1,{LANE}=s2,b=+2"


def concurrent(make: Make) -> None:
    driver = started(make)
    lanes = [f"s{number % 5}" for number in range(200)]
    answers = driver.many([("/thread", [(LANE, lane)]) for lane in lanes])
    assert [answer.text for answer in answers] == lanes


def twice(make: Make) -> None:
    driver = started(make)
    lanebaggage.auto_instrument()
    assert driver.get("/lane", S2).text == "s2"
    lanebaggage.uninstrument()
    if not type(driver).__name__.startswith("Bare"):
        assert driver.get("/lane", S2).text == "None"


def undone(make: Make) -> None:
    driver = started(make)
    assert driver.get("/lane", S2).text == "s2"
    lanebaggage.uninstrument()
    assert driver.get("/lane", S2).text == "None"
    lanebaggage.auto_instrument()
    assert driver.get("/lane", S2).text == "s2"


SITUATIONS: dict[str, Callable[..., None]] = {
    "import-after": import_after,
    "import-before": import_before,
    "made-before": made_before,
    "subclass": subclass,
    "view-sync": lambda make: view(make, "view-sync"),
    "view-async": lambda make: view(make, "view-async"),
    "thread": lambda make: place(make, "/thread", "thread"),
    "nested": lambda make: place(make, "/sub/lane", "view", "outer"),
    "middleware": lambda make: place(make, "/lane", "outer", "inner"),
    "error": lambda make: place(make, "/fail", "failing", "error"),
    "stream": lambda make: place(make, "/stream", "chunk", "cleanup"),
    "stream-async": lambda make: place(make, "/stream-async", "chunk", "cleanup"),
    "stream-thread": stream_thread,
    "file": file,
    "background": lambda make: place(make, "/background", "background"),
    "websocket": websocket,
    "disconnect": disconnect,
    "cancel": cancel,
    "time-out": lambda make: place(make, "/timeout", "cleanup", "timed", name="time-out"),
    "keep-alive": keep_alive,
    "surrounded": surrounded,
    "lifespan": lifespan,
    "several-values": several_values,
    "malformed": malformed,
    "header-case": header_case,
    "edge": edge,
    "trace-id": trace_id,
    "baggage": baggage,
    "concurrent": concurrent,
    "twice": twice,
    "undone": undone,
}
