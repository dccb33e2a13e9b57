"""Conditions of lane rules as Envoy's route matches, in the order and with the meaning that the router gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..services import plain_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..matching import Match, StringMatch
    from .options import Json


def route_match(match: Match, hosts: Sequence[str]) -> Json | None:
    """One route's match, or None where no request can meet it.

    :param hosts: ``*``, names or ``*.suffix``. They are compared by the route, not by virtual hosts, which Envoy would try
        in another order than that of the rules.
    """
    path = _path(match.uri)
    if path is None:
        return None
    headers = [_header(name.lower(), condition) for name, condition in match.headers]
    if hosts and "*" not in hosts:
        headers.append({"name": ":authority", "string_match": {"safe_regex": {"regex": _host_pattern(hosts)}}})
    return {**path, **({"headers": headers} if headers else {})}


def _path(uri: StringMatch | None) -> Json | None:
    """Envoy compares the path without query, normalised. Its messages refuse empty texts, so these are said otherwise."""
    if uri is None or uri.kind == "present" or (uri.kind == "prefix" and not uri.value):
        return {"prefix": "/"}
    if not uri.value:
        return None
    if uri.kind == "regex":
        return {"safe_regex": {"regex": uri.value}}
    return {"path" if uri.kind == "exact" else "prefix": uri.value}


def _header(name: str, condition: StringMatch) -> Json:
    if condition.kind == "present" or (condition.kind == "prefix" and not condition.value):
        return {"name": name, "present_match": True}
    if condition.kind == "regex" and condition.value:
        return {"name": name, "string_match": {"safe_regex": {"regex": condition.value}}}
    return {"name": name, "string_match": {"prefix" if condition.kind == "prefix" else "exact": condition.value}}


def _host_pattern(hosts: Sequence[str]) -> str:
    names = []
    for host in hosts:
        plain = plain_host(host)
        names.append(rf"[^:]*{re.escape(plain[1:])}" if plain[:1] == "*" else re.escape(plain))
    return rf"(?i)(?:{'|'.join(names)})\.?(?::.*)?"
