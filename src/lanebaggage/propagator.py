"""``LanePropagator``: OpenTelemetry's view of what is carried, for ``OTEL_PROPAGATORS=tracecontext,baggage,lane``.

A propagator is told neither where a request goes nor that it is a redirect to somebody else. So it reads, and what
OpenTelemetry's instrumentations of HTTP and gRPC clients send is left to lanebaggage's own, which decide per hop and host:
making the propagator switches them on. It writes where the application or another library calls ``inject`` by hand, which
vouches for the target as ``lanebaggage.inject(headers)`` does, and for brokers that only OpenTelemetry instruments.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.context import get_value, set_value
from opentelemetry.context.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter

from . import _log, _runtime, instrumentation
from ._context import CARRIED, OTEL_KEY, UNSET, carried
from ._hop import sending, text
from ._launcher.start import start
from ._otel import wanted
from ._stats import counts
from ._wire import Carried, Wire

if TYPE_CHECKING:
    from typing import Any, Final

    from opentelemetry.propagators.textmap import CarrierT, Getter, Setter

_INSTRUMENTATIONS: Final = "opentelemetry.instrumentation."
_BROKERS: Final = frozenset(f"{_INSTRUMENTATIONS}{name}" for name in ("boto3sqs", "remoulade"))
"""Instrumentations of brokers that lanebaggage has none for."""


class LanePropagator(TextMapPropagator):
    """Extracts the configured headers into OpenTelemetry's context, and injects what is carried."""

    def __init__(self, *, instrument: bool = True) -> None:
        """Make a propagator.

        :param instrument: switch lanebaggage on, as ``auto_instrument()`` does, unless ``LANEBAGGAGE_AUTO`` is false;
            without it nothing but OpenTelemetry's own instrumentations sends anything, and they do so only where ``allow``
            is ``*``, since neither host nor redirects can be told apart there.
        """
        if instrument and wanted():
            start()

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:
        """The context with what the carrier brings; the same one where it brings nothing (OpenTelemetry's API, propagators)."""
        known = Context() if context is None else context
        try:
            current = self._read(carrier, getter)
        except Exception as error:
            _log.warn_limited("propagator", "could not read a %s (%s)", type(carrier).__name__, type(error).__name__)
            return known
        return known if current is None else set_value(OTEL_KEY, current, known)

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """Set what is carried, where the caller may send it; see the module's description."""
        try:
            current = carried_in(context)
            if current is None or not _may_send(_caller(sys._getframe(1))):
                return
            own = _readable(carrier)
            if "host" in own and sending(own["host"].rpartition(":")[0] or own["host"]) is None:
                return
            for name, value in _runtime.wire.additions(current, own.get):
                setter.set(carrier, name, value)
        except Exception as error:
            _log.warn_limited("propagator", "could not write a %s (%s)", type(carrier).__name__, type(error).__name__)

    @property
    def fields(self) -> set[str]:
        """The names that ``inject`` may set; those of prefix patterns are not known beforehand."""
        settings = _runtime.settings
        names = {settings.route_header, settings.trace_header, *settings.pass_through}
        return {name for name in names if not name.endswith("*")}

    def _read(self, carrier: Any, getter: Any) -> Carried | None:
        settings = _runtime.settings
        prefixes = tuple(name[:-1] for name in settings.pass_through if name.endswith("*"))
        names = self.fields
        if prefixes:
            names |= {key.lower() for key in getter.keys(carrier) if isinstance(key, str) and key.lower().startswith(prefixes)}
        pairs = [(name, value) for name in sorted(names) for value in getter.get(carrier, name) or ()]
        if not pairs:
            return None
        before = counts.extracted
        current = Wire.from_pairs(_runtime.wire, pairs)  # a server of ours has told the watchers already
        if CARRIED.get() is not UNSET:
            counts.extracted = before  # and counted it
        return current


def carried_in(context: Context | None) -> Carried | None:
    """What is carried: by a context that is given and brings something of its own, or by what is being done here."""
    if context is not None:
        given = get_value(OTEL_KEY, context)
        if isinstance(given, Carried) and given is not get_value(OTEL_KEY):
            return given
    return carried()


def _may_send(caller: str) -> bool:
    if not caller.startswith(_INSTRUMENTATIONS):
        return True
    if caller.startswith(tuple(_BROKERS)):
        return True
    if instrumentation.report().rows:
        return False
    if "*" in _runtime.settings.allow:
        return True
    _log.warn_once(
        "propagator host",
        "LanePropagator(instrument=False) is not told where a request goes, so nothing is sent: call "
        "lanebaggage.auto_instrument(), whose clients know, or allow every host with allow='*'",
    )
    return False


def _caller(frame: Any) -> str:
    """Module of the function that asked for an injection, past the propagators that handed it on."""
    while frame is not None and frame.f_code.co_name == "inject":
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", ""))


def _readable(carrier: Any) -> dict[str, str]:
    """Lower-case names and values of a carrier, as far as it can be read."""
    pairs = carrier.items() if isinstance(carrier, Mapping) or hasattr(carrier, "items") else carrier
    if not isinstance(carrier, Mapping) and not hasattr(carrier, "items") and not isinstance(carrier, (list, tuple)):
        return {}
    return {text(name).lower(): text(value) for name, value in pairs}
