"""Settings: which headers carry the lane, who may get them, where each value came from; presets and environment.

Precedence is argument, ``LANEBAGGAGE_*`` variable, preset, default. Everything is checked here, once, so that the wire and
the policy can trust it. Neither ``re`` nor ``dataclasses`` is imported: this module is on the way of every start-up.
"""

from __future__ import annotations

import os

from ._errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

BAGGAGE: Final = "baggage"
DEFAULT_HEADER: Final = "x-asm-prefer-tag"
"""ASM's route header in its documentation; here the default of both headers."""

CUSTOM_HEADER_MODE: Final = "custom header"
TRACE_ID_MODE: Final = "trace ID"
BAGGAGE_MODE: Final = "baggage"

PRESETS: Final[dict[str, dict[str, object]]] = {
    "asm": {"route_header": DEFAULT_HEADER, "trace_header": DEFAULT_HEADER},
    "signadot": {
        "route_header": "sd-routing-key",
        "trace_header": BAGGAGE,
        "pass_through": (
            "tracestate",
            "ot-baggage-sd-routing-key",
            "ot-baggage-sd-sandbox",
            "uberctx-sd-routing-key",
            "uberctx-sd-sandbox",
        ),
    },
    "telepresence": {"route_header": "x-telepresence-intercept-id", "trace_header": "x-telepresence-intercept-id"},
    "mirrord": {"route_header": "mirrord-session", "trace_header": BAGGAGE},
    "okteto": {"route_header": "okteto-divert", "trace_header": BAGGAGE},
    "mse": {"route_header": "x-mse-tag", "trace_header": "x-mse-tag"},
    "sermant": {"pass_through": ("x-sermant-*",)},
    "opensergo": {"route_header": "opensergo-label", "trace_header": BAGGAGE, "baggage_key": "OpenSergo-Label"},
}
"""The carriers of ASM and of its neighbours, by the name that ``preset=`` and ``LANEBAGGAGE_PRESET`` take."""

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""RFC 9110, section 5.6.2."""

_NEVER: Final = frozenset(
    (
        "authorization connection content-encoding content-length content-type cookie expect host keep-alive"
        " proxy-authenticate proxy-authorization proxy-connection set-cookie te trailer transfer-encoding upgrade"
    ).split()
)
"""Headers that frame a message, belong to one hop, or are credentials: forwarding one of them breaks or leaks."""

SETTINGS: Final = (
    "route_header",
    "trace_header",
    "baggage_key",
    "pass_through",
    "allow",
    "edge",
    "lanes",
    "disabled",
    "response_header",
    "log_records",
    "debug",
    "debug_path",
)


class Settings:
    """What is in force, checked and normalised; made by :func:`resolve`, never changed afterwards."""

    __slots__ = (*SETTINGS, "sources")

    route_header: str
    """Lower-case name of the header whose value is the lane's name."""
    trace_header: str
    """Lower-case name of the end-to-end pass-through header; ``baggage`` selects baggage mode."""
    baggage_key: str
    """Key of the lane's member in baggage; case-sensitive, the route header's name unless set."""
    pass_through: tuple[str, ...]
    """Further headers, lower case; a name that ends in ``*`` is a prefix."""
    allow: tuple[str, ...]
    """Hosts beyond the mesh that may get the headers: names, ``*.suffix``, addresses, CIDR blocks, or ``*``."""
    edge: bool
    """Whether the headers of incoming requests are ignored, since strangers send them."""
    lanes: frozenset[str] | None
    """The only lane names believed, or None for any."""
    disabled: frozenset[str]
    """Libraries that are left alone."""
    response_header: str
    """Lower-case name of a header of responses that tells the lane they were made in, or empty for none."""
    log_records: bool
    """Whether each record of ``logging`` gets the attribute ``lane``."""
    debug: bool
    """Whether each decision is logged once per place in the code."""
    debug_path: str
    """Path at which services answer with what the doctor would say, or empty for none."""
    sources: dict[str, str]
    """Where each value came from: ``argument``, the variable's name, ``preset asm`` or ``default``."""

    def __init__(self, values: dict[str, object], sources: dict[str, str]) -> None:
        for name in SETTINGS:
            object.__setattr__(self, name, values[name])
        object.__setattr__(self, "sources", sources)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings are never changed; call auto_instrument({name}=...) instead")

    @property
    def mode(self) -> str:
        """``custom header``, ``trace ID`` or ``baggage``: ASM's three pass-through modes."""
        if self.trace_header == BAGGAGE:
            return BAGGAGE_MODE
        return CUSTOM_HEADER_MODE if self.trace_header == self.route_header else TRACE_ID_MODE

    def differences(self, other: Settings) -> list[str]:
        """Names of the settings whose values differ from ``other``'s."""
        return [name for name in SETTINGS if getattr(self, name) != getattr(other, name)]

    def __eq__(self, other: object) -> bool:
        return not self.differences(other) if isinstance(other, Settings) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.route_header, self.trace_header, self.allow))

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in SETTINGS)})"


