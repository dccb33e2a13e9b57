"""Causes in an application of this process, where it can be seen what made the call, and in which thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from .. import _runtime
from .._policy import EXPLICIT
from ..doctor.probe import library_of
from ..instrumentation import FAILED, PATCHED, TABLE, UNSUPPORTED, WAITING
from ..routing import plain_host
from . import _causes_common as common
from ._cause import LEFT, NOT_INSTRUMENTED, NOT_READ, OFF, REFUSED_HOST, SIGNED, TAKEN_AWAY, THREAD, TOO_LATE, Cause
from .apps import ASGI, WSGI
from .hops import BY_CONTEXT, BY_HEADER, HOP_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._settings import Settings
    from .._wire import Carried
    from .hops import Hop
    from .topology import Compiled


def place(hop: Hop) -> str:
    """Where in the application's code the call was made; empty where it is not known."""
    made = hop.made
    if made is None or not made.file:
        return ""
    try:
        file = os.path.relpath(made.file)
    except ValueError:  # on another drive
        file = made.file
    return f" ({made.file if file.startswith('..') else file}:{made.line} in {made.function})"


# --- before anything was carried


def _off(hop: Hop, parent: Hop, _state: Compiled) -> Cause | None:
    on = bool(hop.made.rows) if hop.made is not None else hop.switched_on
    if not on:
        why = f"lanebaggage was not switched on when {parent.service} made the call{place(hop)}"
        return Cause(OFF, why, "lanebaggage.auto_instrument()   # where the service starts; in a test, in conftest.py")
    if not parent.switched_on:
        why = f"lanebaggage was switched on only after the request had reached {parent.service}"
        return Cause(TOO_LATE, why, "lanebaggage.auto_instrument()   # at import, before the first request")
    return None


