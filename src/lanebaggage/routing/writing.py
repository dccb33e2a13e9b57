"""What the writers share: documents with comments as YAML text, and conditions in Istio's shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from .errors import RoutingError
from .matching import Match, StringMatch
from .model import WEIGHTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .model import IngressRule, IngressWeight, Lane, LaneGroup
    from .services import ServiceRef

Written: TypeAlias = "tuple[Sequence[str], dict[str, Any]]"
"""Comments, and the object that they stand above."""
_DNS_LABEL: Final = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def yaml_text(written: Iterable[Written]) -> str:
    """Objects as one YAML text, each below its comments.

    :raises RoutingError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise RoutingError("writing YAML needs PyYAML: pip install 'lanebaggage[mesh]'") from None
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    texts = []
    for comments, document in written:
        above = "".join(f"# {comment}\n" for comment in comments)
        texts.append(above + yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))
    return "---\n".join(texts)


def string_match(condition: StringMatch) -> dict[str, str]:
    """A condition in Istio's shape."""
    return {} if condition.kind == "present" else {condition.kind: condition.value}


def http_match(match: Match) -> dict[str, Any]:
    """The conditions of a lane rule in the shape of Istio's HTTPMatchRequest."""
    written: dict[str, Any] = {} if match.uri is None else {"uri": string_match(match.uri)}
    if match.headers:
        written["headers"] = {name: string_match(condition) for name, condition in match.headers}
    return written


def istio_match(match: Match) -> dict[str, Any]:
    """The same as Istio takes it, which refuses a prefix or a regex without a character."""
    headers = tuple((name, _with_text(condition)) for name, condition in match.headers)
    uri = None if match.uri is None else _with_text(match.uri)
    return http_match(Match(None if uri is None or uri.kind == "present" else uri, headers))


def _with_text(condition: StringMatch) -> StringMatch:
    kinds: dict[str, Literal["present", "exact"]] = {"prefix": "present", "regex": "exact"}
    return condition if condition.value or condition.kind not in kinds else StringMatch(kinds[condition.kind])


def is_dns_label(text: str) -> bool:
    """Whether Kubernetes takes a text as the name of a Service, and Istio as that of a subset (RFC 1123)."""
    return _DNS_LABEL.fullmatch(text) is not None


def literally(text: str) -> str:
    """A regex, in RE2's and in Python's syntax, that matches a text and nothing else."""
    return re.escape(text).replace("\\-", "-")


def baggage_regex(key: str, lane: str) -> str:
    """A regex for a baggage header with a member of this key and value (W3C Baggage, section 3.3.1)."""
    return rf"(.*,)?[ \t]*{literally(key)}[ \t]*=[ \t]*{literally(lane)}[ \t]*([;,].*)?"


# --- what a lane group comes to


def first_with(group: LaneGroup, service: ServiceRef, *names: str) -> str | None:
    """The first of these lanes that has a service."""
    return next((name for name in names if group.lane(name).has(service)), None)


def online_rules(group: LaneGroup) -> list[tuple[Lane, IngressRule]]:
    """The lane rules that are in force, in order."""
    if group.strategy == WEIGHTED:
        return []
    return [(lane, rule) for lane in group.lanes for rule in lane.rules if rule.online and rule.destination in group.services]


def shares_of(group: LaneGroup) -> list[tuple[Lane, IngressWeight]]:
    """The lanes that get requests by weight: a single one gets all of them, 0 gets none."""
    if group.strategy != WEIGHTED:
        return []
    shares = [(lane, lane.weight) for lane in group.lanes if lane.weight is not None]
    shares = shares if len(shares) == 1 else [(lane, share) for lane, share in shares if share.weight > 0]
    return [(lane, share) for lane, share in shares if share.destination in group.services]


def default_entry(group: LaneGroup) -> IngressRule | IngressWeight | None:
    """What requests at the gateway are sent to that no rule matches: the baseline lane's entry, or else the first one."""
    if not group.permissive:
        return None
    entries: list[tuple[Lane, IngressRule | IngressWeight]] = [*online_rules(group), *shares_of(group)]
    return next((entry for lane, entry in entries if lane.name == group.baseline), entries[0][1] if entries else None)
