"""What a URL would be sent, and why not."""

from __future__ import annotations

from typing import NamedTuple

from .. import _runtime
from .._policy import host_of
from .._settings import TRACE_ID_MODE


class TargetFacts(NamedTuple):
    """What a request to one URL would get from a request in a lane."""

    url: str
    host: str
    sent: bool
    reason: str
    """Why the host gets the headers or does not, in words."""
    headers: list[tuple[str, str]]
    """What it would get."""
    fix: str
    """What to set where the host is the reader's own; empty where it gets them, or never may."""


def target(url: str, lane: str) -> TargetFacts:
    """Explain the decision about a URL.

    :param url: an absolute http or https URL, or a host.
    :param lane: the lane that the request being served would be in.
    """
    host = host_of(url if "://" in url else f"http://{url}")
    verdict, reason = _runtime.policy.explain(host)
    if verdict:
        return TargetFacts(url, host, True, reason, probe_headers(lane, url=url), "")
    possible = host and "never" not in reason and reason != "not a host name"
    fix = f"if it is yours: allow=[{host!r}] or LANEBAGGAGE_ALLOW={host}" if possible else ""
    return TargetFacts(url, host, False, reason, [], fix)


def probe_headers(lane: str, *, url: str = "") -> list[tuple[str, str]]:
    """The headers by which a request in this lane is known, in the mode that is set."""
    settings = _runtime.settings
    entered = _runtime.wire.entered(None, lane)
    headers = list(entered.headers) if entered is not None else []
    if settings.mode == TRACE_ID_MODE:
        headers.append((settings.trace_header, "the value that arrived" if url else f"trace-{lane}"))
    return headers
