"""LanePropagator itself: what it reads, for whom it writes, and that making it switches lanebaggage on."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator

import lanebaggage
from lanebaggage._context import OTEL_KEY
from lanebaggage.propagator import LanePropagator, carried_in

HEADER = "x-asm-prefer-tag"


def inject_as(module: str, carrier: Any, **options: Any) -> Any:
    """Inject as a function of this module would, through the API's own propagators."""
    caller = types.ModuleType(module)
    exec("def send(propagator, carrier, options):\n    propagator.inject(carrier, **options)", vars(caller))
    caller.send(CompositePropagator([LanePropagator(instrument=False)]), carrier, options)
    return carrier


def test_making_one_switches_lanebaggage_on() -> None:
    """The propagator brings the clients that know where a request goes; asked not to, it does not."""
    LanePropagator(instrument=False)
    assert not lanebaggage.instrumentation.report().rows
    LanePropagator()
    assert lanebaggage.instrumentation.report().rows


def test_wrong_settings_do_not_stop_opentelemetry(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """OpenTelemetry makes propagators while it is imported: a setting that cannot be used is a line, not an exception."""
    monkeypatch.setenv("LANEBAGGAGE_ROUTE_HEADER", "a b")
    LanePropagator()
    assert "LANEBAGGAGE_ROUTE_HEADER: route_header must be" in capsys.readouterr().err


def test_it_is_found_by_name() -> None:
    """OTEL_PROPAGATORS and the launcher find their entry points in the installed package."""
    from importlib.metadata import entry_points

    (found,) = entry_points(group="opentelemetry_propagator", name="lane")
    assert found.load() is LanePropagator
    for group in ("pre_instrument", "post_instrument"):
        (found,) = entry_points(group=f"opentelemetry_{group}", name="lanebaggage")
        assert callable(found.load())


# --- extract


@pytest.mark.parametrize(
    ("settings", "carrier", "lane"),
    [
        ({}, {HEADER: "s2"}, "s2"),
        ({}, {HEADER: ["s2", "s2"]}, "s2"),
        ({}, {HEADER: ["s2", "s3"]}, None),
        ({}, {}, None),
        ({"trace_header": "baggage"}, {"baggage": f"a=1,{HEADER}=s2"}, "s2"),
        ({"edge": True}, {HEADER: "s2"}, None),
    ],
)
def test_extract_reads_as_every_server_does(settings: dict[str, Any], carrier: dict[str, Any], lane: str | None) -> None:
    """Extracting gives a context in which current_lane() is the carrier's lane, and none where it names no single one."""
    lanebaggage.auto_instrument(**settings)
    context = LanePropagator().extract(carrier)
    token = otel_context.attach(context)
    assert lanebaggage.current_lane() == lane
    otel_context.detach(token)
    assert lanebaggage.current_lane() is None


def test_extract_carries_prefix_patterns() -> None:
    """Headers that match a prefix of pass_through are carried too."""
    lanebaggage.auto_instrument(pass_through=["x-sermant-*"])
    context = LanePropagator().extract({"x-sermant-zone": "z1", "x-other": "1"})
    assert context[OTEL_KEY].headers == (("x-sermant-zone", "z1"),)


def test_extract_keeps_the_context_it_is_given() -> None:
    """A carrier that brings nothing leaves what the context has (OpenTelemetry's specification of extract)."""
    propagator = LanePropagator(instrument=False)
    context = propagator.extract({HEADER: "s2"}, Context({"other": 1}))
    assert propagator.extract({}, context) is context
    assert (context["other"], carried_in(context).lane) == (1, "s2")


def test_what_lanebaggage_knows_wins_over_otels_context() -> None:
    """Leaving every lane by hand is not undone by what OpenTelemetry extracted."""
    token = otel_context.attach(LanePropagator(instrument=False).extract({HEADER: "s2"}))
    with lanebaggage.lane(None):
        assert lanebaggage.current_lane() is None
    assert lanebaggage.current_lane() == "s2"
    otel_context.detach(token)


def test_a_request_counted_by_a_server_is_not_counted_again() -> None:
    """Extracting below a server of ours leaves the counter and the watchers alone."""
    hops: list[Any] = []
    stop = lanebaggage.on_hop(hops.append)
    with lanebaggage.extract({HEADER: "s2"}):
        before = lanebaggage.stats()["extracted"]
        LanePropagator(instrument=False).extract({HEADER: "s2"})
        assert lanebaggage.stats()["extracted"] == before
    stop()
    assert len(hops) == 1


@pytest.mark.parametrize("carrier", [None, 7, object()])
def test_a_carrier_that_cannot_be_read_or_written_raises_nothing(carrier: Any) -> None:
    """Whatever the carrier is, neither direction raises."""
    propagator = LanePropagator(instrument=False)
    assert propagator.extract(carrier) == Context()
    with lanebaggage.lane("s2"):
        propagator.inject(carrier)


# --- inject


@pytest.mark.parametrize(
    ("module", "allow", "on", "sent"),
    [
        ("orders", (), False, True),
        ("orders", (), True, True),
        ("opentelemetry.instrumentation.remoulade", (), True, True),
        ("opentelemetry.instrumentation.requests", (), True, False),
        ("opentelemetry.instrumentation.requests", ("*",), True, False),
        ("opentelemetry.instrumentation.grpc._client", (), True, False),
        ("opentelemetry.instrumentation.requests", (), False, False),
        ("opentelemetry.instrumentation.requests", ("*",), False, True),
    ],
)
def test_who_asks_decides(module: str, allow: tuple[str, ...], on: bool, sent: bool) -> None:
    """By hand, and for brokers of others, it writes; OTel's clients are left to ours, or need allow='*' without them."""
    lanebaggage.auto_instrument(allow=allow)
    if not on:
        lanebaggage.uninstrument()
    with lanebaggage.lane("s2"):
        assert inject_as(module, {}) == ({HEADER: "s2"} if sent else {})


def test_without_our_clients_it_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing may be sent because no host is known, one warning names both ways out."""
    with lanebaggage.lane("s2"):
        inject_as("opentelemetry.instrumentation.httpx", {})
        inject_as("opentelemetry.instrumentation.httpx", {})
    (record,) = caplog.records
    assert "call lanebaggage.auto_instrument()" in record.getMessage()
    assert "allow='*'" in record.getMessage()


@pytest.mark.parametrize(
    ("host", "sent"), [("mockb:8080", True), ("api.partner.example", False), ("api.partner.example:443", False)]
)
def test_a_carrier_that_names_its_host_is_judged_by_it(host: str, sent: bool) -> None:
    """Headers that have a Host, injected into by hand, get the lane only where that host may have it."""
    with lanebaggage.lane("s2"):
        assert (HEADER in inject_as("orders", {"Host": host})) == sent


def test_a_header_that_is_there_is_kept() -> None:
    """One value, always: the carrier's own header stays, whatever its case, and baggage is merged."""
    lanebaggage.auto_instrument(trace_header="baggage")
    with lanebaggage.lane("s2"):
        carrier = inject_as("orders", {"X-ASM-Prefer-Tag": "own", "baggage": "a=1"})
    assert carrier == {"X-ASM-Prefer-Tag": "own", "baggage": f"a=1,{HEADER}=s2"}


def test_a_context_of_its_own_brings_its_lane() -> None:
    """An explicit context that another carrier was extracted into wins over what is being done, as in a batch of messages."""
    message = LanePropagator(instrument=False).extract({HEADER: "s3"})
    with lanebaggage.lane("s2"):
        assert inject_as("orders", {}, context=message) == {HEADER: "s3"}
        assert inject_as("orders", {}, context=Context()) == {HEADER: "s2"}


def test_a_lane_entered_by_hand_wins_over_the_requests_context() -> None:
    """A context derived from the current one brings nothing of its own, so that lane() decides."""
    token = otel_context.attach(LanePropagator(instrument=False).extract({HEADER: "s2"}))
    with lanebaggage.lane("s4"):
        assert inject_as("orders", {}, context=otel_context.set_value("span", 1)) == {HEADER: "s4"}
    otel_context.detach(token)


def test_fields_are_the_names_it_may_set() -> None:
    """OpenTelemetry asks for them before a carrier is used again, and for message attributes."""
    lanebaggage.auto_instrument(trace_header="baggage", pass_through=["x-zone", "x-sermant-*"])
    assert LanePropagator().fields == {HEADER, "baggage", "x-zone"}


def test_a_service_without_opentelemetry_does_not_import_it() -> None:
    """Nothing of OpenTelemetry is imported by lanebaggage itself."""
    import subprocess

    code = "import sys, lanebaggage as lb; lb.auto_instrument(); lb.current_lane(); print('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
