"""What Envoy says about hops, line by line, becomes the mesh's calls: when a request comes, is on its way, and has ended.

The lane, the instance and the status are what Envoy did. The router only puts it in words, and where it would not have done
the same, the hop's reason says so.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from .._settings import TRACE_ID_MODE
from ..routing import Decision, Request
from ..routing.decision import NOT_FOUND
from ..routing.services import plain_host
from . import _names
from .hops import HOP_HEADER, Hop
from .traffic import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .hops import Call
    from .topology import Compiled, Instance
    from .traffic import Headers, Traffic

BARRIER: Final = "barrier.lanebaggage"
"""Host of requests that are made to see their lines."""

_OURS: Final = re.compile(r"[0-9]+-[0-9]+")
_KNOWN_WITHIN: Final = 2.0
"""Seconds that an application waits for its own hop; Envoy's line is there a tenth of a millisecond later."""

_BETWEEN_SIDECARS: Final = "x-lanebaggage-"
"""Prefix of the headers that no application gets; the hop header, which it does, is added again."""

_FLAGS: Final = {
    "UF": "refused the connection",
    "UT": "did not answer in time",
    "UC": "closed the connection before it had answered",
    "UR": "reset the connection",
    "UPE": "answered with something that is no HTTP",
    "DC": "was left by the client before it had answered",
}
"""Envoy's response flags
(https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage), about an instance."""


