"""Django: the application in the test's own thread and transaction, or pytest-django's live server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from shop_django import application

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

    from lanebaggage.mesh import Mesh


@pytest.mark.django_db
def test_the_application_sees_the_tests_data(mesh: Mesh) -> None:
    mesh.service("shop", v1=application)
    User.objects.create(username="ada")
    call = mesh.get("shop", lane="next")
    assert call.json() == {"users": ["ada"], "stock": "new"}


@pytest.mark.mesh(engine="sockets")
@pytest.mark.django_db(transaction=True)
def test_a_live_server_is_a_service_by_its_address(mesh: Mesh, live_server: LiveServer) -> None:
    mesh.service("shop", v1=live_server.url)
    User.objects.create(username="ada")
    call = mesh.get("shop", lane="next")
    assert call.json() == {"users": ["ada"], "stock": "new"}
