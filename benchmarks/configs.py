"""The configurations that are compared, each set up in a process of its own as its documentation says, exporting nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from . import floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .case import Case


class Config:
    """Un-instrumented; what the others are compared with."""

    environment: ClassVar[dict[str, str]] = {}
    """Variables of the process."""
    switchable = False
    """Whether it can be switched off and on again in one process."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.header = floor.header_of(case.situation)
        self.endings: list[Callable[[], Any]] = []
        """What ends what the case started, the last one first."""

    def end(self) -> None:
        """End what the case started, and undo the instrumentation where that is possible."""
        while self.endings:
            self.endings.pop()()
        if self.switchable:
            self.off()

    def on(self) -> None:
        """Instrument; called before the case is made."""

    def off(self) -> None:
        """Undo that."""

    def serve(self, headers: dict[str, str]) -> None:
        """From now on, be serving a request with these headers."""

    def extract(self, headers: dict[str, str]) -> None:
        """Enter a request and leave it, by hand."""

    def inject(self, headers: dict[str, str], url: str) -> None:
        """Add headers by hand."""

    def bare_wsgi(self, application: type) -> Any:
        """An object of this class, instrumented as a bare WSGI application is."""
        return application()

    def bare_asgi(self, application: type) -> Any:
        """An object of this class, instrumented as a bare ASGI application is."""
        return application()

    def before_django(self) -> None:
        """Django's settings are complete; the last moment to change them."""

    def httpx_client(self, client: Any) -> None:
        """Instrument a client whose transport is not httpx's own."""

    def grpc_served(self, context: Any) -> None:
        """Called in a gRPC handler."""


class Floor(Config):
    """A ContextVar and a header, written by hand."""

    switchable = True

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._bare: list[tuple[type, Any]] = []

    def on(self) -> None:
        floor.install(self.case.library, self.header)
        for application, make in self._bare:
            floor.replace(application, "__call__", make)

    def off(self) -> None:
        floor.restore()

    def serve(self, headers: dict[str, str]) -> None:
        floor.VALUE.set(headers.get(self.header))

    def extract(self, headers: dict[str, str]) -> None:
        token = floor.VALUE.set(headers.get(self.header))
        floor.VALUE.reset(token)

    def inject(self, headers: dict[str, str], url: str) -> None:
        value = floor.VALUE.get()
        if value is not None:
            headers[self.header] = value

    def bare_wsgi(self, application: type) -> Any:
        self._bare.append((application, floor.wsgi_call(self.header)))
        floor.replace(application, "__call__", self._bare[-1][1])
        return application()

    def bare_asgi(self, application: type) -> Any:
        self._bare.append((application, floor.asgi_call(self.header)))
        floor.replace(application, "__call__", self._bare[-1][1])
        return application()

    def grpc_served(self, context: Any) -> None:
        floor.VALUE.set(next((value for name, value in context.invocation_metadata() if name == self.header), None))


class Lanebaggage(Config):
    """One line: ``auto_instrument()``; the default settings, or baggage mode."""

    switchable = True

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._bare: list[tuple[type, Any]] = []

    def on(self) -> None:
        import lanebaggage

        lanebaggage.auto_instrument(trace_header=self.header)
        for application, make in self._bare:
            self._patch(application, make)

    def off(self) -> None:
        import lanebaggage

        lanebaggage.uninstrument()

    def serve(self, headers: dict[str, str]) -> None:
        import lanebaggage

        lanebaggage.extract(headers).__enter__()

    def extract(self, headers: dict[str, str]) -> None:
        from lanebaggage import extract

        with extract(headers):
            pass

    def inject(self, headers: dict[str, str], url: str) -> None:
        from lanebaggage import inject

        inject(headers, url)

    def bare_wsgi(self, application: type) -> Any:
        from lanebaggage.instrumentation.servers._wsgi import call

        return self._patched(application, call)

    def bare_asgi(self, application: type) -> Any:
        from lanebaggage.instrumentation.servers._asgi import call

        return self._patched(application, call)

    def _patched(self, application: type, make: Any) -> Any:
        self._bare.append((application, make))
        self._patch(application, make)
        return application()

    def _patch(self, application: type, make: Any) -> None:
        from lanebaggage.instrumentation._patching import Patcher

        Patcher("bench").method(application, "__call__", make)


