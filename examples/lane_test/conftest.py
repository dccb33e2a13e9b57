"""The shop and its neighbours as a lane mesh, for the tests in this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask
from shop import app as shop

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh


def neighbour(answer: dict) -> Flask:
    """A service that somebody else owns: it answers, and that is all this test wants of it."""
    app = Flask("neighbour")
    app.add_url_rule("/<path:path>", view_func=lambda path: answer, methods=["GET", "POST"])
    return app


stock, new_stock, audit = neighbour({"count": 1}), neighbour({"count": 0}), neighbour({})


@pytest.fixture
def mesh(mesh: Mesh) -> Mesh:
    mesh.service("shop", v1=shop)
    mesh.service("stock", v1=stock, v2=new_stock)
    mesh.service("audit", v1=audit, v2=audit)
    mesh.lanes(baseline="base", base="v1", next="v2")
    return mesh
