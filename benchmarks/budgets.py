"""The most that lanebaggage may add, in microseconds, by case; what is not here has no budget of its own."""

from __future__ import annotations

SERVERS = ("wsgi", "asgi")
CLIENTS = ("http.client", "urllib3", "requests", "httpx", "httpx-async", "httpx-mock", "aiohttp")

BUDGETS: dict[str, float] = {
    **dict.fromkeys(SERVERS, 2),
    **dict.fromkeys(CLIENTS, 3),
    **{f"{name}-nothing": 1 for name in (*SERVERS, *CLIENTS)},
    **{f"{name}-baggage-10": 3 for name in SERVERS},
    **{f"{name}-baggage-10": 5 for name in CLIENTS},
}
