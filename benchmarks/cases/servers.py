"""Servers, called in process without a network: bare WSGI and ASGI, Flask, Django, Starlette, FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import traffic
from ..case import Case, add, timed, timed_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..configs import Config

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "2")]
RAW_HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"2")]


class BareWSGI:
    """The least that is a WSGI application; a class, since a patch needs something to be on."""

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", HEADERS)
        return [b"ok"]


class BareASGI:
    """The least that is an ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS})
        await send({"type": "http.response.body", "body": b"ok"})


def serve_wsgi(app: Any, situation: str) -> Callable[[int], float]:
    environ = traffic.environ(situation)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return None

    def request() -> None:
        body = app(environ.copy(), start_response)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()

    return timed(request)


def serve_asgi(config: Config, app: Any, situation: str) -> Callable[[int], float]:
    scope = traffic.scope(situation)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        return None

    async def request() -> None:
        await app(scope.copy(), receive, send)

    return timed_async(config, request)


def wsgi(config: Config, situation: str) -> Callable[[int], float]:
    return serve_wsgi(config.bare_wsgi(BareWSGI), situation)


def asgi(config: Config, situation: str) -> Callable[[int], float]:
    return serve_asgi(config, config.bare_asgi(BareASGI), situation)


def flask(config: Config, situation: str) -> Callable[[int], float]:
    from flask import Flask

    app = Flask("bench")
    app.add_url_rule("/", "view", lambda: "ok")
    return serve_wsgi(app, situation)


def django(config: Config, situation: str) -> Callable[[int], float]:
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    from . import django_urls

    if not settings.configured:
        settings.configure(**django_urls.SETTINGS)
    config.before_django()
    django.setup()
    return serve_wsgi(WSGIHandler(), situation)


def starlette(config: Config, situation: str) -> Callable[[int], float]:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def view(request: Any) -> Any:
        return PlainTextResponse("ok")

    return serve_asgi(config, Starlette(routes=[Route("/", view)]), situation)


def fastapi(config: Config, situation: str) -> Callable[[int], float]:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/")
    async def view() -> dict[str, str]:
        return {"ok": "yes"}

    return serve_asgi(config, app, situation)


BAGGAGE = {
    "baggage-0": "baggage, ours only",
    "baggage-10": "baggage, 10 foreign members",
    "baggage-60": "baggage, 60 foreign members",
    "hostile": "hostile baggage of 8 KB",
}

for name, make, words in (("wsgi", wsgi, "bare WSGI application"), ("asgi", asgi, "bare ASGI application")):
    add(Case(name, words, "server", make))
    add(Case(f"{name}-nothing", f"{words}, nothing to carry", "server", make, "nothing"))
    for situation, extra in BAGGAGE.items():
        add(Case(f"{name}-{situation}", f"{words}, {extra}", "server", make, situation))

add(Case("flask", "Flask", "server", flask, opentelemetry=("flask:FlaskInstrumentor",), ddtrace=("flask",)))
add(Case("django", "Django", "server", django, opentelemetry=("django:DjangoInstrumentor",), ddtrace=("django",)))
add(
    Case(
        "starlette",
        "Starlette",
        "server",
        starlette,
        opentelemetry=("starlette:StarletteInstrumentor",),
        ddtrace=("starlette",),
    )
)
add(
    Case(
        "fastapi",
        "FastAPI",
        "server",
        fastapi,
        opentelemetry=("fastapi:FastAPIInstrumentor",),
        ddtrace=("fastapi",),
    )
)
