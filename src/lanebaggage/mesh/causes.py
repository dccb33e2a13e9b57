"""Why a hop lost its lane, as far as it can be told by looking, and the line that keeps it.

Looked at are the request as it arrived, the request being served, the settings in force, what is instrumented, and where in
the code the request was made. The first explanation that fits is given; each is one that was seen to be true.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from .. import _runtime, instrumentation
from .._policy import EXPLICIT
from .._settings import BAGGAGE, BAGGAGE_MODE, TRACE_ID_MODE
from .._wire import MAX_VALUE, is_lane
from ..doctor.probe import library_of
from ..instrumentation import FAILED, PATCHED, TABLE, UNSUPPORTED
from ..routing import STRICT_MODE, plain_host
from .apps import ASGI, WSGI, Command
from .hops import BY_HEADER, HOP_HEADER

if TYPE_CHECKING:
    from ..routing import LaneGroup
    from .hops import Hop
    from .topology import Topology

OFF: Final = "off"
TOO_LATE: Final = "too late"
OWN_VALUE: Final = "own value"
OTHER_HEADERS: Final = "other headers"
EDGE: Final = "edge"
REFUSED_VALUE: Final = "refused value"
REFUSED_HOST: Final = "refused host"
SIGNED: Final = "signed"
NOT_INSTRUMENTED: Final = "not instrumented"
TAKEN_AWAY: Final = "taken away"
LEFT: Final = "left"
NOT_READ: Final = "not read"
THREAD: Final = "thread"
PROCESS: Final = "process"
UNKNOWN: Final = "unknown"


class Cause(NamedTuple):
    """Why a lane was lost.

    :param kind: one of this module's names, for programs.
    :param why: in words.
    :param fix: what to write, and where.
    """

    kind: str
    why: str
    fix: str


def cause_of(hop: Hop, topology: Topology) -> Cause | None:
    """The likely cause of a lost lane; None for a hop that lost none.

    :param topology: of the mesh, as it was during the call.
    """
    parent = hop.parent
    if not hop.lost or parent is None:
        return None
    group = topology.current.group
    ours = parent.instance is not None and isinstance(parent.instance.app, (WSGI, ASGI))
    looks = (_own_value, *(_HERE if ours else _ELSEWHERE))
    return next((cause for look in looks if (cause := look(hop, parent, group)) is not None), None) or _unknown(hop, parent)


# --- in this process


def _off(hop: Hop, parent: Hop, _group: LaneGroup) -> Cause | None:
    on = hop.made.switched_on if hop.made is not None else hop.switched_on
    if not on:
        why = f"lanebaggage was not switched on when {parent.service} made the call{_place(hop)}"
        return Cause(OFF, why, "lanebaggage.auto_instrument()   # where the service starts; in a test, in conftest.py")
    if not parent.switched_on:
        why = f"lanebaggage was switched on only after the request had reached {parent.service}"
        return Cause(TOO_LATE, why, "lanebaggage.auto_instrument()   # at import, before the first request")
    return None


def _own_value(hop: Hop, parent: Hop, group: LaneGroup) -> Cause | None:
    """The application's own header wins over what it should have forwarded."""
    name = group.trace_header if group.mode == TRACE_ID_MODE else group.route_header
    wanted = parent.request_headers.getall(name, []) if group.mode == TRACE_ID_MODE else [parent.lane]
    values = hop.request_headers.getall(name, [])
    if group.mode == BAGGAGE_MODE and not values and hop.lane is not None:
        name, values = BAGGAGE, [hop.lane]
    if not values or values == wanted:
        return None
    shown = f": {values[0]}" if len(values) == 1 and is_lane(values[0]) else f", {len(values)} values"
    why = f"the request has an {name} of its own{shown}; {parent.service} or a library of it sets it{_place(hop)}"
    return Cause(OWN_VALUE, why, f"take {name} out of the request's headers; lanebaggage adds the right one")


def _other_headers(_hop: Hop, parent: Hop, group: LaneGroup) -> Cause | None:
    """The library forwards headers that are not the lane group's."""
    settings = _runtime.settings
    if group.mode == STRICT_MODE or settings.trace_header == group.trace_header:
        if settings.route_header == group.route_header or group.mode != BAGGAGE_MODE:
            return None
        if settings.trace_header != BAGGAGE or settings.baggage_key == group.route_header:
            return None
    names = [settings.route_header, settings.trace_header]
    source = settings.sources["trace_header" if settings.trace_header != group.trace_header else "route_header"]
    why = (
        f"{parent.service} forwards {' and '.join(dict.fromkeys(names))} (by {source}), "
        f"while the lane group's trace header is {group.trace_header}"
    )
    return Cause(OTHER_HEADERS, why, f"lanebaggage.auto_instrument({_headers(group)})")


