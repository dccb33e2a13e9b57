"""A Django project under test: settings, views, middlewares and handlers; also the URLs of Channels' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import include, path

from .server_probe import FILE, HandledError, Probe

if TYPE_CHECKING:
    from collections.abc import Callable

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="for tests",
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", f"{__name__}.outer", f"{__name__}.AsyncInner"],
        USE_TZ=True,
    )
    django.setup()

probe = Probe()
"""The probe of the driver that was made last; a project's URLs are a module's."""


def wsgi(new: Probe, own: Callable[[Any], Any]) -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    _use(new)
    return own(WSGIHandler)()


def asgi(new: Probe, own: Callable[[Any], Any]) -> Any:
    from django.core.handlers.asgi import ASGIHandler

    _use(new)
    return own(ASGIHandler)()


def _use(new: Probe) -> None:
    global probe
    probe = new


def outer(get_response: Any) -> Any:
    """Synchronous."""

    def middleware(request: Any) -> Any:
        probe("outer")
        return get_response(request)

    return middleware


class AsyncInner:
    """Synchronous or asynchronous, as Django likes; handles the error."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._async(request)
        probe("inner")
        return self.get_response(request)

    async def _async(self, request: Any) -> Any:
        probe("inner")
        return await self.get_response(request)

    def process_exception(self, request: Any, exception: Exception) -> Any:
        return HttpResponse(probe("error"), status=500) if isinstance(exception, HandledError) else None


def of(name: str) -> Any:
    return lambda request: HttpResponse(getattr(probe, name)())


def of_async(name: str) -> Any:
    async def view(request: Any) -> Any:
        return HttpResponse(await getattr(probe, name)())

    return view


async def fail_async(request: Any) -> Any:
    return HttpResponse(probe.fail())


async def stream_async(request: Any) -> Any:
    return StreamingHttpResponse(probe.achunks())


async def hold(request: Any) -> Any:
    return StreamingHttpResponse(probe.hold())


lane = path("lane", of("__call__"))

urlpatterns = [
    lane,
    path("sync", of("__call__")),
    path("sub/", include([lane])),
    path("fail", of("fail")),
    path("fail-async", fail_async),
    path("thread", of("threaded")),
    path("async", of_async("threaded_async")),
    path("timeout", of("timed_sync")),
    path("timeout-async", of_async("timed")),
    path("stream", lambda request: StreamingHttpResponse(probe.chunks())),
    path("stream-async", stream_async),
    path("hold", hold),
    path("wait", of_async("wait")),
    path("file", lambda request: FileResponse(open(FILE, "rb"))),  # noqa: PTH123, SIM115 - Django closes it
]
