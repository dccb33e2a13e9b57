"""A Django service with a database, its views and URLs in one file."""

from __future__ import annotations

import requests
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path


def home(request: HttpRequest) -> JsonResponse:
    names = list(User.objects.values_list("username", flat=True))
    return JsonResponse({"users": names, "stock": requests.get("http://stock:8000/", timeout=5).text})


urlpatterns = [path("", home)]
application = get_wsgi_application()
