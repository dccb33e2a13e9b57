"""The shop keeps the lane of whoever calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lanebaggage.mesh import Mesh


def test_the_next_stock_service_answers_in_its_lane(mesh: Mesh) -> None:
    call = mesh.get("shop", "/article/chair", lane="next")
    assert call.path == [("shop", "v1"), ("stock", "v2")]
    assert call.json() == {"article": "chair", "available": False}


def test_everybody_else_gets_the_baseline(mesh: Mesh) -> None:
    call = mesh.get("shop", "/article/chair")
    assert call.path == [("shop", "v1"), ("stock", "v1")]


@pytest.mark.xfail(reason="the worker thread does not know whose order it reports", strict=True)
def test_orders_are_audited_in_their_lane(mesh: Mesh) -> None:
    mesh.post("shop", "/order/chair", lane="next")
