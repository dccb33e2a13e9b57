"""aioresponses: it stands in for ``ClientSession._request``, so that no request is formed; its mocks see the headers here.

The values are of a class of our own: what aioresponses passes through to a real server is decided anew, for each hop, by
the patch of aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict

from ..._context import CARRIED
from ..._hop import sending
from . import aiohttp

if TYPE_CHECKING:
    from .._patching import Gate, Patcher


def install(module: Any, patch: Patcher) -> None:
    """Inject in ``aioresponses._request_mock``, before a call is recorded and matched."""
    patch.method(module.aioresponses, "_request_mock", _request_mock)


def _request_mock(original: Any, gate: Gate) -> Any:
    async def _request_mock(self: Any, orig_self: Any, method: str, url: Any, *args: Any, **kwargs: Any) -> Any:
        if gate.on and CARRIED.get() is not None:
            try:
                own = kwargs.get("headers")
                headers = _with_carried(own, orig_self._build_url(url))
                if headers is not own:
                    kwargs = {**kwargs, "headers": headers}  # a call that carries nothing is recorded as it was made
            except Exception:
                gate.failed()
        return await original(self, orig_self, method, url, *args, **kwargs)

    return _request_mock


def _with_carried(headers: Any, url: Any) -> Any:
    own = CIMultiDict(headers or ())
    carried = sending(url.raw_host or "", own.get("Authorization") or "", url.raw_query_string)
    if carried is None:
        return headers
    aiohttp.add(own, carried)
    return own
