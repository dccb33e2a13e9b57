"""``lanebaggage mesh``: a lane mesh on this machine, of real processes, running until it is told to stop."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections import deque
from functools import partial
from itertools import takewhile
from operator import is_not
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from .. import MeshError, auto_instrument
from ..mesh import Mesh
from ..mesh.report import BAD, QUIET, lane_style
from ..mesh.services_file import read_services
from ..mesh.topology import headers_of
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..mesh.hops import Call
    from ..mesh.topology import Instance

ENGINES = ("sockets", "envoy", "envoy-health", "envoy-istio")
LOOK_SECONDS = 0.1
"""How often there is a look at what has happened."""
LAST_LINES = 20
"""Of what a service printed that has ended."""


@click.group(epilog=examples("lanebaggage mesh up lanes.yaml services.yaml"))
def mesh() -> None:
    """Run a lane mesh on this machine."""


@mesh.command(
    epilog=examples(
        "lanebaggage mesh up lanes.yaml services.yaml",
        "lanebaggage mesh up lanes.yaml services.yaml --engine envoy --write envoy/",
    ),
)
@click.argument("lanes", type=click.Path(exists=True))
@click.argument("services", type=click.Path(exists=True, dir_okay=False))
@click.option("--engine", type=click.Choice(ENGINES), default="sockets", show_default=True, help="What carries the requests.")
@click.option("--group", metavar="NAME", help="The lane group, where LANES holds several.")
@click.option("--write", type=click.Path(file_okay=False), help="Write Envoy's configuration into this directory.")
@click.option("--output/--no-output", default=True, show_default=True, help="Show what the services print.")
def up(lanes: str, services: str, engine: str, group: str | None, write: str | None, output: bool) -> None:
    """Start the services in the file SERVICES, in the lanes of the file or directory LANES.

    Each service is a command that is started here, or an address elsewhere, so that only what you change has to run on your
    machine. Services reach each other by their own names: through HTTP_PROXY, through MOCKB_SERVICE_HOST and
    MOCKB_SERVICE_PORT, or, started by lanebaggage run, by name resolution. Ends with Ctrl-C.
    """
    console = Console(highlight=False, soft_wrap=True)
    ready, ended = threading.Event(), threading.Event()

    def interrupt(*_: object) -> None:
        """Ends what is waited for; what is being ended already goes on being ended."""
        if not ended.is_set():
            ended.set()
            if not ready.is_set():
                raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    with Mesh.from_yaml(lanes, group=group, engine=engine) as running:
        _declare(running, services)
        console.print(Text(f"starting {', '.join(map(str, running.topology.instances))}", QUIET))
        running.start(progress=lambda instance: console.print(_ready(running, instance)))
        there = {instance.service for instance in running.topology.instances}
        for service in running.topology.current.group.services:
            if service not in there:
                console.print(Text(f"{service.name} is not in {Path(services).name}: calls to it fail", BAD))
        if write is not None:
            _write(running, Path(write), console)
        console.print(Text.assemble("gateway  ", (str(running.gateway), "bold")))
        sidecar = running.engine.address_for(None)
        console.print(Text(f"straight to a service: curl -x {sidecar} http://SERVICE/", QUIET))
        ready.set()
        _watch(running, console, ended, output)


def _declare(running: Mesh, services: str) -> None:
    """The services of a file; applications that it names by an import string run in this process, and so does lanebaggage."""
    entries = read_services(services)
    if any(isinstance(entry.app, str) and "://" not in entry.app for entry in entries):
        sys.path.insert(0, str(Path(services).resolve().parent))
        headers: dict[str, Any] = dict(headers_of(running.topology.current.group))
        auto_instrument(**headers)
    for entry in entries:
        try:
            running.service(str(entry.service), {entry.version: entry.app}, labels={entry.version: entry.labels})
        except MeshError as error:
            raise MeshError(f"{entry.place}: {error}") from error


def _ready(running: Mesh, instance: Instance) -> Text:
    state = running.topology.current
    lanes = [lane.name for lane in state.group.lanes if lane.has(instance.service) and instance.selected_by(lane.selector)]
    host, port = instance.address or ("", 0)
    return Text.assemble((f"{instance}", "bold"), f"  http://{host}:{port}  {', '.join(lanes) or 'in no lane'}")


def _write(running: Mesh, directory: Path, console: Console) -> None:
    from ..mesh.envoy_layout import written

    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "envoy.json"
    options = getattr(running.engine, "options", {})
    file.write_text(json.dumps(written(running.topology, options), indent=2) + "\n", encoding="utf-8")
    console.print(Text(f"wrote {file}: envoy -c {file}", QUIET))


def _watch(running: Mesh, console: Console, ended: threading.Event, output: bool) -> None:
    """Print each call as it ends and what services print, and take out what has ended by itself."""
    last: dict[Instance, deque[str]] = {}
    waiting: list[Call] = []
    newest: Call | None = None
    while not ended.wait(LOOK_SECONDS):
        gone = running.engine.ended()  # before what they print is looked at, which is their last then
        for instance, line in running.engine.printed():
            last.setdefault(instance, deque(maxlen=LAST_LINES)).append(line)
            if output:
                console.print(_printed(instance, line))
        calls = running.calls
        waiting += reversed([*takewhile(partial(is_not, newest), reversed(calls))])
        newest = calls[-1] if calls else None
        complete = [call for call in waiting if _complete(call)]
        waiting = [call for call in waiting if call not in complete]
        for call in complete:
            console.print(Text.assemble(*_line(call)))
        for instance, status in gone:
            running.stop(str(instance.service), version=instance.version)
            console.print(Text(f"{instance} has ended with status {status}", BAD))
            for line in () if output else last.get(instance, ()):
                console.print(_printed(instance, line))


def _complete(call: Call) -> bool:
    return bool(call.roots) and all(hop.duration is not None for hop in call.hops)


def _printed(instance: Instance, line: str) -> Text:
    """A line of a service, with its colours, and without what would move the cursor."""
    return Text.assemble((f"{instance} | ", QUIET), Text.from_ansi(line))


def _line(call: Call) -> Iterator[tuple[str, str]]:
    """A call in one line: what was asked, the lane, the status, the way that it took."""
    first = call.roots[0]
    status = first.status or 0
    yield f"{time.strftime('%H:%M:%S')}  {call.title}  ", ""
    yield f"lane {first.lane}" if first.lane else "no lane", lane_style(first.lane)
    yield f"  {status or 'no answer'}", BAD if not 0 < status < 400 else ""
    yield f"  {sum(hop.duration or 0 for hop in call.roots) * 1000:.1f} ms  ", QUIET
    for number, hop in enumerate(call.hops):
        yield " > " if number else "", QUIET
        yield f"{hop.service} {hop.version or '-'}", BAD if hop.version is None else ""
        if hop.fallback:
            yield " (fallback)", "yellow"
        if hop.lost:
            yield " (lane lost)", BAD
        if hop.version is None:
            yield f" ({hop.reason})", BAD
