"""Switch the instrumentation on and off; the table of libraries and the report of what was done to each.

The table holds texts only. An integration is imported, and its library patched, when the library itself is imported.
"""

from __future__ import annotations

from importlib import import_module
from threading import RLock

from .. import _log, _runtime
from .._errors import SettingsError
from .._settings import PRESETS, resolve
from . import _imports, _patching
from ._table import TABLE, Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType
    from typing import Final

__all__ = ["PATCHED", "TABLE", "WAITING", "Library", "Report", "Row", "auto_instrument", "report", "uninstrument"]

PATCHED: Final = "patched"
WAITING: Final = "waiting"
"""Not imported by anyone yet; patched as soon as it is."""
DISABLED: Final = "disabled"
UNSUPPORTED: Final = "unsupported"
"""The installed version lacks what is patched."""
FAILED: Final = "failed"


class Row:
    """What was done to one library."""

    __slots__ = ("detail", "library", "role", "status")

    def __init__(self, entry: Library) -> None:
        self.library = entry.library
        self.role = entry.role
        self.status = WAITING
        self.detail = f"until {entry.modules[0]} is imported"

    def __repr__(self) -> str:
        return f"{self.library} ({self.role}): {self.status}, {self.detail}"


class Report:
    """What was done to each library; goes on being up to date as libraries are imported. ``print`` it for a table."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, library: str) -> list[Row]:
        """Rows of one library; several where it is both a client and a server."""
        return [row for row in self.rows if row.library == library]

    def __str__(self) -> str:
        lines = [(row.library, row.role, row.status, row.detail) for row in self.rows]
        widths = [max((len(line[column]) for line in lines), default=0) for column in range(3)]
        return "\n".join(
            "  ".join((*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[3])) for line in lines
        )


always: list[Callable[[], None]] = []
"""Called at the end of each ``auto_instrument()`` that instruments: the launcher's own patches."""

_lock = RLock()
_report = Report()
_on = False
_stop_records: Callable[[], None] | None = None
_arguments: dict[str, object] = {}