def _left(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    """The code that made the call had entered another lane, or none, by hand."""
    carried = hop.made.carried if hop.made is not None else None
    if carried is None or parent.lane not in carried.stale:
        return None
    if hop.request_headers.getall(state.group.route_header, []) not in ([], [carried.lane]):
        return None
    what = "left the lane" if carried.lane is None else f"entered lane {carried.lane}"
    why = f"the code had {what}, by lanebaggage.lane({carried.lane!r}){place(hop)}"
    return Cause(LEFT, why, "make the call outside that block")


def _own_value(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    return common.own_value(hop, parent, state, place(hop))


def _other_headers(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    return common.other_headers(parent, state, _settings(hop), _arguments)


def _refused_value(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    return common.refused_value(parent, state, _settings(hop), _arguments)


# --- what was carried, and where it went


def _refused_host(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    """The lane is not for every host, and not for every signed request."""
    if hop.made is None or not _had_lane(hop.made.carried, parent, state):
        return None
    host = plain_host(hop.host)
    verdict, reason = hop.made.policy.explain(host)
    if not verdict:
        never = "never allowed" in reason
        fix = f"call it by its full name, {host}.<namespace>.svc" if never else _arguments({"allow": [host]})
        return Cause(REFUSED_HOST, f"the lane is withheld from {host}: {reason}{place(hop)}", fix)
    authorization = hop.request_headers.get("authorization", "")
    if verdict != EXPLICIT and (authorization.startswith("AWS4-") or "X-Amz-Signature=" in hop.path):
        why = f"the request is signed (AWS Signature), and allow does not name {host}{place(hop)}"
        return Cause(SIGNED, why, _arguments({"allow": [host]}))
    return None


def _not_instrumented(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    """The lane was there for the client, which did not take it, or which lost it on the way out."""
    made = hop.made
    library = _client(hop)
    if made is None and library is None and hop.linked != BY_HEADER and (agent := common.agent_of(hop)):
        why = f"the call was made with {agent}, which lanebaggage does not know"
        return Cause(NOT_INSTRUMENTED, why, "lanebaggage.inject(headers, url=url)   # before the call")
    if made is None or not _had_lane(made.carried, parent, state):
        return None
    rows = [row for row in made.rows if row.role == "client" and row.library == library]
    bad = [row for row in rows if row.status != PATCHED]
    if hop.linked != BY_HEADER and not rows:
        name = library or "a client that lanebaggage does not know"
        why = f"the call was made with {name}, which is not instrumented{place(hop)}"
        return Cause(NOT_INSTRUMENTED, why, "lanebaggage.inject(headers, url=url)   # before the call")
    if hop.linked != BY_HEADER and not bad:
        below = {one.through for one in TABLE if one.role == "client" and one.library == library}
        bad = [row for row in made.rows if row.role == "client" and row.library in below and row.status != PATCHED]
    if hop.linked != BY_HEADER and bad:
        row = bad[0]
        through = "" if row.library == library else f"{library} calls through "
        why = f"{through}{row.library}{',' if through else ''} {'which ' if through else ''}is not instrumented"
        fix = "use a supported version of" if row.status in (FAILED, UNSUPPORTED) else "do not disable"
        return Cause(
            NOT_INSTRUMENTED,
            f"{why} ({row.status}: {row.detail}){place(hop)}",
            f"{fix} {row.library}; or lanebaggage.inject(headers, url=url) before the call",
        )
    why = f"the lane was on the request, and was taken away again on its way out{place(hop)}"
    fix = f"look at what {library or 'the client'} passes through: adapters, transports, event hooks"
    return Cause(TAKEN_AWAY, why, fix)


# --- what was not carried


def _not_read(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    """The code that made the call serves the request, and has no lane."""
    made = hop.made
    if made is None or made.started_in is not None:
        return None
    names = " and ".join(common.names_of(state.group))
    if made.carried is not None and any(name == HOP_HEADER for name, _ in made.carried.headers):
        why = f"{names} was taken out of the request before {parent.service} could read it, by a middleware or a server setting"
        return Cause(TAKEN_AWAY, why, f"let {names} through to the application")
    if hop.linked != BY_CONTEXT:
        return None
    if made.entered:
        why = f"the code was in lanebaggage.extract() of other headers, or a middleware took {names} out before{place(hop)}"
        return Cause(LEFT, why, f"make the call outside that block, or let {names} through to the application")
    app = parent.instance.app if parent.instance is not None else None
    framework = type(app.app).__module__.partition(".")[0] if isinstance(app, (WSGI, ASGI)) else ""
    bad = [row for row in made.rows if row.role == "server" and row.library == framework and row.status != PATCHED]
    if bad:
        why = f"{framework} is not instrumented ({bad[0].status}: {bad[0].detail}), so that {parent.service} knows no lane"
        return Cause(NOT_READ, why, f"do not disable {framework}")
    why = f"{parent.service} did not read the lane: its framework or server is none that lanebaggage instruments"
    return Cause(NOT_READ, why, "app = lanebaggage.wsgi_middleware(app)   # or asgi_middleware")


def _thread(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    """The code that made the call ran in a thread or task that serves no request."""
    made = hop.made
    if made is None or hop.linked == BY_CONTEXT or _had_lane(made.carried, parent, state):
        return None
    off = ", ".join(row.library for row in made.rows if row.role == "concurrency" and row.status not in (PATCHED, WAITING))
    where = f"the task {made.task!r}" if made.task else f"the thread {made.thread!r}"
    started = f", which was started in lane {made.started_in} and serves others too" if made.started_in else ""
    why = f"the call was made in {where}{started}, where no request is served{place(hop)}"
    if off:
        return Cause(THREAD, f"{why}; not instrumented: {off}", f"do not disable {off}")
    return Cause(THREAD, why, "job = lanebaggage.carry(job)   # where the request hands the job over")


LOOKS: Final = (
    _left,
    _own_value,
    _off,
    _other_headers,
    _refused_value,
    _refused_host,
    _not_instrumented,
    _not_read,
    _thread,
)
"""In the order in which they are tried."""


# --- inside


def _had_lane(carried: Carried | None, parent: Hop, state: Compiled) -> bool:
    """Whether what the code carried brings the lane: by its name, or in the header from which it is known."""
    if carried is None:
        return False
    trace = parent.request_headers.getall(state.group.trace_header, []) if state.group.trace_header else []
    return carried.lane == parent.lane or any(
        pair == (state.group.trace_header, value) for pair in carried.headers for value in trace
    )


def _client(hop: Hop) -> str | None:
    """The client library, by the name that the table has for it where it has one; None where nothing tells."""
    module = hop.made.client if hop.made is not None else ""
    known = {one.library for one in TABLE if one.role == "client"}
    parts = module.split(".") if module not in ("", "socket") else []
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = next((name for name in names if name in known), None)
    return found or library_of(hop.request_headers.get("user-agent", "")) or "".join(parts[:1]) or None


def _settings(hop: Hop) -> Settings:
    return hop.made.settings if hop.made is not None else _runtime.settings


def _arguments(values: Mapping[str, object]) -> str:
    return f"lanebaggage.auto_instrument({', '.join(f'{name}={value!r}' for name, value in values.items())})"
