"""What the recipes share: the library is on, and a stock service in two versions stands for everybody's neighbour."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from flask import Flask

import lanebaggage

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

lanebaggage.auto_instrument()


def stock(version: str) -> Flask:
    app = Flask(version)
    app.add_url_rule("/", view_func=lambda: version)
    return app


old, new = stock("old"), stock("new")


@pytest.fixture
def mesh(mesh: Mesh) -> Mesh:
    mesh.service("stock", v1=old, v2=new)
    mesh.lanes(baseline="base", base="v1", next="v2", entry="shop")
    return mesh


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's browser; ``playwright install`` brings one of its own elsewhere."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed here; apt-get install chromium")
    return found
