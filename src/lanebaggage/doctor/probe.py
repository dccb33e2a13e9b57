"""The probe: one request in a lane of its own through a running service, and which of the calls made for it lost the lane."""

from __future__ import annotations

import json
import secrets
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from .. import _runtime
from .._errors import MeshError
from .._settings import TRACE_ID_MODE
from ..instrumentation import TABLE
from .target import probe_headers, target

if TYPE_CHECKING:
    from typing import Final

    from .capture import Call, Capture

KEPT: Final = "kept"
LOST: Final = "lost"
OTHER: Final = "other lane"
WITHHELD: Final = "withheld"
"""The host is outside the mesh, so that it got nothing on purpose."""
UNSEEN: Final = "unseen"
"""In a tunnel."""

_AGENTS: Final = {
    "python-requests": "requests",
    "python-httpx": "httpx",
    "python-httpx2": "httpx2",
    "python-urllib": "urllib.request",
    "python-urllib3": "urllib3",
    "tornado": "tornado",
}
"""How clients name themselves in User-Agent, where it is not their library's name."""


class Hop(NamedTuple):
    """One call of a service, and whether it had the lane."""

    call: str
    verdict: str
    caller: str
    """The service that made it: the one that was probed, or the host that was being called meanwhile."""
    cause: str
    """Why, as far as can be told from outside, and what to do."""


class Probe(NamedTuple):
    """What one probe found."""

    url: str
    lane: str
    status: int
    hops: list[Hop]
    notes: list[str]

    @property
    def lost(self) -> list[Hop]:
        """The calls that should have had the lane and had not."""
        return [hop for hop in self.hops if hop.verdict in (LOST, OTHER)]


def new_lane() -> str:
    """A lane of the probe's own, or where only some are believed, the first of these."""
    known = _runtime.settings.lanes
    return min(known) if known else f"doctor-{secrets.token_hex(4)}"


def probe(url: str, capture: Capture, *, wait: float = 0.5, debug_url: str = "", timeout: float = 30.0) -> Probe:
    """Send one request with a lane, and judge the calls that pass through the capture until a while after the answer.

    :param url: of the service, with the path to call.
    :param capture: what the service's calls pass through.
    :param wait: seconds to wait after the answer for calls that the service makes in the background.
    :param debug_url: the service's debug path as a URL, whose counters tell more; empty for none.
    :param timeout: seconds that the service may take.
    :raises MeshError: the service cannot be reached.
    """
    lane = new_lane()
    before = _stats(debug_url, timeout)
    capture.calls.clear()
    status = _send(url, dict(probe_headers(lane)), timeout)
    time.sleep(wait)
    calls = list(capture.calls)
    hops = [_hop(call, calls, lane, url) for call in calls]
    return Probe(url, lane, status, hops, _notes(hops, before, _stats(debug_url, timeout), capture, status))


def _send(url: str, headers: dict[str, str], timeout: float) -> int:
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(Request(url, headers=headers), timeout=timeout) as answer:  # noqa: S310 - the URL that was asked for
            answer.read()
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (OSError, HTTPException, ValueError) as error:
        raise MeshError(f"{url} cannot be probed: {getattr(error, 'reason', error)}; is the service running there?") from error


def _hop(call: Call, calls: list[Call], lane: str, url: str) -> Hop:
    meanwhile = [
        other
        for other in calls
        if other is not call and other.began <= call.began and (other.ended or call.began) >= call.began
    ]
    caller = max(meanwhile, key=lambda other: other.began).host if meanwhile else urlsplit(url).netloc
    if call.tunnel:
        return Hop(str(call), UNSEEN, caller, "an encrypted call; its headers cannot be seen here")
    values = _lanes(call)
    if values == [lane]:
        return Hop(str(call), KEPT, caller, "")
    if len(values) > 1:
        return Hop(str(call), OTHER, caller, f"{len(values)} values of the lane's header, where one was expected")
    if values:
        return Hop(
            str(call),
            OTHER,
            caller,
            "it carries another lane: a header that the code sets itself, or a request object used again",
        )
    facts = target(f"http://{call.host}/", lane)
    if not facts.sent:
        return Hop(str(call), WITHHELD, caller, f"{facts.reason}; {facts.fix}" if facts.fix else facts.reason)
    return Hop(str(call), LOST, caller, _cause(call))


def _lanes(call: Call) -> list[str]:
    """The values by which the call names a lane, in the mode that is set."""
    settings = _runtime.settings
    if settings.mode == TRACE_ID_MODE:
        return [value.removeprefix("trace-") for value in call.values(settings.trace_header)]
    found = _runtime.wire.from_pairs([(name, value) for name, value in call.headers])
    if found is not None and found.lane is not None:
        return [found.lane]
    return call.values(settings.route_header)


def _cause(call: Call) -> str:
    agent = " ".join(call.values("user-agent"))
    library = library_of(agent)
    if library is None:
        name = agent[:60] if agent and agent.isascii() and agent.isprintable() else "a client that does not name itself"
        return f"sent by {name}, which lanebaggage does not know: lanebaggage.inject(headers, url=url) before the call"
    return (
        f"sent by {library}, which is supported: is lanebaggage on in that process, and is the call made by the request "
        "itself, not by a worker thread? LANEBAGGAGE_DEBUG=1 there says more"
    )


def library_of(agent: str) -> str | None:
    """The supported library that names itself in a ``User-Agent``, or None."""
    products = [word.partition("/")[0].lower() for word in agent.split()]
    supported = {entry.library for entry in TABLE}
    return next((name for product in products if (name := _AGENTS.get(product, product)) in supported), None)


def _stats(debug_url: str, timeout: float) -> dict[str, int]:
    if not debug_url:
        return {}
    try:
        with build_opener(ProxyHandler({})).open(debug_url, timeout=timeout) as answer:
            counters: Any = json.load(answer)["stats"]
            return {str(name): int(count) for name, count in counters.items()}
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise MeshError(
            f"{debug_url} does not answer as a debug path ({type(error).__name__}); "
            "start the service with LANEBAGGAGE_DEBUG_PATH set"
        ) from error


_TOLD: Final = {
    "refused_value": "the service read a lane that it does not believe: is it among its LANEBAGGAGE_LANES, and legal?",
    "refused_host": "the service withheld the lane from a host outside the mesh; its log names the host",
    "refused_signed": "the service withheld the lane from a signed request",
    "lost_in_thread": "a worker thread made a call without a lane: enter it for the job, with lanebaggage.lane(name)",
    "failed": "lanebaggage itself failed in the service; its log says where",
}


def _notes(hops: list[Hop], before: dict[str, int], after: dict[str, int], capture: Capture, status: int) -> list[str]:
    notes = [text for name, text in _TOLD.items() if after.get(name, 0) > before.get(name, 0)]
    if after and after.get("extracted") == before.get("extracted"):
        notes.insert(
            0, "the service found no lane in the probe: is its server supported, and its LANEBAGGAGE_ROUTE_HEADER the same?"
        )
    if _runtime.settings.edge:
        notes.insert(0, "edge is set, so that what arrives is ignored: a probe cannot enter a lane here")
    if status >= 500:
        notes.append(f"the service answered {status}")
    if not hops:
        notes.append(
            f"no call passed through {capture.address}: start the service with HTTP_PROXY=http://{capture.address} and without "
            "NO_PROXY, or give it that address as its upstream (aiohttp needs trust_env=True for HTTP_PROXY)"
        )
    return notes
