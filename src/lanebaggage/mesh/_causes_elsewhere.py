"""Causes in another process, a command or an address: what its requests say, and its environment, is all there is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import _runtime
from .._errors import SettingsError
from .._settings import resolve
from ..doctor.probe import library_of
from ..routing import plain_host
from . import _causes_common as common
from ._cause import OTHER_HEADERS, PROCESS, REFUSED_HOST, THREAD, Cause
from .apps import Command
from .hops import BY_HEADER, HOP_HEADER
from .topology import headers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._settings import Settings
    from .hops import Hop
    from .topology import Compiled

_LAUNCHERS: Final = ("lanebaggage", "opentelemetry-instrument")


def _own_value(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    return common.own_value(hop, parent, state, "")


def _headers(hop: Hop, parent: Hop, state: Compiled) -> Cause | None:
    """The hop header came back, and not the lane."""
    if hop.linked != BY_HEADER:
        return None
    settings = _settings(parent, state)
    found = common.other_headers(parent, state, settings, _variables) or common.refused_value(
        parent, state, settings, _variables
    )
    names = " and ".join(common.names_of(state.group))
    why = f"{parent.service} forwards headers, but not {names}: its settings name others, or it does not believe the lane"
    return found or Cause(OTHER_HEADERS, why, f"{_variables(headers_of(state.group))}, and look at its log")


def _host_or_thread(hop: Hop, parent: Hop, _state: Compiled) -> Cause | None:
    """The service forwards the lane elsewhere."""
    forwards = any(
        child.linked == BY_HEADER and child.lane == one.lane
        for one in hop.call.hops
        if one.instance is parent.instance
        for child in one.children
    )
    if not forwards:
        return None
    host = plain_host(hop.host)
    if not _runtime.policy.verdict(host):
        why = f"{parent.service} forwards the lane, but {host} does not look like a host of the mesh"
        return Cause(REFUSED_HOST, why, _variables({"allow": [host]}))
    why = f"{parent.service} forwards the lane elsewhere: this call is made in a thread without one, or by another client"
    return Cause(THREAD, why, "job = lanebaggage.carry(job)   # where the request hands the job over")


def _process(hop: Hop, parent: Hop, state: Compiled) -> Cause:
    """Nothing came back."""
    agent = common.agent_of(hop)
    library = library_of(agent)
    if library is None and agent and not agent.lower().startswith("python"):
        why = f"{parent.service} forwards nothing; its client is {agent}, which lanebaggage does not know"
        names = " and ".join((*common.names_of(state.group), HOP_HEADER))
        return Cause(PROCESS, why, f"copy {names} from each request to the calls made for it")
    client = f", its client is {library}" if library else ""
    args = parent.instance.app.args if parent.instance is not None and isinstance(parent.instance.app, Command) else ()
    if any(Path(arg).name in _LAUNCHERS for arg in args):
        why = f"{parent.service} forwards nothing{client}, though lanebaggage is started with it"
        edge = common.refused_value(parent, state, _settings(parent, state), _variables)
        return edge or Cause(PROCESS, why, f"lanebaggage doctor -- {' '.join(args)}   # says what is patched")
    why = f"{parent.service} forwards nothing{client}: lanebaggage is not on in its process"
    return Cause(PROCESS, why, f"lanebaggage run -- {' '.join(args) or '...   # where it is started'}")


LOOKS: Final = (_own_value, _headers, _host_or_thread, _process)
"""In the order in which they are tried."""


# --- inside


def _settings(parent: Hop, state: Compiled) -> Settings:
    """Those of the service, as far as its environment says them."""
    app = parent.instance.app if parent.instance is not None else None
    more = app.env if isinstance(app, Command) else {}
    ours = {f"LANEBAGGAGE_{name.upper()}": header for name, header in headers_of(state.group).items()}
    try:
        return resolve(environ={**ours, **os.environ, **more})
    except SettingsError:  # its log says so
        return resolve(environ=ours)


def _variables(values: Mapping[str, object]) -> str:
    """Settings as variables of the service's environment."""
    texts = (
        ",".join(value) if isinstance(value, list) else str(int(value) if value is False else value)
        for value in values.values()
    )
    return "start it with " + " ".join(f"LANEBAGGAGE_{name.upper()}={text}" for name, text in zip(values, texts, strict=True))
