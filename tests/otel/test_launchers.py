"""OpenTelemetry's own launcher, and its directory on the path as the Kubernetes operator puts it, switch lanebaggage on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.instrumentation import auto_instrumentation

from lanebaggage._launcher import SITE

PROGRAM = """
import lanebaggage, requests, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry import trace

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        print("sent", self.headers.get_all("x-asm-prefer-tag"), self.headers.get_all("baggage"))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args): pass

server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
print("on", bool(lanebaggage.instrumentation.report().rows))
with lanebaggage.lane("s2"), trace.get_tracer("t").start_as_current_span("span") as span:
    print("span", dict(span.attributes or {}))
    requests.get(f"http://127.0.0.1:{server.server_port}/")
server.shutdown()
"""
QUIET = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fastapi,httpx,grpc_client,grpc_server,aiohttp-client,aiohttp-server",
}


def run(*command: str, **env: str) -> list[str]:
    """Lines that the program printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANEBAGGAGE_", "PYTHON"))}
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM],
        env={**kept, "NO_PROXY": "*", **QUIET, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


BIN = Path(sys.executable).parent
LAUNCHER = str(BIN / "opentelemetry-instrument")
OURS = [str(BIN / "lanebaggage"), "run", "--"]
ON = ["on True", "span {'lane': 's2'}", "sent ['s2'] None"]


@pytest.mark.parametrize("propagators", ["tracecontext,baggage", "tracecontext,baggage,lane"])
@pytest.mark.parametrize("before", [[], OURS], ids=["alone", "under ours"])
def test_the_launcher_switches_lanebaggage_on(before: list[str], propagators: str) -> None:
    """Under opentelemetry-instrument the lane goes out once and is on the spans, whether or not our launcher is there too."""
    assert run(*before, LAUNCHER, OTEL_PROPAGATORS=propagators) == ON


def test_our_launcher_inside_is_the_same() -> None:
    """The other way round, OpenTelemetry's sitecustomize is the one that ours stands in front of."""
    assert run(LAUNCHER, *OURS) == ON


THEIRS = str(Path(auto_instrumentation.__file__).parent)


@pytest.mark.parametrize("directories", [[THEIRS], [THEIRS, SITE], [SITE, THEIRS]], ids=["alone", "before ours", "after ours"])
def test_the_operators_injection_is_enough(directories: list[str]) -> None:
    """The Kubernetes operator sets no command: it puts OpenTelemetry's directory on PYTHONPATH, in any order with ours."""
    assert run(PYTHONPATH=os.pathsep.join(directories)) == ON


def test_our_launcher_keeps_the_operators_injection() -> None:
    """Our launcher as the command of a container into which the operator injects: both are on, once."""
    assert run(*OURS, PYTHONPATH=THEIRS) == ON


def test_the_launchers_options_are_settings() -> None:
    """``--lanebaggage_trace_header`` and its like are options of OpenTelemetry's launcher."""
    lines = run(LAUNCHER, "--lanebaggage_trace_header", "baggage")
    assert lines[-1] == "sent ['s2'] ['x-asm-prefer-tag=s2']"


@pytest.mark.parametrize("propagators", ["tracecontext,baggage", "tracecontext,baggage,lane"])
@pytest.mark.parametrize("env", [{"LANEBAGGAGE_AUTO": "0"}, {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests, lanebaggage"}])
def test_it_can_be_left_off(env: dict[str, str], propagators: str) -> None:
    """Either variable keeps OpenTelemetry's launcher, and the propagator that it makes, from switching lanebaggage on."""
    assert run(LAUNCHER, OTEL_PROPAGATORS=propagators, **env) == ["on False", "span {}", "sent None None"]


def test_the_counters_are_exported() -> None:
    """OpenTelemetry's launcher exports what lanebaggage counts, without a line of code."""
    shown = "\n".join(run(LAUNCHER, OTEL_METRICS_EXPORTER="console"))
    metric = json.loads(shown[shown.index("{\n") :])["resource_metrics"][0]["scope_metrics"]
    (events,) = (one for scope in metric for one in scope["metrics"] if one["name"] == "lanebaggage.events")
    assert {point["attributes"]["event"]: point["value"] for point in events["data"]["data_points"]}["injected"] == 1