def auto_instrument(
    *,
    preset: str | None = None,
    route_header: str | None = None,
    trace_header: str | None = None,
    baggage_key: str | None = None,
    pass_through: Iterable[str] | str | None = None,
    allow: Iterable[str] | str | None = None,
    edge: bool | None = None,
    lanes: Iterable[str] | str | None = None,
    disabled: Iterable[str] | str | None = None,
    response_header: str | None = None,
    log_records: bool | None = None,
    debug: bool | None = None,
    debug_path: str | None = None,
) -> Report:
    """Keep every request in its traffic lane: instrument each supported library, now or when it is imported.

    What is not given comes from ``LANEBAGGAGE_*`` variables, then the preset, then the defaults. Calling again changes
    nothing; calling again with other settings is an error.

    :param preset: ``asm``, ``signadot``, ``telepresence``, ``mirrord``, ``okteto``, ``mse``, ``sermant`` or ``opensergo``.
    :param route_header: header whose value is the lane's name (ASM's ``routeHeader``); ``x-asm-prefer-tag`` by default.
    :param trace_header: end-to-end pass-through header (ASM's ``traceHeader``): the route header for custom-header mode
        (the default), ``baggage`` for baggage mode, another one for trace-ID mode.
    :param baggage_key: key of the lane's member in baggage; the route header's name by default.
    :param pass_through: more headers to forward; ``x-sermant-*`` is a prefix.
    :param allow: hosts outside the mesh that may get the headers: names, ``*.suffix``, addresses, CIDR blocks, or ``*``.
    :param edge: ignore what arrives, since this service is called by strangers.
    :param lanes: the only lane names to believe.
    :param disabled: libraries to leave alone, by their names in the report.
    :param response_header: name of a response header, such as ``x-lane``, that tells the lane; WSGI, ASGI, aiohttp, Tornado.
    :param log_records: give each record of ``logging`` the attribute ``lane``, as ``lanebaggage.logs.add_to_records()`` does.
    :param debug: log each decision once per place in the code, on the logger ``lanebaggage.debug``.
    :param debug_path: a path, such as ``/debug/lanebaggage``, at which a service reports on itself; on the same servers.
    :return: what was done to each library.
    :raises SettingsError: a value cannot be used, or differs from that of an earlier call.
    """
    global _arguments, _on, _stop_records
    given: dict[str, object] = {
        "preset": preset,
        "route_header": route_header,
        "trace_header": trace_header,
        "baggage_key": baggage_key,
        "pass_through": _listed(pass_through),
        "allow": _listed(allow),
        "edge": edge,
        "lanes": _listed(lanes),
        "disabled": _listed(disabled),
        "response_header": response_header,
        "log_records": log_records,
        "debug": debug,
        "debug_path": debug_path,
    }
    given = {name: value for name, value in given.items() if value is not None}
    with _lock:
        if _on and not given:
            return _report
        settings = resolve(given)
        _check_names(settings.disabled, settings.sources["disabled"])
        if _on:
            asked = set(given) | set(PRESETS.get(str(preset), ()))
            changed = [name for name in _runtime.settings.differences(settings) if name in asked]
            if not changed:
                return _report
            if _arguments:
                name = changed[0]
                raise SettingsError(
                    f"auto_instrument() was called before with {name}={getattr(_runtime.settings, name)!r}, now with "
                    f"{getattr(settings, name)!r}; call it once, at start-up, or uninstrument() in between"
                )
            uninstrument()
        _runtime.activate(settings)
        _log.forget()
        _arguments = given
        _on = True
        _report.rows = [Row(entry) for entry in TABLE]
        for entry, row in zip(TABLE, _report.rows, strict=True):
            if entry.library in settings.disabled:
                row.status, row.detail = DISABLED, f"by {settings.sources['disabled']}"
                if entry.through in _names() - settings.disabled:
                    row.detail += f", but served by {entry.through}"
                    _log.warn(
                        "%s: %s is disabled, but served by the patch of %s all the same; disable that as well",
                        settings.sources["disabled"],
                        entry.library,
                        entry.through,
                    )
            else:
                _wait(entry, row)
        for install in always:
            install()
        if settings.log_records:
            from ..logs import add_to_records

            _stop_records = add_to_records()
    return _report


def uninstrument() -> None:
    """Undo every patch; other libraries' later patches stay, with ours below them switched off."""
    global _on, _stop_records
    with _lock:
        if _stop_records is not None:
            _stop_records()
            _stop_records = None
        _imports.stop_waiting()
        _patching.undo_all()
        _report.rows = []
        _on = False


def report() -> Report:
    """The report of the last ``auto_instrument()``; empty where nothing is instrumented."""
    return _report


def _listed(value: Iterable[str] | str | None) -> list[str] | str | None:
    return value if value is None or isinstance(value, str) else list(value)


def _wait(entry: Library, row: Row) -> None:
    def imported(module: ModuleType) -> None:
        _install(entry, row, module)  # without the lock: the thread that imports holds import locks already

    for name in entry.modules:
        _imports.when_imported(name, imported)


def _install(entry: Library, row: Row, module: ModuleType) -> None:
    patcher = _patching.Patcher(entry.library)
    try:
        import_module(f"{__name__}.{entry.integration}").install(module, patcher)
    except _patching.MissingAttributeError as missing:
        patcher.rollback()
        row.status, row.detail = UNSUPPORTED, f"this version has no {missing}"
        _log.warn("%s is not instrumented: this version has no %s", entry.library, missing)
    except Exception as error:
        patcher.rollback()
        row.status, row.detail = FAILED, f"{type(error).__name__}: {error}"
        _log.warn("%s is not instrumented: %s; please report this", entry.library, row.detail)
    else:
        row.status, row.detail = PATCHED, ", ".join(_patching.patched(entry.library)) or f"through {entry.through}"


def _check_names(names: Iterable[str], source: str) -> None:
    known = _names()
    for name in names:
        if name not in known:
            raise SettingsError(
                f"{source}: disabled names {name[:60]!r}, which is no library; libraries are {', '.join(sorted(known))}"
            )


def _names() -> set[str]:
    return {entry.library for entry in TABLE}