def resolve(arguments: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from arguments, environment, preset and defaults.

    :param arguments: by setting name, ``preset`` included; None means not given.
    :param environ: the environment; ``os.environ`` unless given.
    :raises SettingsError: a value cannot be used; the message names it, its source and the expected shape.
    """
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    env = os.environ if environ is None else environ
    preset, preset_source = _find("preset", given, env)
    defaults: dict[str, object] = {}
    if preset is not None:
        name = str(preset).strip().lower()
        if name not in PRESETS:
            raise SettingsError(f"{preset_source}: no preset is called {_shown(name)}; presets are {', '.join(PRESETS)}")
        defaults = PRESETS[name]

    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        value, source = _find(setting, given, env)
        if value is None and setting in defaults:
            value, source = defaults[setting], f"preset {preset}"
        values[setting], sources[setting] = value, source
    where = sources.__getitem__

    route = _header(values["route_header"] or DEFAULT_HEADER, where("route_header"), "route_header")
    if route == BAGGAGE:
        raise SettingsError(
            f"{where('route_header')}: route_header cannot be 'baggage'; set trace_header='baggage' and leave "
            f"route_header the name of the lane's member, such as {DEFAULT_HEADER}"
        )
    trace = _header(values["trace_header"] or route, where("trace_header"), "trace_header")
    key = str(values["baggage_key"] or route)
    if not set(key) <= _TOKEN:
        raise SettingsError(f"{where('baggage_key')}: baggage_key must be a token such as {DEFAULT_HEADER}, not {_shown(key)}")
    lanes = _list(values["lanes"], where("lanes"), "lanes")
    answer = values["response_header"]
    values.update(
        route_header=route,
        trace_header=trace,
        baggage_key=key,
        pass_through=_pass_through(_list(values["pass_through"], where("pass_through"), "pass_through"), where("pass_through")),
        allow=_list(values["allow"], where("allow"), "allow"),
        edge=flag(values["edge"], where("edge"), "edge"),
        lanes=frozenset(lanes) or None,
        disabled=frozenset(_list(values["disabled"], where("disabled"), "disabled")),
        response_header=_header(answer, where("response_header"), "response_header") if answer else "",
        log_records=flag(values["log_records"], where("log_records"), "log_records"),
        debug=flag(values["debug"], where("debug"), "debug"),
        debug_path=_path(values["debug_path"], where("debug_path")),
    )
    return Settings(values, sources)


def _find(setting: str, given: Mapping[str, object], env: Mapping[str, str]) -> tuple[object, str]:
    if setting in given:
        return given[setting], "argument"
    variable = f"LANEBAGGAGE_{setting.upper()}"
    text = env.get(variable, "").strip()
    return (text, variable) if text else (None, "default")


def _header(value: object, source: str, setting: str) -> str:
    if not isinstance(value, str) or not value or not set(value) <= _TOKEN:
        raise SettingsError(f"{source}: {setting} must be a header name such as {DEFAULT_HEADER}, not {_shown(value)}")
    name = value.lower()
    if name in _NEVER:
        raise SettingsError(
            f"{source}: {setting} cannot be {name}: it frames a message, belongs to one hop or is a credential; "
            f"choose a header of its own such as {DEFAULT_HEADER}"
        )
    return name


def _pass_through(entries: tuple[str, ...], source: str) -> tuple[str, ...]:
    names = []
    for entry in entries:
        prefix = entry.endswith("*")
        name = entry[:-1] if prefix else entry
        if prefix and len(name) < 2:
            raise SettingsError(
                f"{source}: pass_through {_shown(entry)} would forward everything; spell a prefix such as x-sermant-*"
            )
        names.append(_header(name, source, "pass_through") + ("*" if prefix else ""))
    return tuple(dict.fromkeys(names))


def _list(value: object, source: str, setting: str) -> tuple[str, ...]:
    if value is None:
        return ()
    entries: Iterable[object]
    if isinstance(value, str):
        entries = value.split(",")
    elif isinstance(value, (list, tuple, set, frozenset)):
        entries = value
    else:
        raise SettingsError(
            f"{source}: {setting} must be a list of names or a comma-separated text, not {type(value).__name__}"
        )
    names = []
    for entry in entries:
        if not isinstance(entry, str):
            raise SettingsError(f"{source}: {setting} must hold texts, not {type(entry).__name__}")
        if entry.strip():
            names.append(entry.strip())
    return tuple(names)


def _path(value: object, source: str) -> str:
    text = "" if value is None else str(value)
    if text and (text[0] != "/" or len(text) < 2 or not text.isascii() or not text.isprintable() or set(text) & set(" ?#%")):
        raise SettingsError(f"{source}: debug_path must be a path such as /debug/lanebaggage, not {_shown(value)}")
    return text


def flag(value: object, source: str, setting: str) -> bool:
    """Whether a value says yes.

    :raises SettingsError: it says neither yes nor no.
    """
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{source}: {setting} must be true or false, not {_shown(value)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:56] + "...'"
