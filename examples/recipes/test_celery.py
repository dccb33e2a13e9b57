"""Celery: tasks that run at once, in the process that sends them, have its lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from celery import Celery
from flask import Flask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanebaggage.mesh import Mesh

celery = Celery("shop", broker="memory://")
app = Flask("shop")


@celery.task
def reserve() -> str:
    return requests.get("http://stock:8000/", timeout=5).text


@app.get("/")
def home() -> str:
    return reserve.delay().get()


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    celery.conf.task_always_eager = True
    yield
    celery.conf.task_always_eager = False


def test_a_task_has_the_lane_of_its_request(mesh: Mesh) -> None:
    mesh.service("shop", v1=app)
    call = mesh.get("shop", lane="next")
    assert call.path == [("shop", "v1"), ("stock", "v2")]
