"""The lane on spans and metrics, with few different values whatever requests bring."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import lanebaggage
from lanebaggage import _otel
from lanebaggage.otel import add_to_spans, metric_lane, observe
from lanebaggage.propagator import LanePropagator

HEADER = "x-asm-prefer-tag"


def test_spans_carry_the_lane_they_start_in() -> None:
    """A span has the lane that is current when it starts, or that of the context it is given, and none outside every lane."""
    provider = TracerProvider()
    assert add_to_spans(provider)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with lanebaggage.lane("s2"):
        tracer.start_span("in").end()
    tracer.start_span("context", context=LanePropagator(instrument=False).extract({HEADER: "s3"})).end()
    tracer.start_span("out").end()
    assert {span.name: (span.attributes or {}).get("lane") for span in exporter.get_finished_spans()} == {
        "in": "s2",
        "context": "s3",
        "out": None,
    }


def test_without_an_sdk_there_is_nothing_to_add_to() -> None:
    """The API's own provider takes no processors, and nothing is raised."""
    from opentelemetry.trace import NoOpTracerProvider

    assert not add_to_spans(NoOpTracerProvider())


def test_after_opentelemetrys_launcher_nothing_happens_where_lanebaggage_is_off() -> None:
    """The launcher's second entry point adds to spans and metrics only where lanebaggage is on."""
    _otel.post_instrument()
    lanebaggage.auto_instrument()
    _otel.post_instrument()


@pytest.mark.parametrize(
    ("settings", "known", "expected"),
    [({}, None, "other"), ({}, ["s2"], "s2"), ({}, ["s3"], "other"), ({"lanes": ["s2"]}, None, "s2")],
)
def test_a_metrics_lane_is_known_or_other(settings: dict[str, Any], known: list[str] | None, expected: str) -> None:
    """A lane that nobody has named is ``other``, and no lane is ``none``, so that a metric's series stay few."""
    lanebaggage.auto_instrument(**settings)
    with lanebaggage.lane("s2"):
        assert metric_lane(known=known) == expected
    assert metric_lane(known=known) == "none"


def points(reader: InMemoryMetricReader, metric: str) -> dict[tuple[Any, ...], float]:
    data = reader.get_metrics_data()
    assert data is not None
    found = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for one in scope.metrics:
                if one.name == metric:
                    for point in one.data.data_points:
                        found[tuple((point.attributes or {}).values())] = point.value  # type: ignore[union-attr]
    return found


def test_the_counters_are_a_metric() -> None:
    """``lanebaggage.events`` has what ``stats()`` has, one series per event."""
    reader = InMemoryMetricReader()
    observe(MeterProvider([reader]))
    with lanebaggage.lane("s2"):
        lanebaggage.inject({}, url="http://mockb/")
    assert points(reader, "lanebaggage.events") == {(event,): count for event, count in lanebaggage.stats().items()}
    assert points(reader, "lanebaggage.hops") == {}


def test_hops_are_a_metric_when_asked() -> None:
    """``lanebaggage.hops`` counts by direction, guarded lane and outcome, until it is ended."""
    reader = InMemoryMetricReader()
    stop = observe(MeterProvider([reader]), hops=True, known=["s2"])
    for lane in ("s2", "s2", "thought-up"):
        with lanebaggage.extract({HEADER: lane}):
            lanebaggage.inject({}, url="http://mockb/")
    with lanebaggage.lane("s2"):
        lanebaggage.inject({}, url="http://partner.example/")
    stop()
    with lanebaggage.extract({HEADER: "s2"}):
        pass
    assert points(reader, "lanebaggage.hops") == {
        ("in", "s2", "arrived"): 2,
        ("in", "other", "arrived"): 1,
        ("out", "s2", "sent"): 2,
        ("out", "other", "sent"): 1,
        ("out", "s2", "refused"): 1,
    }


def test_without_the_sdk_the_import_says_what_to_install() -> None:
    """The module that needs the SDK names the pip line, and OpenTelemetry's launcher goes on without it."""
    code = (
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
        "import lanebaggage, lanebaggage._otel\n"
        "lanebaggage.auto_instrument(); lanebaggage._otel.post_instrument()\n"
        "try: import lanebaggage.otel\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "lanebaggage.otel needs opentelemetry-sdk: pip install 'lanebaggage[otel]'\n"
