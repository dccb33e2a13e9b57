"""Tornado: each request's ``_HandlerDelegate``, and the adapter of a bare ``HTTPServer(callback)``.

``execute`` starts the handler's task, which copies the context: the handler, its ``initialize`` and a websocket's messages
have the lane. Streamed request bodies and a client's disconnect reach the handler outside of that task, so those calls
enter the lane themselves. The environ that ``WSGIContainer`` makes is marked: its application enters no lane again.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ... import _runtime
from ..._answers import report
from ..._context import CARRIED, reset
from ..concurrency import _jobs
from . import _serve, _wsgi

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Extract in the delegates that a request's connection calls; mark, and add to answers, in ``WSGIContainer``."""
    if module.__name__ == "tornado.httpserver":
        patch.method(module._CallableAdapter, "finish", _serve.serving(_carried))
        return
    if module.__name__ == "tornado.wsgi":
        patch.method(module.WSGIContainer, "environ", _serve.marking(lambda environ: environ))
        patch.method(module.WSGIContainer, "__call__", _container)
        return
    patch.method(module._HandlerDelegate, "execute", _execute)
    patch.method(module._HandlerDelegate, "data_received", _data_received)
    patch.method(module.RequestHandler, "flush", _flush)
    patch.method(module._HandlerDelegate, "on_connection_close", _serve.serving(_carried))


def _carried(delegate: Any, *_: Any) -> Any:
    return _serve.pairs(delegate.request.headers.get_all())


def _execute(original: Any, gate: Gate) -> Any:
    in_lane = _serve.serving(_carried)(original, gate)

    def execute(self: Any) -> Any:
        if gate.on and _runtime.answers is not None and self.request.path == _runtime.answers.path:
            try:
                self.handler_class, self.handler_kwargs, self.path_args, self.path_kwargs = _reporting(), {}, [], {}
            except Exception:
                gate.failed()
        prepared = in_lane(self)
        if gate.on:
            try:
                if not self.handler._finished:
                    closed = partial(_jobs.run, _carried(self), self.handler.on_connection_close)
                    self.handler.request.connection.set_close_callback(closed)
            except Exception:
                gate.failed()
        return prepared

    return execute


def _reporting() -> Any:
    """The handler of the debug path."""
    handler: Any = import_module("tornado.web").RequestHandler

    class Reporting(handler):  # type: ignore[misc] # a class, whatever it is
        def get(self) -> None:
            headers, body = report()
            for name, value in headers.items():
                self.set_header(name, value)
            self.finish(body)

    return Reporting


def _flush(original: Any, gate: Gate) -> Any:
    def flush(self: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and _runtime.answers is not None and not self._headers_written:
            try:
                _runtime.answers.tell(self._headers)
            except Exception:
                gate.failed()
        return original(self, *args, **kwargs)

    return flush


def _container(original: Any, gate: Gate) -> Any:
    def __call__(self: Any, request: Any) -> Any:
        if gate.on and _runtime.answers is not None:
            _serve.answering(self, "wsgi_application", _wsgi.application, gate)
        return original(self, request)

    return __call__


def _data_received(original: Any, gate: Gate) -> Any:
    def data_received(self: Any, data: bytes) -> Any:
        if not gate.on or not self.stream_request_body:
            return original(self, data)
        try:
            carried = _carried(self)
        except Exception:
            gate.failed()
            return original(self, data)
        token = CARRIED.set(carried)
        try:
            received = original(self, data)
        finally:
            reset(token)
        return received if received is None else _awaited(received, carried)

    return data_received


async def _awaited(received: Any, carried: Any) -> Any:
    """Await what ``data_received`` gave back, in the request's lane and in the connection's task."""
    token = CARRIED.set(carried)
    try:
        return await received
    finally:
        reset(token)
