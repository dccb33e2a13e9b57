"""The demo: the mock chain as real processes on real sockets, sent through ASM's documented scenarios, with and without us."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from .._settings import BAGGAGE, DEFAULT_HEADER
from .apps import Command
from .hops import HOP_HEADER
from .mesh import Mesh
from .report import BAD, QUIET, rich_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from .hops import Call
    from .hops import Path as CallPath

GOOD: Final = "green"
WEIGHTED_REQUESTS: Final = 200
"""Of the 1000 that ``expected.json`` names; the tests send them all."""

_STRICT: Final = "strict"
"""The scenario that needs no forwarding, and so is run without the library."""

_SERVICES: Final = {"mocka": "http://mockb:8000/", "mockb": "http://mockc:8000/", "mockc": ""}
_VERSIONS: Final = ("v1", "v2", "v3")
_FORWARDED: Final = {
    "LANEBAGGAGE_ROUTE_HEADER": DEFAULT_HEADER,
    "LANEBAGGAGE_TRACE_HEADER": BAGGAGE,
    "LANEBAGGAGE_PASS_THROUGH": f"my-trace-id,{HOP_HEADER}",
}
"""What the services forward: the headers of every scenario, so that one set of processes serves all of them."""


class Framework(NamedTuple):
    """One implementation of the mock service."""

    title: str
    file: str
    modules: tuple[str, ...]


FRAMEWORKS: Final = {
    "flask": Framework("Flask and requests", "flask_requests.py", ("flask", "requests")),
    "fastapi": Framework("FastAPI and httpx", "fastapi_httpx.py", ("fastapi", "httpx", "uvicorn")),
}


def data(*parts: str) -> Path:
    """A file of the example or of the scenarios: packed into the wheel, or where a checkout has it."""
    packed = Path(__file__).parents[1] / "_demo" / Path(*parts)
    if packed.exists():
        return packed
    place = {"mock_chain": "examples", "acceptance": "tests"}[parts[0]]
    return Path(__file__).parents[3] / place / Path(*parts)


class Demo:
    """Runs the scenarios and counts what differs.

    :param console: where they are drawn.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._expected: dict[str, Any] = json.loads(data("acceptance", "expected.json").read_text(encoding="utf-8"))
        self.differences = 0
        self.checked = 0

    def run(self, framework: Framework) -> None:
        """Start the services, send every scenario's requests; then once more without the library."""
        self._console.rule(f"[bold]{framework.title}", align="left")
        with self._services(framework, "with lanebaggage") as mesh:
            for scenario, about in self._expected.items():
                if scenario not in ("about", _STRICT):
                    self._scenario(mesh, scenario, about)
        with self._services(framework, "without it", "--without-lanebaggage") as mesh:
            self._scenario(mesh, _STRICT, self._expected[_STRICT])
            for scenario, about in self._expected.items():
                if "without_forwarding" in about:
                    self._without(mesh, scenario, about)

    # --- one scenario

    def _scenario(self, mesh: Mesh, scenario: str, about: dict[str, Any]) -> None:
        about_it = ", ".join(about[name] for name in ("mode", "note") if name in about)
        self._say(f"\n{scenario}: {about_it}", "bold")
        mesh.load(data("acceptance", scenario, "lanes.yaml"))
        for case in about["cases"]:
            if "shares" in case:
                self._shares(mesh, case)
            else:
                self._case(mesh, case)

    def _without(self, mesh: Mesh, scenario: str, about: dict[str, Any]) -> None:
        """What becomes of a scenario where nobody forwards a header."""
        self._say(f"\n{scenario} without lanebaggage: the same services, and none forwards a header", "bold")
        mesh.load(data("acceptance", scenario, "lanes.yaml"))
        for case in about["without_forwarding"]:
            self._case(mesh, case)
            lane = case["headers"].get(DEFAULT_HEADER)
            kept = next((one for one in about["cases"] if one["headers"].get(DEFAULT_HEADER) == lane), None)
            if kept is not None:
                self._say(f"   with lanebaggage: {_words(_path(kept['chain']))}", QUIET)

    def _case(self, mesh: Mesh, case: dict[str, Any]) -> None:
        """One request, which must take one chain, and lose the lane where it must."""
        call = mesh.get("/mock", headers=case["headers"])
        self._draw(call, case["headers"])
        wanted = _path(case["chain"])
        if call.path != wanted:
            self._differs(f"expected {_words(wanted)}")
        elif call.text != _printed(wanted):
            self._differs(f"the services printed {call.text!r}")
        elif call.lost_at != case.get("lost_at"):
            self._differs(f"the lane was lost at {call.lost_at}, expected {case.get('lost_at')}")
        elif call.lost_at:
            self._agrees(f"the lane is lost at {call.lost_at}, as it must be where nobody forwards it")
        else:
            self._agrees("as documented")

    def _shares(self, mesh: Mesh, case: dict[str, Any]) -> None:
        """Many requests, which must take few chains in known shares."""
        total = WEIGHTED_REQUESTS
        calls = [mesh.get("/mock", headers=case["headers"]) for _ in range(total)]
        seen = Counter(tuple(call.path) for call in calls)
        for one in case["shares"]:
            chain, share = _path(one["chain"]), one["share"]
            count = seen.pop(tuple(chain), 0)
            shown = next((call for call in calls if call.path == chain), None)
            if shown is not None:
                self._draw(shown, case["headers"])
            text = f"{count} of {total} requests, weight {share:.0%}"
            if abs(count - total * share) > 3 * math.sqrt(total * share * (1 - share)):
                self._differs(f"{text}: more than three standard deviations off")
            else:
                self._agrees(text)
        for mixed, count in seen.items():
            self._differs(f"{count} requests took {_words(mixed)}, which is no lane's chain")

    # --- services

    @contextmanager
    def _services(self, framework: Framework, how: str, *arguments: str) -> Iterator[Mesh]:
        with Mesh(engine="sockets", seed=0) as mesh:
            for service, upstream in _SERVICES.items():
                for version in _VERSIONS:
                    env = {**_FORWARDED, "app": service, "version": version, "upstream_url": upstream}
                    command = [sys.executable, str(data("mock_chain", framework.file)), *arguments]
                    mesh.service(service, {version: Command(command, env)})
            mesh.load(data("acceptance", "scenario-1", "lanes.yaml"))
            self._start(mesh, f"Starting {len(_SERVICES) * len(_VERSIONS)} services {how}")
            yield mesh

    def _start(self, mesh: Mesh, title: str) -> None:
        total = len(_SERVICES) * len(_VERSIONS)
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}")
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as progress:
            task = progress.add_task(title, total=total)
            if not self._console.is_terminal:
                self._say(f"{title} ...", QUIET)
            mesh.start(progress=lambda _instance: progress.advance(task))

    # --- output

    def _draw(self, call: Call, headers: dict[str, str]) -> None:
        lines = rich_lines(call)
        if headers:
            lines[0].append("  " + ", ".join(f"{name}: {value}" for name, value in headers.items()), QUIET)
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def _agrees(self, text: str) -> None:
        self.checked += 1
        self._say(f"   ok: {text}", GOOD)

    def _differs(self, text: str) -> None:
        self.checked += 1
        self.differences += 1
        self._say(f"   DIFFERS: {text}", BAD)

    def _say(self, text: str, style: str) -> None:
        self._console.print(Text(text, style), soft_wrap=True)


def _path(chain: list[list[str]]) -> list[tuple[str, str | None]]:
    return [(service, version) for service, version in chain]


def _printed(chain: Iterable[tuple[str, str | None]]) -> str:
    return "".join(f"-> {service}(version: {version}, ip: 127.0.0.1)" for service, version in chain)


def _words(chain: CallPath | Iterable[tuple[str, str | None]]) -> str:
    return " > ".join(f"{service}@{version}" for service, version in chain)
