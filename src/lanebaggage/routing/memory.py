"""What one sidecar remembers in trace-ID mode: the lane of each trace ID that arrived; bounded and expiring."""

from __future__ import annotations

from threading import Lock


class TraceMemory:
    """Trace ID to lane, of one sidecar: ASM's sidecars share none of it.

    :param size: entries; the oldest goes first.
    :param ttl: seconds that an entry lives.

    ASM's documents give neither (https://help.aliyun.com/document_detail/375313.html).
    """

    __slots__ = ("_entries", "_lock", "size", "ttl")

    def __init__(self, size: int = 10_000, ttl: float = 300.0) -> None:
        self.size = size
        self.ttl = ttl
        self._entries: dict[str, tuple[str, float]] = {}
        self._lock = Lock()

    def remember(self, trace: str, lane: str, now: float) -> None:
        """Keep the lane of a trace ID, as of a time in seconds."""
        entries = self._entries
        with self._lock:
            entries.pop(trace, None)
            entries[trace] = (lane, now + self.ttl)
            if len(entries) > self.size:
                del entries[next(iter(entries))]

    def recall(self, trace: str, now: float) -> str | None:
        """The lane of a trace ID at a time in seconds, or None where it is unknown or too old."""
        found = self._entries.get(trace)
        if found is None:
            return None
        lane, until = found
        if now < until:
            return lane
        with self._lock:
            if self._entries.get(trace) is found:
                del self._entries[trace]
        return None

    def __len__(self) -> int:
        return len(self._entries)
