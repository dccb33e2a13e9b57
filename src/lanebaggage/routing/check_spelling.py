"""Lints for misspelt names: unknown fields are ignored, as ASM ignores them, so that a slip of the pen goes unnoticed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from .asm import GROUP_KIND, LANE_KIND
from .errors import warning
from .passthrough import LABEL_KIND, PROPAGATION_KIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .documents import Document, Node
    from .errors import Finding

_KINDS: Final = (GROUP_KIND, LANE_KIND, LABEL_KIND, PROPAGATION_KIND)
_ALIKE: Final = 0.8
"""How alike two names have to be, from 0 to 1, for one to be a slip of the other."""

_PATCHES: Final[dict[str, Any]] = {"trafficPolicyPatch": None, "httpRoutePatch": None}
_SERVICE: Final[dict[str, Any]] = {"name": None, "namespace": None, "cluster": None, **_PATCHES}
_MATCH: Final[dict[str, Any]] = {"uri": None, "headers": None}
_DESTINATION: Final[dict[str, Any]] = {"destination": {"host": None, "portNum": None}}
_WEIGHTED: Final[dict[str, Any]] = {"hosts": None, "requestMatches": _MATCH}
_FIELDS: Final[dict[str, dict[str, Any]]] = {
    GROUP_KIND: {
        "services": _SERVICE,
        "ingress": {
            "gateway": {"name": None, "namespace": None, "type": None},
            "ingressRouting": {"ingressRoutingStrategy": None, "weightedRoutingRule": _WEIGHTED},
        },
        "isPermissive": None,
        "permissiveModeConfiguration": {
            "fallbackTarget": None,
            "serviceLevelFallbackTarget": None,
            "traceHeader": None,
            "routeHeader": None,
        },
        "defaultTrafficPolicyPatch": None,
        "defaultHttpRoutePatch": None,
        "autoUpdate": None,
    },
    LANE_KIND: {
        "labelSelector": None,
        "services": _SERVICE,
        "ingressRules": {"name": None, "online": None, "hosts": None, "match": _MATCH, "route": _DESTINATION},
        "ingressWeight": {**_DESTINATION, "weight": None},
    },
}
"""The fields of ``spec``; in a list, those of each item."""


def spelling_findings(found: Iterable[Document]) -> Iterator[Finding]:
    """Kinds and fields of ASM's resources that are nearly those that exist."""
    for document in found:
        if document.kind in _FIELDS:
            spec = document.node.get("spec")
            if spec is not None:
                yield from _misspelt(spec, _FIELDS[document.kind], "spec")
        elif document.kind.lower() in map(str.lower, _KINDS) and document.kind not in _KINDS:
            meant = next(kind for kind in _KINDS if kind.lower() == document.kind.lower())
            yield warning("misspelt", document.place, f"kind {document.kind}", "it is not read", f"Write kind: {meant}")


def _misspelt(node: Node, fields: dict[str, Any], path: str) -> Iterator[Finding]:
    if node.kind == "list":
        for index, item in enumerate(node.value):
            yield from _misspelt(item, fields, f"{path}[{index}]")
    elif node.kind == "mapping":
        for name, value in node.value.items():
            if name in fields:
                if fields[name] is not None:
                    yield from _misspelt(value, fields[name], f"{path}.{name}")
            elif meant := get_close_matches(name, set(fields) - set(node.value), 1, _ALIKE):
                why = "there is no such field, so it is ignored"
                yield warning("misspelt", value.place, f"{path}.{name[:60]}", why, f"Write {meant[0]}")
