"""Services that run as processes, as they are deployed; in any language."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lanebaggage.mesh import Command

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh

HERE = Path(__file__).parent
PYTHON = ["lanebaggage", "run", "--", "gunicorn", "shop:app", "-b", "{bind}"]
NODE = ["node", "shop.js", "{port}"]

pytestmark = pytest.mark.mesh(engine="sockets")


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed here; apt-get install nodejs")


@pytest.mark.parametrize("command", [PYTHON, pytest.param(NODE, marks=needs_node)], ids=["gunicorn", "node"])
def test_a_process_keeps_the_lane(mesh: Mesh, command: list[str]) -> None:
    mesh.service("shop", v1=Command(command, cwd=HERE))
    call = mesh.get("shop", lane="next")
    assert call.path == [("shop", "v1"), ("stock", "v2")]