def _refused_value(_hop: Hop, parent: Hop, group: LaneGroup) -> Cause | None:
    """The lane arrived at the service, which did not believe it."""
    settings = _runtime.settings
    if settings.edge:
        why = (
            f"edge=True (by {settings.sources['edge']}): {parent.service} ignores what arrives, as a service of strangers does"
        )
        return Cause(EDGE, why, "lanebaggage.auto_instrument(edge=False)   # where a gateway of the mesh stands before it")
    lane = parent.lane or ""
    if settings.lanes is not None and lane not in settings.lanes:
        known = sorted({*settings.lanes, *(one.name for one in group.lanes)})
        why = f"{parent.service} refused the lane: its lanes (by {settings.sources['lanes']}) do not name {lane}"
        return Cause(REFUSED_VALUE, why, f"lanebaggage.auto_instrument(lanes={known!r})")
    if not is_lane(lane):
        why = f"{parent.service} refused the lane: its name cannot travel in a header and in baggage"
        return Cause(REFUSED_VALUE, why, "give the lane a name of 1 to 128 letters, digits and . _ - :")
    trace = ",".join(parent.request_headers.getall(group.trace_header, []))
    if len(trace) > MAX_VALUE:
        why = f"{parent.service} refused a {group.trace_header} of {len(trace)} characters; {MAX_VALUE} is the most"
        return Cause(REFUSED_VALUE, why, f"send a {group.trace_header} of at most {MAX_VALUE} characters")
    return None


def _after_reading(hop: Hop, parent: Hop, _group: LaneGroup) -> Cause | None:
    """The code that made the call had the lane; something kept it from the request."""
    made = hop.made
    if made is None or made.carried is None or made.carried.lane != parent.lane:
        return None
    host = plain_host(hop.host)
    verdict, reason = _runtime.policy.explain(host)
    if not verdict:
        why = f"{host} does not look like a host of the mesh ({reason}), so that it got nothing{_place(hop)}"
        return Cause(REFUSED_HOST, why, f'lanebaggage.auto_instrument(allow=["{host}"])')
    if verdict != EXPLICIT and hop.request_headers.get("authorization", "").startswith("AWS4-"):
        why = f"the request is signed (AWS Signature), and allow does not name {host}"
        return Cause(SIGNED, why, f'lanebaggage.auto_instrument(allow=["{host}"])')
    library = _client(hop)
    if hop.linked == BY_HEADER:
        why = f"the lane was on the request, and was taken away again on its way out{_place(hop)}"
        return Cause(
            TAKEN_AWAY, why, f"look at what {library or 'the client'} passes through: adapters, transports, event hooks"
        )
    rows = [row for row in instrumentation.report() if row.library == library and row.role == "client"]
    bad = next((row for row in rows if row.status != PATCHED), None)
    if bad is not None:
        why = f"{library} is not instrumented ({bad.status}: {bad.detail}){_place(hop)}"
        fix = f"use a supported version of {library}" if bad.status in (FAILED, UNSUPPORTED) else f"do not disable {library}"
        return Cause(NOT_INSTRUMENTED, why, f"{fix}; or lanebaggage.inject(headers, url=url) before the call")
    if rows:
        below = [row for row in instrumentation.report() if row.role == "client" and row.library in _below(library)]
        if any(row.status != PATCHED for row in below):
            off = ", ".join(row.library for row in below if row.status != PATCHED)
            why = f"{library} calls through {off}, which is not instrumented ({below[0].detail}){_place(hop)}"
            return Cause(NOT_INSTRUMENTED, why, f"do not disable {off}; or lanebaggage.inject(headers, url=url)")
        return None
    name = library or "a client that lanebaggage does not know"
    why = f"the call was made with {name}, which is not instrumented{_place(hop)}"
    return Cause(NOT_INSTRUMENTED, why, "lanebaggage.inject(headers, url=url)   # before the call")


def _before_reading(hop: Hop, parent: Hop, group: LaneGroup) -> Cause | None:
    """The code that made the call had no lane."""
    made = hop.made
    if made is None or made.started_in is not None:
        return None
    carried = made.carried
    if carried is not None and parent.lane in carried.stale:
        why = f"the code had left the lane, by lanebaggage.lane(None) or another one{_place(hop)}"
        return Cause(LEFT, why, "make the call outside that block")
    if carried is not None and any(name == HOP_HEADER for name, _ in carried.headers):
        names = " and ".join(dict.fromkeys((group.route_header, group.trace_header)))
        why = f"{names} was taken out of the request before {parent.service} could read it, by a middleware or a server setting"
        return Cause(TAKEN_AWAY, why, f"let {names} through to the application")
    if hop.parent is parent and hop.linked == "context":
        app = parent.instance.app if parent.instance is not None else None
        framework = type(app.app).__module__.partition(".")[0] if isinstance(app, (WSGI, ASGI)) else ""
        rows = [row for row in instrumentation.report() if row.library == framework and row.role == "server"]
        if rows and rows[0].status != PATCHED:
            why = (
                f"{framework} is not instrumented ({rows[0].status}: {rows[0].detail}), so that {parent.service} knows no lane"
            )
            return Cause(NOT_READ, why, f"do not disable {framework}")
        why = f"{parent.service} did not read the lane: its framework or server is none that lanebaggage instruments"
        return Cause(NOT_READ, why, "app = lanebaggage.wsgi_middleware(app)   # or asgi_middleware")
    return None


