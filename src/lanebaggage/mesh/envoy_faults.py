"""Faults where Envoy carries the requests: an instance that has some is reached through a proxy of ours, which does them.

Envoy has chosen the instance by then, and has reported the hop; the proxy only finds it by its mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .hops import HOP_HEADER, Call, Hop
from .proxy import Listener, Proxy
from .traffic import UNAVAILABLE, Origin, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._threads import LoopThread
    from .envoy_hops import HopReader
    from .topology import Instance
    from .traffic import Headers, Traffic


class _Nobody:
    """Stands for the recorder: how the hop ends, Envoy says."""

    def close(self, hop: Hop, status: int | None = None, error: str | None = None, headers: Headers | None = None) -> None:
        """Nothing."""


class _Chosen:
    """Stands for :class:`~lanebaggage.mesh.traffic.Traffic` where the instance is chosen already."""

    def __init__(self, hops: HopReader) -> None:
        self._hops = hops
        self.recorder = _Nobody()

    def route(self, origin: Origin, method: str, path: str, host: str, headers: Headers) -> Route:  # noqa: ARG002
        """To the instance that the listener is for."""
        instance = origin.instance
        assert instance is not None
        found = self._hops.find(next((value for name, value in headers if name.lower() == HOP_HEADER), None))
        hop = found if isinstance(found, Hop) else Hop("", Call("", "", None), None, "", method, path)
        hop.instance = instance

        def again(route: Route, refused: Sequence[Instance]) -> None:
            route.headers = headers
            route.instance = None if refused else instance
            route.status, route.reason = UNAVAILABLE, f"{instance} refused the connection"

        return Route(hop, again)


class Holding:
    """The listeners of instances that have, or had, faults.

    :param thread: whose event loop they run in.
    :param hops: finds the hop of a request.
    """

    def __init__(self, thread: LoopThread, hops: HopReader) -> None:
        self._thread = thread
        self._hops = hops
        self._proxy: Proxy | None = None
        self._listeners: dict[Instance, tuple[str, int]] = {}
        self.addresses: dict[Instance, tuple[str, int]] = {}
        """Where the instances that have faults are reached."""

    def update(self, instances: Iterable[Instance]) -> None:
        """Hold what has faults, and nothing else."""
        for instance in instances:
            if not instance.faults:
                self.addresses.pop(instance, None)
                continue
            if instance not in self._listeners:
                self._listeners[instance] = self._thread.call(self._listen(Origin(instance)))
            self.addresses[instance] = self._listeners[instance]

    def close(self) -> None:
        """Close the listeners."""
        if self._proxy is not None:
            self._thread.call(self._proxy.close(), 5)

    async def _listen(self, origin: Origin) -> tuple[str, int]:
        if self._proxy is None:
            traffic: Traffic = _Chosen(self._hops)  # type: ignore[assignment] # what the proxy asks of it
            self._proxy = Proxy(traffic)
        return await self._proxy.listen(Listener(lambda _peer: origin))
