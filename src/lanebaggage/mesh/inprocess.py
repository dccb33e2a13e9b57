"""The in-process engine: applications are called without sockets, each hop in an empty context.

Requests of requests, urllib3, urllib.request, http.client, httpx and httpx2 to the mesh's services are carried here. A WSGI
application runs in the thread that calls it, unless an event loop runs there; an ASGI application in a loop of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._errors import MeshError
from . import _asgi, _intercept, _wsgi
from ._clients import patch_http_client, patch_httpx, patch_urllib3
from ._made import look
from ._names import patch_socket
from ._replies import AsyncReply, Head, Reply, TaskSink, ThreadSink
from ._serving import context_of
from ._threads import Workers
from .apps import ASGI, WSGI
from .engine import Incoming
from .faults import hold, hold_async
from .traffic import CLIENT, GATEWAY, REASON_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ._made import Made
    from ._replies import Sink
    from .engine import Outgoing, Progress
    from .faults import Answer
    from .hops import Call
    from .topology import Instance
    from .traffic import Headers, Origin, Route, Traffic

_intercept.register("socket", patch_socket)
_intercept.register("http.client", patch_http_client)
_intercept.register("urllib3.connection", patch_urllib3)
_intercept.register("httpx", patch_httpx)
_intercept.register("httpx2", patch_httpx)

LONGEST_WAIT = 30.0
"""Seconds that a hop waits for an application in another thread, where the client names no shorter time."""


class InProcess:
    """Carries requests as function calls.

    :param traffic: routes them.
    """

    alive = True
    gateway: str | None = None
    sidecar: tuple[str, int] | None = None

    def __init__(self, traffic: Traffic) -> None:
        self.topology = traffic.topology
        self._traffic = traffic
        self._workers = Workers()
        self._running: dict[Instance, _asgi.Application] = {}
        _intercept.add(self)

    def address_for(self, _instance: Instance | None) -> str | None:
        """None: there are no sockets."""
        return None

    def start(self, instances: Iterable[Instance], progress: Progress) -> None:
        """Start the ASGI applications' loops."""
        for instance in instances:
            if instance in self._running:
                pass
            elif isinstance(instance.app, ASGI):
                application = _asgi.Application(instance.app.app, str(instance))
                application.start()
                self._running[instance] = application
            elif not isinstance(instance.app, WSGI):
                raise MeshError(
                    f"{instance} is no application of this process, and the in-process engine serves no other; "
                    "use engine='sockets'"
                )
            progress(instance)

    def set_available(self, instance: Instance, available: bool) -> None:
        """Count an instance as a healthy endpoint, or not."""
        instance.up = available

    def faulted(self, instances: Iterable[Instance]) -> None:
        """They are looked at as each request is carried."""

    def end(self, instance: Instance) -> None:
        """Stop an ASGI application's loop."""
        application = self._running.pop(instance, None)
        if application is not None:
            application.stop()

    def ended(self) -> list[tuple[Instance, int]]:
        """None: nothing runs in a process of its own."""
        return []

    def printed(self) -> list[tuple[Instance, str]]:
        """None, for the same reason."""
        return []

    def changed(self) -> None:
        """Nothing is kept between requests."""

    def settle(self, call: Call) -> None:
        """Hops are recorded as they happen."""

    def close(self) -> None:
        """Stop the applications' loops and the workers."""
        _intercept.remove(self)
        while self._running:
            self._running.popitem()[1].stop()
        self._workers.close()

    # --- carrying

    def exchange(self, request: Outgoing) -> Incoming:
        """Send a request from outside and read its response."""
        origin = GATEWAY if request.host is None else CLIENT
        reply = self.send(origin, request.method, request.path, request.headers, request.body, request.timeout)
        return Incoming(reply.head.status, reply.head.reason, reply.head.headers, b"".join(reply))

    def send(
        self,
        origin: Origin,
        method: str,
        path: str,
        headers: Headers,
        body: bytes,
        timeout: float | None = None,
        made: Made | None = None,
    ) -> Reply:
        """Carry one request for a thread.

        :param made: what there was to see where the request was made; looked at here unless given.
        :raises TimeoutError: an application in another thread did not answer in time.
        """
        route = self._route(origin, method, path, headers, made)
        instance = route.instance
        if instance is None:
            head, text = self._refused(route)
            return Reply(head, iter((text,)), lambda: None)
        if instance.faults:
            try:
                answer = hold(route.hop, _shorter(timeout))
            except TimeoutError as error:
                self._traffic.recorder.close(route.hop, None, str(error))
                raise
            if answer is not None:
                head, text = self._answered(route, answer)
                return Reply(head, iter((text,)), lambda: None)
        if isinstance(instance.app, WSGI) and asyncio._get_running_loop() is None:
            return self._call(route, method, path, body)
        sink = ThreadSink(_shorter(timeout), str(instance))
        self._dispatch(route, method, path, body, sink)
        try:
            head = sink.head(sink.take())
        except Exception as error:
            self._traffic.recorder.close(route.hop, None, str(error))
            raise
        return Reply(head, sink.chunks(), lambda: self._finish(route, head, sink))

    async def send_async(
        self, origin: Origin, method: str, path: str, headers: Headers, body: bytes, timeout: float | None = None
    ) -> AsyncReply:
        """Carry one request for a coroutine; otherwise as :meth:`send`."""
        route = self._route(origin, method, path, headers)
        instance = route.instance
        if instance is None:
            head, text = self._refused(route)
            return AsyncReply(head, _one(text), lambda: None)
        if instance.faults:
            try:
                answer = await hold_async(route.hop, _shorter(timeout))
            except TimeoutError as error:
                self._traffic.recorder.close(route.hop, None, str(error))
                raise
            if answer is not None:
                head, text = self._answered(route, answer)
                return AsyncReply(head, _one(text), lambda: None)
        sink = TaskSink(_shorter(timeout), str(instance))
        self._dispatch(route, method, path, body, sink)
        try:
            head = sink.head(await sink.take())
        except BaseException as error:
            sink.close()
            self._traffic.recorder.close(route.hop, None, str(error) or type(error).__name__)
            raise
        return AsyncReply(head, sink.chunks(), lambda: self._finish(route, head, sink))

    def _route(self, origin: Origin, method: str, path: str, headers: Headers, made: Made | None = None) -> Route:
        route = self._traffic.route(origin, method, path, _host(headers), headers)
        if route.hop.lost:
            route.hop.made = made or look()
        return route

    def _dispatch(self, route: Route, method: str, path: str, body: bytes, sink: Sink) -> None:
        """Have an application in another thread serve a request."""
        instance = route.instance
        assert instance is not None
        if isinstance(instance.app, WSGI):
            self._workers.run(lambda: _wsgi.pour(lambda: self._call(route, method, path, body), sink))
        else:
            assert isinstance(instance.app, ASGI)
            scope = _asgi.scope_of(method, path, route.headers)
            context = context_of(route.hop, instance.app.app, route.headers, scope)
            self._running[instance].serve(scope, body, route.hop, context, sink)

    def _call(self, route: Route, method: str, path: str, body: bytes) -> Reply:
        """Have a WSGI application serve a request in this thread."""
        hop = route.hop
        assert hop.instance is not None
        assert isinstance(hop.instance.app, WSGI)
        app = hop.instance.app.app
        environ = _wsgi.environ_of(method, path, route.headers, body)
        context = context_of(hop, app, route.headers, environ)

        def finish() -> None:
            self._finish(route, reply.head)

        reply = _wsgi.call(app, environ, hop, context, finish)
        hop.status = reply.head.status
        return reply

    def _finish(self, route: Route, head: Head, sink: Sink | None = None) -> None:
        if sink is not None:
            sink.close()
        self._traffic.recorder.close(route.hop, head.status, headers=head.headers)

    def _refused(self, route: Route) -> tuple[Head, bytes]:
        self._traffic.recorder.close(route.hop, route.status, route.reason)
        return _own_answer(route.status, route.reason)

    def _answered(self, route: Route, answer: Answer) -> tuple[Head, bytes]:
        self._traffic.recorder.close(route.hop, answer.status)
        return _own_answer(answer.status, answer.reason)


def _own_answer(status: int, reason: str) -> tuple[Head, bytes]:
    headers = [("content-type", "text/plain; charset=utf-8"), (REASON_HEADER, reason)]
    return Head(status, "", headers), reason.encode()


def _host(headers: Headers) -> str:
    return next((value for name, value in headers if name.lower() == "host"), "")


def _shorter(timeout: float | None) -> float:
    return LONGEST_WAIT if timeout is None else min(timeout, LONGEST_WAIT)


async def _one(text: bytes) -> AsyncIterator[bytes]:
    yield text
