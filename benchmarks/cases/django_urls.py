"""The URL configuration and the settings of the Django that is measured: one view, no middleware, no database."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path

SETTINGS: dict[str, Any] = {
    "ALLOWED_HOSTS": ["*"],
    "DEBUG": False,
    "MIDDLEWARE": [],
    "ROOT_URLCONF": __name__,
    "SECRET_KEY": "measured",
}


def view(request: Any) -> HttpResponse:
    return HttpResponse(b"ok")


urlpatterns = [path("", view)]
