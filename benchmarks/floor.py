"""The floor: a ContextVar and a header, as somebody would write them by hand for one service; nothing is checked."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from .traffic import ROUTE_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE: ContextVar[str | None] = ContextVar("floor", default=None)

_undo: list[tuple[Any, str, Any]] = []


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a method."""
    found = owner.__dict__[name]
    _undo.append((owner, name, found))
    setattr(owner, name, make(found))


def restore() -> None:
    """Put back what was replaced."""
    while _undo:
        setattr(*_undo.pop())


def wsgi_call(name: str) -> Callable[[Any], Any]:
    key = f"HTTP_{name.upper().replace('-', '_')}"

    def make(original: Any) -> Any:
        def __call__(self: Any, environ: Any, start_response: Any) -> Any:
            token = VALUE.set(environ.get(key))
            try:
                return original(self, environ, start_response)
            finally:
                VALUE.reset(token)

        return __call__

    return make


def asgi_call(name: str) -> Callable[[Any], Any]:
    key = name.encode()

    def make(original: Any) -> Any:
        async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:
            found = None
            for header, value in scope["headers"]:
                if header == key:
                    found = value.decode()
                    break
            token = VALUE.set(found)
            try:
                await original(self, scope, receive, send)
            finally:
                VALUE.reset(token)

        return __call__

    return make


def install(library: str, name: str) -> None:
    """Patch a library by hand.

    :param library: as the case calls it; bare applications are patched through :func:`replace`.
    :param name: of the header that is carried.
    """
    installer = globals().get(f"_{library.replace('-', '_').replace('.', '_')}")
    if installer is not None:
        installer(name)


def _flask(name: str) -> None:
    from flask import Flask

    replace(Flask, "__call__", wsgi_call(name))


def _django(name: str) -> None:
    from django.core.handlers.wsgi import WSGIHandler

    replace(WSGIHandler, "__call__", wsgi_call(name))


def _starlette(name: str) -> None:
    from starlette.applications import Starlette

    replace(Starlette, "__call__", asgi_call(name))


def _fastapi(name: str) -> None:
    from fastapi import FastAPI

    replace(FastAPI, "__call__", asgi_call(name))


def _http_client(name: str) -> None:
    from http.client import HTTPConnection

    def make(original: Any) -> Any:
        def endheaders(self: Any, message_body: Any = None, *, encode_chunked: bool = False) -> None:
            value = VALUE.get()
            if value is not None:
                self.putheader(name, value)
            original(self, message_body, encode_chunked=encode_chunked)

        return endheaders

    replace(HTTPConnection, "endheaders", make)


def _urllib3(name: str) -> None:
    from urllib3 import HTTPConnectionPool

    def make(original: Any) -> Any:
        def urlopen(self: Any, method: str, url: str, body: Any = None, headers: Any = None, **others: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                headers = {**(self.headers if headers is None else headers), name: value}
            return original(self, method, url, body, headers, **others)

        return urlopen

    replace(HTTPConnectionPool, "urlopen", make)


def _requests(name: str) -> None:
    from requests import Session

    def make(original: Any) -> Any:
        def send(self: Any, request: Any, **others: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                request.headers[name] = value
            return original(self, request, **others)

        return send

    replace(Session, "send", make)


def _httpx(name: str) -> None:
    from httpx import Client

    def make(original: Any) -> Any:
        def _send_single_request(self: Any, request: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                request.headers[name] = value
            return original(self, request)

        return _send_single_request

    replace(Client, "_send_single_request", make)


_httpx_mock = _httpx


def _httpx_async(name: str) -> None:
    from httpx import AsyncClient

    def make(original: Any) -> Any:
        async def _send_single_request(self: Any, request: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                request.headers[name] = value
            return await original(self, request)

        return _send_single_request

    replace(AsyncClient, "_send_single_request", make)


def _aiohttp(name: str) -> None:
    from aiohttp import ClientSession

    def make(original: Any) -> Any:
        async def _request(self: Any, method: str, url: Any, **others: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                others["headers"] = {**(others.get("headers") or {}), name: value}
            return await original(self, method, url, **others)

        return _request

    replace(ClientSession, "_request", make)


def _grpc(name: str) -> None:
    from grpc._channel import _UnaryUnaryMultiCallable

    def make(original: Any) -> Any:
        def __call__(self: Any, request: Any, timeout: Any = None, metadata: Any = None, **others: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                metadata = (*(metadata or ()), (name, value))
            return original(self, request, timeout, metadata, **others)

        return __call__

    replace(_UnaryUnaryMultiCallable, "__call__", make)


def _executor(name: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def make(original: Any) -> Any:
        def submit(self: Any, function: Any, /, *args: Any, **others: Any) -> Any:
            return original(self, copy_context().run, function, *args, **others)

        return submit

    replace(ThreadPoolExecutor, "submit", make)


def _celery(name: str) -> None:
    from celery.app.task import Task

    def make(original: Any) -> Any:
        def apply_async(self: Any, *args: Any, headers: Any = None, **others: Any) -> Any:
            value = VALUE.get()
            if value is not None:
                headers = {**(headers or {}), name: value}
            return original(self, *args, headers=headers, **others)

        return apply_async

    replace(Task, "apply_async", make)


def header_of(situation: str) -> str:
    """The header that is carried."""
    from .traffic import is_baggage

    return "baggage" if is_baggage(situation) else ROUTE_HEADER
