"""Beside ddtrace, sentry-sdk and instana, each in a process of its own, patched before and after: ``nox -s neighbours``."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from ..driving import HEADER, drive, values

OFF = {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}
NEIGHBOURS: dict[str, tuple[str, dict[str, str]]] = {
    "ddtrace": ("x-datadog-trace-id", {"DD_TRACE_AGENT_URL": "http://127.0.0.1:9", "DD_TRACE_STARTUP_LOGS": "false", **OFF}),
    "sentry": ("sentry-trace", {}),
    "instana": ("x-instana-t", {"INSTANA_TEST": "true"}),
}
"""Each neighbour's step of the driver: a header of its own, and what keeps it from looking for its agent."""
CALLS = {"flask-requests": 1, "flask-threads": 2, "fastapi-httpx": 1, "aiohttp": 1, "grpc": 1, "grpc-aio": 1}
SILENT = {("instana", "aiohttp"), ("instana", "grpc-aio"), ("sentry", "grpc"), ("sentry", "grpc-aio")}
"""Where a neighbour, as it is switched on here, sends no header of its own."""
MODES: dict[str, dict[str, Any]] = {
    "arrived": {},
    "arrived in baggage": {"trace_header": "baggage"},
    "entered in baggage": {"trace_header": "baggage", "enter": "s4"},
}


@cache
def own_headers(neighbour: str, stack: str) -> list[int]:
    """How often each call has the neighbour's header where it is alone."""
    name, env = NEIGHBOURS[neighbour]
    return [len(one) for one in values(drive(stack, neighbour, env), name)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ["{},lanebaggage", "lanebaggage,{}"], ids=["neighbour first", "lanebaggage first"])
@pytest.mark.parametrize("stack", CALLS)
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_both_do_their_work(neighbour: str, stack: str, order: str, mode: str) -> None:
    """The lane goes out once; the neighbour's header is there as it is without us; nothing fails."""
    own, env = NEIGHBOURS[neighbour]
    result = drive(stack, order.format(neighbour), env, **MODES[mode])
    lanes = [["s4"]] * 3 if mode.startswith("entered") else [["s2"], ["s3"], []]
    expected = [lane for lane in lanes for _ in range(CALLS[stack])]
    assert [lane for lane, _ in result["seen"]] == ["s2", "s3", None]
    if mode != "arrived in baggage":
        assert values(result, HEADER) == expected
    if mode != "arrived":
        lines = values(result, "baggage")
        members = [[m.strip() for line in one for m in line.split(",") if m.strip().startswith(HEADER)] for one in lines]
        assert members == [[f"{HEADER}={lane}" for lane in one] for one in expected]
        assert all(len(one) == 1 for one in lines)
    assert [len(one) for one in values(result, own)] == own_headers(neighbour, stack)
    assert max(own_headers(neighbour, stack)) == ((neighbour, stack) not in SILENT) or (neighbour, stack) == (
        "instana",
        "flask-threads",
    )
    assert result["stats"]["failed"] == 0
