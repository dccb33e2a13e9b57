"""What servers add to their answers where a setting asks for it: the lane's header, and the debug path."""

from __future__ import annotations

from ._context import current_lane

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._settings import Settings
    from ._wire import Carried


class Answers:
    """Stands between a server and its application; made only where ``response_header`` or ``debug_path`` is set."""

    __slots__ = ("_header", "_raw_header", "path")

    def __init__(self, settings: Settings) -> None:
        self._header = settings.response_header
        self._raw_header = settings.response_header.encode("ascii")
        self.path = settings.debug_path
        """The debug path, or empty for none."""

    def tell(self, headers: Any) -> None:
        """Add the current lane to a response's headers: a mapping for which case does not matter."""
        if self._header and self._header not in headers and (lane := current_lane()) is not None:
            headers[self._header] = lane

    def wsgi(
        self, application: Callable[..., Any], environ: Any, start_response: Any, carried: Carried | None
    ) -> tuple[Callable[..., Any], Any]:
        """The application and ``start_response`` to use for one WSGI request (PEP 3333); a method gets its object first."""
        if self.path and environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") == self.path:
            return _report_wsgi, start_response
        if not self._header or carried is None or carried.lane is None:
            return application, start_response
        name, lane = self._header, carried.lane

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            if not any(own.lower() == name for own, _ in headers):
                headers = [*headers, (name, lane)]
            return start_response(status, headers, *exc_info)

        return application, start

    def asgi(self, application: Callable[..., Any], scope: Any, carried: Carried | None) -> Callable[..., Any]:
        """The application to call for one ASGI scope (ASGI HTTP spec); a method is called with its object first."""
        if scope.get("type") != "http":
            return application
        if self.path and scope.get("path") == self.path:
            return _report_asgi
        if not self._header or carried is None or carried.lane is None:
            return application
        name, lane = self._raw_header, carried.lane.encode("ascii")

        async def telling(*arguments: Any) -> Any:
            *others, send = arguments

            async def send_with_lane(message: Any) -> None:
                if message["type"] == "http.response.start":
                    headers = list(message.get("headers") or ())
                    if not any(own.lower() == name for own, _ in headers):
                        message = {**message, "headers": [*headers, (name, lane)]}
                await send(message)

            return await application(*others, send_with_lane)

        return telling


def _report_wsgi(*arguments: Any) -> list[bytes]:
    body = _body()
    arguments[-1]("200 OK", [*_HEADERS, ("Content-Length", str(len(body)))])
    return [body]


async def _report_asgi(*arguments: Any) -> None:
    send = arguments[-1]
    body = _body()
    headers = [(b"content-length", str(len(body)).encode("ascii"))]
    headers += [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in _HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def report() -> tuple[dict[str, str], bytes]:
    """What the debug path answers: headers and body."""
    return dict(_HEADERS), _body()


_HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


def _body() -> bytes:
    import json

    from .doctor.inventory import in_service

    return json.dumps(in_service(), indent=1).encode("utf-8")
