"""WSGI applications under test: a bare callable, Flask, Django, Falcon, Pyramid, Bottle; the same paths in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lanebaggage

from .server_drive import Wsgi
from .server_probe import FILE, HandledError, Probe

if TYPE_CHECKING:
    from collections.abc import Callable


def noting(app: Any, probe: Probe, place: str) -> Callable[[Any, Any], Any]:
    """A WSGI middleware that notes a place."""

    def middleware(environ: Any, start_response: Any) -> Any:
        probe(place)
        return app(environ, start_response)

    return middleware


class Bare(Wsgi):
    """A callable inside ``wsgi_middleware``."""

    def make(self) -> Any:
        probe = self.probe

        def app(environ: Any, start_response: Any) -> Any:
            path = environ["PATH_INFO"]
            if path == "/file":
                start_response("200 OK", [])
                return open(FILE, "rb")  # noqa: PTH123 - the server closes it
            if path == "/stream":
                start_response("200 OK", [])
                return probe.chunks()
            view = {
                "/lane": probe,
                "/thread": probe.threaded,
                "/timeout": probe.timed_sync,
                "/sub/lane": probe,
                "/fail": probe.fail,
            }
            try:
                body = view[path]()  # type: ignore[operator]
                start_response("200 OK", [])
            except HandledError:
                body = probe("error")
                start_response("500 Oops", [])
            return [body.encode()]

        inner = noting(app, probe, "inner")
        nested = lanebaggage.wsgi_middleware(inner)
        return lanebaggage.wsgi_middleware(noting(nested, probe, "outer"))


class Flask(Wsgi):
    distribution = "flask"

    def make(self) -> Any:
        import flask

        probe = self.probe
        app = self.own(flask.Flask)("app")
        sub = flask.Blueprint("sub", "sub", url_prefix="/sub")
        sub.add_url_rule("/lane", "lane", probe)
        app.register_blueprint(sub)
        app.add_url_rule("/lane", "lane", probe)
        app.add_url_rule("/fail", "fail", probe.fail)
        app.add_url_rule("/thread", "thread", probe.threaded)
        app.add_url_rule("/timeout", "timeout", probe.timed_sync)
        app.add_url_rule("/stream", "stream", lambda: flask.Response(flask.stream_with_context(probe.chunks())))
        app.add_url_rule("/file", "file", lambda: flask.send_file(FILE))

        async def view() -> str:
            return await probe.threaded_async()

        app.add_url_rule("/async", "async", view)
        app.before_request(lambda: probe("inner") and None)
        app.register_error_handler(HandledError, lambda _: (probe("error"), 500))
        app.wsgi_app = noting(app.wsgi_app, probe, "outer")
        return app


class Django(Wsgi):
    distribution = "django"

    def make(self) -> Any:
        from .server_django import wsgi

        return wsgi(self.probe, self.own)


class Falcon(Wsgi):
    distribution = "falcon"

    def make(self) -> Any:
        import falcon

        probe = self.probe

        class Middleware:
            def __init__(self, place: str) -> None:
                self.place = place

            def process_request(self, req: Any, resp: Any) -> None:
                probe(self.place)

        def stream(resp: Any) -> None:
            resp.stream = probe.chunks()

        def file(resp: Any) -> None:
            resp.stream = open(FILE, "rb")  # noqa: PTH123, SIM115 - Falcon closes it

        def text(view: Any) -> Callable[[Any], None]:
            def fill(resp: Any) -> None:
                resp.text = view()

            return fill

        def resource(fill: Any) -> Any:
            class Resource:
                def on_get(self, req: Any, resp: Any) -> None:
                    fill(resp)

            return Resource()

        def handle(req: Any, resp: Any, error: Any, params: Any) -> None:
            resp.status = falcon.HTTP_500
            resp.text = probe("error")

        app = self.own(falcon.App)(middleware=(Middleware("outer"), Middleware("inner")))
        views = {
            "/lane": probe,
            "/sub/lane": probe,
            "/fail": probe.fail,
            "/thread": probe.threaded,
            "/timeout": probe.timed_sync,
        }
        for path, view in views.items():
            app.add_route(path, resource(text(view)))
        app.add_route("/stream", resource(stream))
        app.add_route("/file", resource(file))
        app.add_error_handler(HandledError, handle)
        return app


class Pyramid(Wsgi):
    distribution = "pyramid"

    def make(self) -> Any:
        from pyramid.config import Configurator
        from pyramid.request import Request
        from pyramid.response import FileResponse, Response
        from pyramid.router import Router

        probe = self.probe
        views: dict[str, Callable[[Any], Any]] = {
            "/lane": lambda _: Response(probe()),
            "/fail": lambda _: Response(probe.fail()),
            "/thread": lambda _: Response(probe.threaded()),
            "/timeout": lambda _: Response(probe.timed_sync()),
            "/stream": lambda _: Response(app_iter=probe.chunks()),
            "/file": lambda request: FileResponse(FILE, request),
            "/sub/lane": lambda request: request.invoke_subrequest(Request.blank("/lane"), use_tweens=True),
        }
        with Configurator() as config:
            for number, (path, view) in enumerate(views.items()):
                config.add_route(str(number), path)
                config.add_view(view, route_name=str(number))
            config.add_tween("support.server_wsgi.tween_of_inner")
            config.add_tween("support.server_wsgi.tween_of_outer")
            config.add_exception_view(lambda _: Response(probe("error"), status=500), context=HandledError)
            config.registry.probe = probe
            app = config.make_wsgi_app()
        if self.subclass:
            app.__class__ = self.own(Router)
        return app


def tween_of_inner(handler: Any, registry: Any) -> Any:
    return lambda request: (registry.probe("inner"), handler(request))[1]


def tween_of_outer(handler: Any, registry: Any) -> Any:
    return lambda request: (registry.probe("outer"), handler(request))[1]


class Bottle(Wsgi):
    distribution = "bottle"

    def make(self) -> Any:
        import bottle

        probe = self.probe
        app = self.own(bottle.Bottle)(catchall=True)
        sub = bottle.Bottle()
        sub.route("/lane", callback=probe)
        app.mount("/sub/", sub)
        app.route("/lane", callback=probe)
        app.route("/fail", callback=probe.fail)
        app.route("/thread", callback=probe.threaded)
        app.route("/timeout", callback=probe.timed_sync)
        app.route("/stream", callback=probe.chunks)
        app.route("/file", callback=lambda: bottle.static_file("server_probe.py", FILE.rpartition("/")[0]))
        app.add_hook("before_request", lambda: probe("outer"))
        app.install(lambda callback: lambda *args, **kwargs: (probe("inner"), callback(*args, **kwargs))[1])
        app.error(500)(lambda _: probe("error"))
        return app
