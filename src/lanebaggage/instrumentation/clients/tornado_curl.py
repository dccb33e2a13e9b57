"""tornado's curl client: ``fetch_impl``, with redirects followed here, since libcurl would send the headers to any host.

libcurl follows a redirect with the headers of the first request and cannot be asked in between. So a fetch in a lane is
handed to it without redirects, and each hop is a fetch of its own, by the rules of tornado's simple client. A fetch with a
``streaming_callback``, which would be given the bodies of redirects, carries nothing unless it follows none.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ... import _log, _runtime
from ..._context import CARRIED, carried, reset
from ..._hop import sending
from ..._policy import host_of
from .tornado import copied

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._patching import Gate, Patcher

REDIRECTS = (301, 302, 303, 307, 308)
OF_A_BODY = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")


def install(client: Any, patch: Patcher) -> None:
    """Inject in ``CurlAsyncHTTPClient.fetch_impl``."""
    patch.method(client.CurlAsyncHTTPClient, "fetch_impl", _fetch_impl)


def _fetch_impl(original: Any, gate: Gate) -> Any:
    def fetch_impl(self: Any, request: Any, callback: Any) -> Any:
        if gate.on and CARRIED.get() is not None and type(request).__name__ == "_RequestProxy":
            try:
                callback = _prepared(self, request, callback)
            except Exception:
                gate.failed()
        return original(self, request, callback)

    return fetch_impl


def _prepared(client: Any, request: Any, callback: Callable[[Any], None]) -> Callable[[Any], None]:
    """Set the headers on tornado's proxy of a request, and give the callback that follows its redirect."""
    if carried() is None:
        sending(host_of(request.url))  # sends nothing, but knows whether a worker thread has lost a lane
        return callback
    following = request.follow_redirects and request.max_redirects > 0
    if following and request.streaming_callback is not None:
        _log.warn_once(
            "tornado curl",
            "a fetch of tornado's curl client with a streaming_callback carries nothing, since libcurl would send it along "
            "redirects to any host; pass follow_redirects=False",
        )
        return callback
    own = request.headers
    sent = sending(host_of(request.url), own.get("Authorization") or "", request.url)
    added = [] if sent is None else _runtime.wire.additions(sent, own.get)
    if added:
        request.headers = copied(own, type(own))
        for name, value in added:
            request.headers[name] = value
    if not following:
        return callback
    request.follow_redirects = False
    current = CARRIED.get()

    def answered(response: Any) -> None:
        location = response.headers.get("Location") if response.code in REDIRECTS else None
        if location is None:
            callback(response)
            return

        def done(future: Any) -> None:
            error = future.exception()
            last = _failed(response, error) if error is not None else future.result()
            last.request = response.request
            last.request_time += response.request_time
            callback(last)

        token = CARRIED.set(current)
        try:
            client.fetch(_next(request, own, location, response.code), raise_error=False).add_done_callback(done)
        except Exception as error:  # the client was closed meanwhile, or the location is none
            callback(_failed(response, error))
        finally:
            reset(token)

    return answered


def _failed(response: Any, error: BaseException) -> Any:
    """An answer that says so, as tornado makes it; without one its caller would wait for ever."""
    return type(response)(response.request, 599, error=error, request_time=0)


def _next(request: Any, own: Any, location: str, code: int) -> Any:
    """The request for the next hop, as tornado's simple client would make it."""
    made = copy(request.request)
    made.url = urljoin(request.url, location)
    made.headers = own.copy()
    made.max_redirects = request.max_redirects - 1
    dropped = ["Host"]
    here, there = urlsplit(request.url), urlsplit(made.url)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        dropped += ["Authorization", "Cookie"]
        made.auth_username = made.auth_password = None
    if (code == 303 and request.method != "HEAD") or (code in (301, 302) and request.method == "POST"):
        dropped += OF_A_BODY
        made.method, made.body = "GET", None
    for name in dropped:
        made.headers.pop(name, None)
    return made
