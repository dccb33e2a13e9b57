"""Beside OpenTelemetry's SDK and instrumentations: one header with the right value, in every order, and OTel keeps working."""

from __future__ import annotations

import pytest

from .driving import HEADER, drive, values

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLS = {"flask-requests": 1, "flask-threads": 2, "fastapi-httpx": 1, "aiohttp": 1, "grpc": 1, "grpc-aio": 1}
"""Stacks, and how many calls each makes for one request; the first request is in s2, the second in s3, the third in none."""
WITH_LANE = {"OTEL_PROPAGATORS": "tracecontext,baggage,lane"}


def each(stack: str, *requests: list[str]) -> list[list[str]]:
    """The values expected for each request, for each of the calls that it makes."""
    return [expected for expected in requests for _ in range(CALLS[stack])]


MODES = {
    "lanebaggage alone": ("lanebaggage", {}),
    "OpenTelemetry with our propagator": ("otel", WITH_LANE),
    "both, OpenTelemetry first": ("otel,lanebaggage", {}),
    "both, lanebaggage first": ("lanebaggage,otel", {}),
    "both, with our propagator": ("lanebaggage,otel", WITH_LANE),
    "OpenTelemetry's context replaced": ("lanebaggage,otel,fresh-context", {}),
    "OpenTelemetry's context replaced, with our propagator": ("otel,fresh-context", WITH_LANE),
    "global propagator replaced": ("otel,lanebaggage,other-propagator", WITH_LANE),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stack", CALLS)
def test_the_lane_is_kept(stack: str, mode: str) -> None:
    """The lane is current in the handler and goes out in exactly one header; a request without one brings none."""
    steps, env = MODES[mode]
    result = drive(stack, steps, env)
    assert [lane for lane, _ in result["seen"]] == ["s2", "s3", None]
    assert values(result, HEADER) == each(stack, ["s2"], ["s3"], [])
    assert result["stats"]["failed"] == 0
    if "otel" not in steps:
        return
    spans = [(kind, trace) for kind, trace, _ in result["spans"]]
    assert {lane for *_, lane in result["spans"]} == {"s2", "s3", None}
    if "fresh-context" not in steps:  # there the application has cut the trace off itself
        assert {trace for _, trace in spans} == {TRACE}
        assert {kind for kind, _ in spans} >= {"CLIENT", "SERVER"}
        assert all(len(parents) == 1 and TRACE in parents[0] for parents in values(result, "traceparent"))
        if "other-propagator" not in steps and stack != "aiohttp":  # whose server instrumentation loses its own baggage
            assert {user for _, user in result["seen"]} == {"1;p=q"}
            assert values(result, "baggage") == each(stack, *[["user=1%3Bp%3Dq"]] * 3)


@pytest.mark.parametrize("steps", ["lanebaggage,otel", "otel,lanebaggage"])
@pytest.mark.parametrize("env", [{}, WITH_LANE], ids=["default propagators", "with lane"])
@pytest.mark.parametrize("stack", CALLS)
def test_a_lane_entered_by_hand_replaces_the_one_in_otels_baggage(stack: str, steps: str, env: dict[str, str]) -> None:
    """In baggage mode OpenTelemetry goes on to send the member that arrived; the wire has the new lane, once."""
    result = drive(stack, steps, env, trace_header="baggage", enter="s4")
    assert values(result, HEADER) == each(stack, *[["s4"]] * 3)
    for lines in values(result, "baggage"):
        assert len(lines) == 1
        members = lines[0].split(",")
        assert members.count(f"{HEADER}=s4") == 1
        assert [member for member in members if member.startswith(HEADER)] == [f"{HEADER}=s4"]
        assert any(member.startswith("user=1") for member in members)


@pytest.mark.parametrize("steps", ["lanebaggage,otel", "otel,lanebaggage"])
@pytest.mark.parametrize("stack", CALLS)
def test_baggage_mode_has_one_header(stack: str, steps: str) -> None:
    """In baggage mode the member that arrived goes out once, in one baggage header, whoever writes it."""
    result = drive(stack, steps, trace_header="baggage")
    expected = [[f"{HEADER}=s2"], [f"{HEADER}=s3"], []]
    sent = [[m for line in lines for m in line.split(",") if m.startswith(HEADER)] for lines in values(result, "baggage")]
    assert sent == each(stack, *expected)
    assert {len(lines) for lines in values(result, "baggage")} == {1}


@pytest.mark.parametrize("stack", [stack for stack in CALLS if stack != "aiohttp"])
def test_otels_hooks_alone_carry_the_lane_where_every_host_may_have_it(stack: str) -> None:
    """LanePropagator(instrument=False) leaves all to OpenTelemetry's hooks, and sends with allow='*'."""
    result = drive(stack, "otel,by-hand", {"LANEBAGGAGE_ALLOW": "*"})
    assert [lane for lane, _ in result["seen"]] == ["s2", "s3", None]
    assert values(result, HEADER) == each(stack, ["s2"], ["s3"], [])
