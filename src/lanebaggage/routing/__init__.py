"""Lane routing as a pure model: decides each hop as the mesh does, from the files that are deployed.

No I/O but reading the files it is given, no clock but one passed in. ``docs/reference/routing.md`` describes it.
"""

from __future__ import annotations

from .asm import load, load_text
from .decision import Decision
from .errors import Finding, Place, RoutingError
from .istio import load_routes
from .matching import Match, StringMatch
from .memory import TraceMemory
from .model import (
    RULE_BASED,
    STRICT_MODE,
    WEIGHTED,
    Gateway,
    IngressRule,
    IngressWeight,
    Lane,
    LaneGroup,
)
from .request import Request
from .router import Router
from .services import ServiceRef, plain_host
from .tables import RouteTable
from .workloads import Workload, Workloads, load_workloads, with_workloads

__all__ = [
    "RULE_BASED",
    "STRICT_MODE",
    "WEIGHTED",
    "Decision",
    "Finding",
    "Gateway",
    "IngressRule",
    "IngressWeight",
    "Lane",
    "LaneGroup",
    "Match",
    "Place",
    "Request",
    "RouteTable",
    "Router",
    "RoutingError",
    "ServiceRef",
    "StringMatch",
    "TraceMemory",
    "Workload",
    "Workloads",
    "load",
    "load_routes",
    "load_text",
    "load_workloads",
    "plain_host",
    "with_workloads",
]