class OpenTelemetryAPI(Config):
    """OpenTelemetry's instrumentations on the API alone, whose tracer does nothing; baggage is the only propagator."""

    environment: ClassVar[dict[str, str]] = {"OTEL_PROPAGATORS": "baggage"}

    def on(self) -> None:
        for name in self.case.opentelemetry:
            if "django" not in name:
                self._instrument(name)

    def _instrument(self, name: str) -> None:
        package, _, instrumentor = name.partition(":")
        getattr(import_module(f"opentelemetry.instrumentation.{package}"), instrumentor)().instrument()

    def serve(self, headers: dict[str, str]) -> None:
        from opentelemetry import context, propagate

        context.attach(propagate.extract(headers))

    def extract(self, headers: dict[str, str]) -> None:
        from opentelemetry import context, propagate

        token = context.attach(propagate.extract(headers))
        context.detach(token)

    def inject(self, headers: dict[str, str], url: str) -> None:
        from opentelemetry import propagate

        propagate.inject(headers)

    def bare_wsgi(self, application: type) -> Any:
        from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

        return OpenTelemetryMiddleware(application())

    def bare_asgi(self, application: type) -> Any:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        return OpenTelemetryMiddleware(application())

    def before_django(self) -> None:
        self._instrument("django:DjangoInstrumentor")

    def httpx_client(self, client: Any) -> None:
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor.instrument_client(client)


class OpenTelemetrySDK(OpenTelemetryAPI):
    """The same with the SDK's tracer provider, without a processor or an exporter."""

    def on(self) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        trace.set_tracer_provider(TracerProvider())
        super().on()


class Ddtrace(Config):
    """ddtrace, its traces dropped by a processor, its telemetry and remote configuration switched off."""

    environment: ClassVar[dict[str, str]] = {
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_TRACE_STARTUP_LOGS": "false",
        "DD_TRACE_STATS_COMPUTATION_ENABLED": "false",
        "DD_RUNTIME_METRICS_ENABLED": "false",
    }

    def on(self) -> None:
        from ddtrace import patch
        from ddtrace.trace import TraceFilter, tracer

        class Drop(TraceFilter):
            def process_trace(self, trace: Any) -> None:
                return None

        tracer.configure(trace_processors=[Drop()])
        patch(raise_errors=True, **dict.fromkeys(self.case.ddtrace, True))

    def serve(self, headers: dict[str, str]) -> None:
        from ddtrace.propagation.http import HTTPPropagator
        from ddtrace.trace import tracer

        tracer.context_provider.activate(HTTPPropagator.extract(headers))

    def extract(self, headers: dict[str, str]) -> None:
        from ddtrace.propagation.http import HTTPPropagator
        from ddtrace.trace import tracer

        tracer.context_provider.activate(HTTPPropagator.extract(headers))
        tracer.context_provider.activate(None)

    def inject(self, headers: dict[str, str], url: str) -> None:
        from ddtrace.propagation.http import HTTPPropagator
        from ddtrace.trace import tracer

        HTTPPropagator.inject(tracer.context_provider.active(), headers)

    def bare_wsgi(self, application: type) -> Any:
        from ddtrace.contrib.wsgi import DDWSGIMiddleware

        return DDWSGIMiddleware(application())

    def bare_asgi(self, application: type) -> Any:
        from ddtrace.contrib.asgi import TraceMiddleware

        return TraceMiddleware(application())


class Sentry(Config):
    """Sentry without performance tracing: it propagates its trace and reports errors; what it sends is dropped."""

    def on(self) -> None:
        import sentry_sdk
        from sentry_sdk.transport import Transport

        class Drop(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                pass

        integrations = []
        for name in self.case.sentry:
            module, _, integration = name.partition(":")
            integrations.append(getattr(import_module(f"sentry_sdk.integrations.{module}"), integration)())
        sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Drop, integrations=integrations)

    def serve(self, headers: dict[str, str]) -> None:
        import sentry_sdk

        sentry_sdk.continue_trace(headers)

    def extract(self, headers: dict[str, str]) -> None:
        import sentry_sdk

        with sentry_sdk.isolation_scope():
            sentry_sdk.continue_trace(headers)

    def inject(self, headers: dict[str, str], url: str) -> None:
        import sentry_sdk

        headers.update(sentry_sdk.get_current_scope().iter_trace_propagation_headers())

    def bare_wsgi(self, application: type) -> Any:
        from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

        return SentryWsgiMiddleware(application())

    def bare_asgi(self, application: type) -> Any:
        from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

        return SentryAsgiMiddleware(application())


CONFIGS: dict[str, type[Config]] = {
    "none": Config,
    "floor": Floor,
    "lanebaggage": Lanebaggage,
    "otel-api": OpenTelemetryAPI,
    "otel-sdk": OpenTelemetrySDK,
    "ddtrace": Ddtrace,
    "sentry": Sentry,
}
