"""Run a lane mesh on a laptop or in CI: services in versions, lanes over them, and every call drawn hop by hop.

For production the mesh is Envoy, Istio or ASM; this one is for tests and development.
"""

from __future__ import annotations

from .apps import ASGI, WSGI, Address, Command
from .hops import HOP_HEADER, Call, Hop, Path
from .mesh import Mesh

__all__ = ["ASGI", "HOP_HEADER", "WSGI", "Address", "Call", "Command", "Hop", "Mesh", "Path"]
