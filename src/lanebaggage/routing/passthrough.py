"""Which headers matter: what TrafficLabel and ASMHeaderPropagation say that a request must keep from hop to hop.

Both resources are of ``istio.alibabacloud.com/v1beta1``. ASMHeaderPropagation (1.21.6.54 and later,
https://help.aliyun.com/zh/asm/sidecar/description-of-asmheaderpropagation-crd) takes headers out of baggage; TrafficLabel
(https://help.aliyun.com/document_detail/375313.html) makes a header of what a sidecar knows of a request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .._settings import BAGGAGE
from .errors import NOWHERE, Place
from .fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .documents import Document
    from .errors import Finding
    from .model import LaneGroup

PROPAGATION_KIND: Final = "ASMHeaderPropagation"
LABEL_KIND: Final = "TrafficLabel"

_FUNCTION: Final = re.compile(r"\$get(?:(?:Inbound|ExternalInbound|LocalOutbound)RequestHeader|Context)\(([^()]*)\)")
"""The functions of ``valueFrom`` that name headers; ``$getLabel`` and ``$(localLabel)`` name pod labels."""


@dataclass(frozen=True, slots=True)
class PassThrough:
    """What one of the two resources says about headers; names in lower case.

    :param kind: of the resource.
    :param name: of the resource, with its namespace.
    :param headers: that sidecars read or write by it.
    :param prefixes: of such headers.
    :param workload: labels of the pods that it is for; none means those of the whole namespace.
    """

    kind: str
    name: str
    headers: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    workload: Mapping[str, str] = field(default_factory=dict)
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def covers(self, header: str) -> bool:
        """Whether a header is among them."""
        name = header.lower()
        return name in self.headers or name.startswith(self.prefixes)


def read_pass_through(found: Sequence[Document], findings: list[Finding]) -> list[PassThrough]:
    """What the TrafficLabel and ASMHeaderPropagation resources among documents say.

    :param findings: takes what is wrong.
    """
    resources = []
    for document in found:
        if document.kind not in (PROPAGATION_KIND, LABEL_KIND):
            continue
        root = Fields(document.node, "", findings)
        spec = root.mapping("spec")
        prefixes: tuple[str, ...] = ()
        if document.kind == PROPAGATION_KIND:
            headers, prefixes = spec.texts("headers"), spec.texts("headerPrefix")
            if not headers and not prefixes:
                why = "one of headers and headerPrefix is required"
                spec.error("shape", "headers", f"{PROPAGATION_KIND} names no header", why, "Write headers: [x-asm-prefer-tag]")
        else:
            labels = [label for rule in spec.mappings("rules") for label in rule.mappings("labels")]
            headers = tuple(name for label in labels for source in label.texts("valueFrom") for name in _headers(source))
        resources.append(
            PassThrough(
                document.kind,
                f"{document.namespace}/{document.name}",
                tuple(dict.fromkeys(name.lower() for name in headers)),
                tuple(prefix.lower() for prefix in prefixes),
                spec.mapping("workloadSelector").text_map("labels"),
                document.place,
            )
        )
    return resources


def forwarded(groups: Iterable[LaneGroup], resources: Iterable[PassThrough] = ()) -> tuple[str, ...]:
    """The headers that applications must forward for these groups and resources; a prefix ends in ``*``.

    The same shape as the library's ``pass_through`` setting. Strict mode needs none.
    """
    names = [name for group in groups if group.permissive for name in (group.trace_header, group.route_header)]
    for resource in resources:
        names += [BAGGAGE] if resource.kind == PROPAGATION_KIND else []
        names += [*resource.headers, *(f"{prefix}*" for prefix in resource.prefixes)]
    return tuple(dict.fromkeys(names))


def _headers(source: str) -> list[str]:
    """Both arguments of a function: ASM's documents contradict each other on which one is the trace ID's header."""
    return [name.strip() for found in _FUNCTION.finditer(source) for name in found.group(1).split(",") if name.strip()]
