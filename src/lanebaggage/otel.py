"""The lane on OpenTelemetry's spans and metrics; needs ``opentelemetry-sdk`` (``pip install 'lanebaggage[otel]'``).

Under ``opentelemetry-instrument`` both happen by themselves. Lanes come from requests, so a metric never has one attribute
value per lane that somebody thought of: lanes that are not known are ``other``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

from . import _runtime
from ._context import current_lane
from ._stats import counts
from ._watch import Hop, on_hop
from .propagator import carried_in

try:
    from opentelemetry.sdk.trace import SpanProcessor
except ModuleNotFoundError as error:
    raise ImportError("lanebaggage.otel needs opentelemetry-sdk: pip install 'lanebaggage[otel]'") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final

    from opentelemetry.context.context import Context
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.sdk.trace import Span

LANE: Final = "lane"
"""The attribute's name on spans and metrics."""
OTHER: Final = "other"
NONE: Final = "none"


class LaneSpanProcessor(SpanProcessor):
    """Sets the attribute ``lane`` on each span that starts in a lane."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set it; a span outside every lane has none."""
        current = carried_in(parent_context)
        if current is not None and current.lane is not None:
            span.set_attribute(LANE, current.lane)


def add_to_spans(provider: trace.TracerProvider | None = None) -> bool:
    """Have every span of a provider carry its lane.

    :param provider: the SDK's tracer provider; the global one unless given.
    :return: whether the provider takes span processors; the API's own, without an SDK set up, does not.
    """
    add = getattr(provider or trace.get_tracer_provider(), "add_span_processor", None)
    if add is None:
        return False
    add(LaneSpanProcessor())
    return True


def metric_lane(lane: str | None = None, known: Iterable[str] | None = None) -> str:
    """A lane as the value of a metric's attribute: few different ones, whatever requests bring.

    :param lane: the lane; the current one unless given.
    :param known: the lanes that count by name; those of the setting ``lanes`` unless given.
    :return: a known lane's name, ``other``, or ``none`` outside every lane.
    """
    name = current_lane() if lane is None else lane
    if name is None:
        return NONE
    names = _runtime.settings.lanes if known is None else frozenset(known)
    return name if names and name in names else OTHER


def observe(
    provider: MeterProvider | None = None, *, hops: bool = False, known: Iterable[str] | None = None
) -> Callable[[], None]:
    """Publish what ``lanebaggage.stats()`` counts as the metric ``lanebaggage.events``.

    :param provider: the meter provider; the global one unless given.
    :param hops: also count hops as ``lanebaggage.hops`` with direction, lane and outcome; costs a few microseconds a hop.
    :param known: the lanes that count by name in it, as for :func:`metric_lane`.
    :return: a function that ends the counting of hops.
    """
    meter = metrics.get_meter("lanebaggage", meter_provider=provider)
    meter.create_observable_counter("lanebaggage.events", [_events], unit="{event}", description="What lanebaggage did.")
    if not hops:
        return _nothing
    counter = meter.create_counter("lanebaggage.hops", unit="{hop}", description="Hops by direction, lane and outcome.")
    names = None if known is None else frozenset(known)

    def count(hop: Hop) -> None:
        lane = NONE if hop.lane is None else metric_lane(hop.lane, names)
        outcome = "arrived" if hop.direction == "in" else "sent" if hop.sent else "refused"
        counter.add(1, {"direction": hop.direction, LANE: lane, "outcome": outcome})

    return on_hop(count)


def _events(_options: CallbackOptions) -> Iterator[Observation]:
    for event, count in counts.as_dict().items():
        yield metrics.Observation(count, {"event": event})


def _nothing() -> None:
    """There is nothing to end."""
