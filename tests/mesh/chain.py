"""The mock chain for tests: mocka -> mockb -> mockc in three versions, of the example's own applications, in any mixture."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lanebaggage
from lanebaggage.mesh.topology import headers_of

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mock_chain"
ACCEPTANCE = ROOT / "tests" / "acceptance"
EXPECTED = json.loads((ACCEPTANCE / "expected.json").read_text())

SERVICES = {"mocka": "http://mockb:8000/", "mockb": "http://mockc:8000/", "mockc": ""}
VERSIONS = ("v1", "v2", "v3")
MIXTURES = {
    "flask": ("flask_requests", "flask_requests", "flask_requests"),
    "fastapi": ("fastapi_httpx", "fastapi_httpx", "fastapi_httpx"),
    "flask-fastapi-flask": ("flask_requests", "fastapi_httpx", "flask_requests"),
    "fastapi-flask-fastapi": ("fastapi_httpx", "flask_requests", "fastapi_httpx"),
}
"""Modules of mocka, mockb and mockc."""


def module(name: str) -> Any:
    """A module of the example, as its own directory has it."""
    full = f"mock_chain_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, EXAMPLE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def declare(mesh: Mesh, mixture: str = "flask") -> None:
    """Declare every version of every service."""
    for (service, upstream), name in zip(SERVICES.items(), MIXTURES[mixture], strict=True):
        mesh.service(service, {version: module(name).create_app(service, version, upstream) for version in VERSIONS})


def instrument(mesh: Mesh) -> None:
    """Switch the library on, with the headers of the mesh's lane group."""
    lanebaggage.auto_instrument(**headers_of(mesh.topology.current.group))


def pairs(chain: list[list[str]]) -> list[tuple[str, str]]:
    """A chain of ``expected.json`` as a call's path has it."""
    return [(service, version) for service, version in chain]


def printed(chain: list[list[str]]) -> str:
    """What the services of a chain print."""
    return "".join(f"-> {service}(version: {version}, ip: 127.0.0.1)" for service, version in chain)
