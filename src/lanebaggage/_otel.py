"""What ``opentelemetry-instrument`` and the Kubernetes operator's injection call: entry points of OpenTelemetry's launcher."""

from __future__ import annotations

import os

from . import _otel_environment
from ._launcher.start import start
from ._settings import flag

_PREFIX = "OTEL_PYTHON_"


def pre_instrument() -> None:
    """Switch lanebaggage on, before OpenTelemetry's instrumentations, unless ``LANEBAGGAGE_AUTO`` is false.

    ``OTEL_PYTHON_LANEBAGGAGE_*`` variables, which are what options of that launcher become, stand for ``LANEBAGGAGE_*``
    ones that are not set.
    """
    for name in vars(_otel_environment):
        if name.startswith(_PREFIX) and name in os.environ:
            os.environ.setdefault(name.removeprefix(_PREFIX), os.environ[name])
    if wanted():
        start()


def post_instrument() -> None:
    """Put the lane on every span, and our counters among the metrics, where OpenTelemetry's SDK is set up."""
    from . import instrumentation

    if not instrumentation.report().rows:
        return
    try:
        from .otel import add_to_spans, observe
    except ImportError:  # the API without the SDK: there is nothing to add to
        return
    add_to_spans()
    observe()


def wanted() -> bool:
    """Whether neither ``LANEBAGGAGE_AUTO`` nor OpenTelemetry's list of disabled instrumentations says no."""
    disabled = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    if "lanebaggage" in [name.strip() for name in disabled]:
        return False
    value = os.environ.get("LANEBAGGAGE_AUTO")
    try:
        return value is None or flag(value, "LANEBAGGAGE_AUTO", "its value")
    except ValueError:
        return True