class HopReader:
    """Reads the lines of one Envoy for one mesh.

    :param traffic: of the mesh.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._recorder = traffic.recorder
        self._changed = threading.Condition()
        self.state: Compiled | None = None
        """The lanes that Envoy routes by."""
        self._tokens: set[str] = set()
        self.ended = False
        """Whether Envoy is no more."""
        self.origins: Mapping[str, Origin] = {}
        """Where the requests of a listener come from, by its name."""
        self.instances: Mapping[str, Instance] = {}
        """By the name that their endpoints have."""

    # --- waiting

    def find(self, mark: str | None) -> Hop | Call | None:
        """The hop that an application is about to serve; the recorder's look-up, which waits for Envoy's lines.

        Envoy writes them before it sends the request, but the application can be faster than the thread that reads.
        """
        if mark is None or _OURS.fullmatch(mark) is None:
            return self._recorder.find(mark)
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._on_its_way(mark), _KNOWN_WITHIN)
        return self._recorder.find(mark)

    def _on_its_way(self, mark: str) -> bool:
        hop = self._recorder.find(mark)
        return isinstance(hop, Hop) and hop.instance is not None

    def settle(self, call: Call, within: float) -> None:
        """Wait until the hops that a call waited for have ended; at most this many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or _settled(call), within)

    def read_up_to(self, token: str, within: float) -> None:
        """Wait for the line of a request whose mark is this token, and so for all that were written before."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or token in self._tokens, within)
            self._tokens.discard(token)

    def placed(self, within: float) -> None:
        """Wait until Envoy has said, of each request whose start is known, which instance serves it, or that it has ended."""
        waiting = [hop for hop in self._recorder.flying() if hop.instance is None]
        with self._changed:
            self._changed.wait_for(
                lambda: self.ended or all(hop.instance is not None or hop.duration is not None for hop in waiting), within
            )

    # --- reading

    def line(self, text: bytes) -> None:
        """Take one line; from the thread that reads."""
        try:
            line = json.loads(text)
        except ValueError:  # not about a hop
            return
        with self._changed:
            if line["at"] == "DownstreamStart":
                self._start(line)
            elif (hop := self._recorder.find(line["id"])) is not None and isinstance(hop, Hop):
                if line["at"] != "UpstreamPoolReady":
                    self._end(hop, line)
                elif line["instance"]:  # a sidecar's request to its own application has none
                    self._serve(hop, line["instance"])
            self._changed.notify_all()

    def end(self) -> None:
        """Envoy is no more: nothing will become of the hops that are under way."""
        with self._changed:
            self.ended = True
            for hop in self._recorder.flying():
                self._recorder.close(hop, None, "Envoy has ended")
            self._changed.notify_all()

    def _start(self, line: dict[str, Any]) -> None:
        if line["host"] == BARRIER:
            self._tokens.add(line["mark"])
            return
        listener = self.origins.get(line["listener"])
        if listener is None or line["route"] == "inbound":
            return
        peer = _names.caller(_address(line["from"]))
        origin = Origin(listener.instance, peer.serving, listener.outside, listener.gateway, peer.made)
        method, path, host = line["method"] or "", line["path"] or "", line["host"] or ""
        hop = self._traffic.open(origin, line["mark"], method, path, host, line["id"])
        hop.service = "gateway" if listener.gateway else plain_host(host)

    def _serve(self, hop: Hop, name: str | None) -> None:
        instance = self.instances.get(name or "")
        if hop.instance is not None:
            hop.instance.serving.pop(hop.id, None)
        hop.instance = instance
        if instance is not None:
            hop.service, hop.version = instance.service.name, instance.version
            instance.serving[hop.id] = hop

    def _end(self, hop: Hop, line: dict[str, Any]) -> None:
        listener = self.origins[line["listener"]]
        state = self.state
        assert state is not None
        self._serve(hop, line["instance"])
        noted = line["headers"] or {}
        headers = _noted(noted.get("request", ()))
        if listener.gateway and line.get("lane") is not None:  # which the gateway sets after the script has looked
            name = state.group.route_header
            headers = [pair for pair in headers if pair[0] != name]
            headers.append((name, line["lane"]))
        request = Request(line["method"], line["path"], hop.host, headers)  # as it came: Envoy may have sent another host
        decision = (self._at_gateway if listener.gateway else self._at_sidecar)(state, listener, hop, request, line)
        hop.service = decision.service or ("gateway" if listener.gateway else plain_host(request.host))
        hop.lane, hop.target, hop.fallback, hop.reason = decision.lane, decision.target, decision.fallback, decision.reason
        hop.routed = True
        hop.request_headers = [*headers, (HOP_HEADER, hop.id)]
        if state.group.mode == TRACE_ID_MODE and hop.instance is not None:
            # Envoy's own memory cannot be read; this is what it holds.
            state.router.arrived(request, hop.instance.memory, time.monotonic())
        failure = self._failure(hop, line["flags"] or "-")
        self._recorder.close(hop, int(line["status"] or 0) or None, failure, _noted(noted.get("response", ())))
        if line["microseconds"]:
            hop.duration = int(line["microseconds"]) / 1e6

    def _at_sidecar(self, state: Compiled, listener: Origin, hop: Hop, request: Request, _line: dict[str, Any]) -> Decision:
        """What the router says of a hop if nothing is healthy but the instance that Envoy chose."""
        decision, _ = self._traffic.decision(state, listener, request, hop, lambda one: one is hop.instance)
        return _checked(decision, hop)

    def _at_gateway(self, state: Compiled, _listener: Origin, hop: Hop, request: Request, line: dict[str, Any]) -> Decision:
        """The same for a hop from the gateway, whose rule is known by the route."""
        route, label = line["route"], (line["cluster"] or "").partition("|")[0]
        why = "no lane rule matches" if route == "unmatched" else "by weight" if route == "weights" else f"rule {route}"
        source = (line["headers"] or {}).get("lane")
        if not label:
            return Decision("", source, status=NOT_FOUND, reason=why)
        lanes = _list(line["lanes"])
        decision = state.router.route(label, request, source=source, available=lambda _service, lane: lane in lanes)
        decision = _checked(decision, hop)
        usual = decision.ok and not decision.fallback
        return replace(decision, reason=f"{why}, lane {decision.lane}" if usual else f"{why}: {decision.reason}")

    def _failure(self, hop: Hop, flags: str) -> str | None:
        """What went wrong on the way; that becomes the hop's reason too."""
        if hop.instance is None:
            return hop.reason
        words = [_FLAGS[flag] for flag in flags.split(",") if flag in _FLAGS]
        if not words:
            return None
        hop.reason = f"{hop.reason}; {hop.instance} {words[0]}"
        return f"{hop.instance} {words[0]}"


def _checked(decision: Decision, hop: Hop) -> Decision:
    """The decision, or what to say where Envoy did not do what the router would."""
    if decision.ok == (hop.instance is not None):
        return decision
    what = f"Envoy chose {hop.instance}" if hop.instance is not None else "Envoy chose no instance"
    return replace(decision, reason=f"{what}, where the router says: {decision.reason}")


def _settled(call: Call) -> bool:
    return bool(call.roots) and all(hop.duration is not None for hop in call.roots)


def _address(text: str | None) -> tuple[str, int]:
    host, _, port = (text or "").rpartition(":")
    return host, int(port) if port.isdigit() else 0


def _list(value: Any) -> list[str]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _noted(lines: Sequence[str]) -> Headers:
    """Headers as the script noted them, without Envoy's names for the parts of the first line."""
    texts = [unquote_to_bytes(line).decode("latin-1") for line in lines if not line.startswith(":")]
    pairs = [(name, value) for name, _, value in (text.partition("=") for text in texts)]
    return [pair for pair in pairs if not pair[0].startswith(_BETWEEN_SIDECARS)]
