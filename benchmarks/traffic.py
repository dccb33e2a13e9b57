"""The requests that arrive in every configuration, byte for byte the same: ordinary headers and, by situation, the lane.

OpenTelemetry and ddtrace are given the lane in W3C baggage, the carrier that they read; the others in the route header.
"""

from __future__ import annotations

ROUTE_HEADER = "x-asm-prefer-tag"
LANE = "s2"

_ORDINARY = {
    "host": "mockb:8000",
    "user-agent": "python-requests/2.34",
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "x-request-id": "7f2b8a4e-31c5-4a52-9b1e-0f6c1d2e3a4b",
    "x-forwarded-proto": "http",
    "x-envoy-attempt-count": "1",
    "x-envoy-internal": "true",
}

OUR_MEMBER = f"{ROUTE_HEADER}={LANE}"


def foreign(count: int) -> str:
    """Baggage with so many members of other people and ours behind them."""
    return ",".join([*(f"member{number}=value{number};ttl=30" for number in range(count)), OUR_MEMBER])


def hostile() -> str:
    """Baggage of 8,192 bytes in which every key almost is ours, and the last one is."""
    near = f"x{OUR_MEMBER},"
    return (near * (8192 // len(near)))[: 8191 - len(OUR_MEMBER)].rpartition(",")[0] + "," + OUR_MEMBER


SITUATIONS: dict[str, dict[str, str]] = {
    "lane": {ROUTE_HEADER: LANE, "baggage": OUR_MEMBER},
    "nothing": {},
    **{f"baggage-{count}": {"baggage": foreign(count)} for count in (0, 10, 60)},
    "hostile": {"baggage": hostile()},
}
"""Name of the situation, and the headers that it adds to a request."""


def headers(situation: str) -> dict[str, str]:
    """Headers of a request, names in lower case."""
    return {**_ORDINARY, **SITUATIONS[situation]}


def is_baggage(situation: str) -> bool:
    """Whether lanebaggage has to run in baggage mode."""
    return situation.startswith(("baggage", "hostile"))


def environ(situation: str) -> dict[str, object]:
    """A WSGI environ (PEP 3333) as gunicorn makes it, without its objects."""
    from io import BytesIO

    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers(situation).items()}
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "RAW_URI": "/",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "gunicorn",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **named,
    }


def scope(situation: str) -> dict[str, object]:
    """An ASGI scope as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 40000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers(situation).items()],
    }