def _thread(hop: Hop, parent: Hop, _group: LaneGroup) -> Cause | None:
    """The code that made the call ran in a thread that serves no request."""
    made = hop.made
    if made is None or (made.carried is not None and made.carried.lane == parent.lane) or hop.linked == "context":
        return None
    off = [
        row.library for row in instrumentation.report() if row.role == "concurrency" and row.status not in (PATCHED, "waiting")
    ]
    started = f", which was started in lane {made.started_in} and serves others too" if made.started_in else ""
    why = f"the call was made in the thread {made.thread!r}{started}, where no request is served{_place(hop)}"
    if off:
        return Cause(THREAD, f"{why}; {', '.join(off)} not instrumented", f"do not disable {', '.join(off)}")
    return Cause(THREAD, why, "job = lanebaggage.carry(job)   # where the request hands the job over")


# --- in another process


def _process(hop: Hop, parent: Hop, group: LaneGroup) -> Cause | None:
    """A command, or something that runs elsewhere: what its request says is all there is."""
    agent = hop.request_headers.get("user-agent", "")
    library = library_of(agent)
    if hop.linked == BY_HEADER:  # it forwards, and yet not the lane
        why = (
            f"{parent.service} forwards headers, but not {group.trace_header}: its settings name others, or it refuses the lane"
        )
        return Cause(OTHER_HEADERS, why, f"start it with LANEBAGGAGE_TRACE_HEADER={group.trace_header}, and look at its log")
    forwarding = parent.instance is not None and any(
        child.linked == BY_HEADER and child.lane == one.lane
        for one in hop.call.hops
        if one.instance is parent.instance
        for child in one.children
    )
    if forwarding:
        host = plain_host(hop.host)
        if not _runtime.policy.verdict(host):
            why = f"{parent.service} forwards the lane, but {host} does not look like a host of the mesh"
            return Cause(REFUSED_HOST, why, f"start it with LANEBAGGAGE_ALLOW={host}")
        why = f"{parent.service} forwards the lane elsewhere: this call is made in a thread without one, or by another client"
        return Cause(THREAD, why, "job = lanebaggage.carry(job)   # where the request hands the job over")
    if library is None and agent and not agent.lower().startswith("python"):
        name = agent[:60] if agent.isascii() and agent.isprintable() else "a client that does not name itself"
        why = f"{parent.service} forwards nothing; its client is {name}, which lanebaggage does not know"
        names = " and ".join(dict.fromkeys((group.trace_header, HOP_HEADER)))
        return Cause(PROCESS, why, f"copy {names} from each request to the calls made for it")
    app = parent.instance.app if parent.instance is not None else None
    command = " ".join(app.args) if isinstance(app, Command) else f"the command of {parent.service}"
    client = f", its client is {library}" if library else ""
    why = f"{parent.service} forwards nothing{client}: lanebaggage is not on in its process"
    return Cause(PROCESS, why, f"lanebaggage run -- {command}")


_HERE: Final = (_off, _other_headers, _refused_value, _after_reading, _before_reading, _thread)
_ELSEWHERE: Final = (_process,)


def _unknown(hop: Hop, parent: Hop) -> Cause:
    why = f"not found by looking: {parent.service} had the lane, and its call did not{_place(hop)}"
    return Cause(
        UNKNOWN, why, "lanebaggage.auto_instrument(debug=True) logs each decision; lanebaggage doctor lists what is patched"
    )


# --- words


def _headers(group: LaneGroup) -> str:
    return ", ".join(f"{name}={getattr(group, name)!r}" for name in ("route_header", "trace_header"))


def _client(hop: Hop) -> str:
    """The client library, by the name that the table has for it where it has one."""
    module = hop.made.client if hop.made is not None else ""
    known = {entry.library for entry in TABLE if entry.role == "client"}
    while module:
        if module in known:
            return module
        if "." not in module:
            return module if module != "socket" else ""
        module = module.rpartition(".")[0]
    return library_of(hop.request_headers.get("user-agent", "")) or ""


def _below(library: str) -> set[str]:
    """The libraries whose patches serve one."""
    found = {entry.through for entry in TABLE if entry.library == library and entry.through}
    return found | ({"http.client"} if library == "requests" else set())


def _place(hop: Hop) -> str:
    made = hop.made
    if made is None or not made.file:
        return ""
    try:
        file = os.path.relpath(made.file)
    except ValueError:  # on another drive
        file = made.file
    return f" ({made.file if file.startswith('..') else file}:{made.line} in {made.function})"
