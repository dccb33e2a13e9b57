"""A Flask service traced by OpenTelemetry, with the lane on its spans and log lines; it forwards no header by hand.

Environment: ``app`` names it, ``upstream_url`` is the next service (none for the last one), ``PORT`` is where it listens.
Each span is printed as one line when it ends.
"""

import logging
import os
import sys

import requests
from flask import Flask
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import lanebaggage
from lanebaggage.logs import LaneFilter
from lanebaggage.otel import add_to_spans

NAME = os.environ["app"]
UPSTREAM = os.environ.get("upstream_url", "")


def set_up_telemetry(app):
    """OpenTelemetry as usual; the two lines of lanebaggage may stand before or after it."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=one_line)))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor().instrument_app(app)
    RequestsInstrumentor().instrument()

    lanebaggage.auto_instrument()
    add_to_spans(provider)


def set_up_logging():
    """A log line names its lane, too."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(f"{NAME} log  [lane=%(lane)s] %(message)s"))
    handler.addFilter(LaneFilter())
    logging.getLogger("shop").addHandler(handler)
    logging.getLogger("shop").setLevel(logging.INFO)


def one_line(span):
    """A span as the example prints it."""
    trace_id = f"{span.context.trace_id:032x}"[-4:]
    return f"{NAME} span [lane={span.attributes.get('lane', '-')}] {span.kind.name.lower()}, trace ...{trace_id}\n"


app = Flask(NAME)


@app.get("/")
def view():
    """Log, and call the next service."""
    logging.getLogger("shop").info("serving")
    return requests.get(UPSTREAM, timeout=10).text if UPSTREAM else "done"


if __name__ == "__main__":
    set_up_telemetry(app)
    set_up_logging()
    logging.getLogger("werkzeug").disabled = True
    app.run("127.0.0.1", int(os.environ["PORT"]))
