"""Middleware for WSGI and ASGI applications of a framework, under a server, that ``auto_instrument()`` does not know."""

from __future__ import annotations

from .instrumentation._patching import Gate
from .instrumentation.servers import _asgi, _wsgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]


def wsgi_middleware(app: WSGIApplication) -> WSGIApplication:
    """Serve a WSGI application's requests in their lanes, body included (PEP 3333).

    :param app: the application; where its framework or its server is instrumented too, the lane is entered once.
    :return: a WSGI application; put it outside of every middleware that makes calls of its own.
    """
    return _wsgi.application(app, Gate("wsgi_middleware"))


def asgi_middleware(app: ASGIApplication) -> ASGIApplication:
    """Serve an ASGI application's requests and websockets in their lanes (ASGI 3); its lifespan is left alone.

    :param app: the application; where its framework or its server is instrumented too, the lane is entered once.
    :return: an ASGI application; put it outside of every middleware that makes calls of its own.
    """
    in_lane: ASGIApplication = _asgi.application(app, Gate("asgi_middleware"))
    return in_lane
