"""How a mesh learns of the hops: Envoy marks each request and writes a line when it comes, when it is sent on, when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .options import HOP_HEADER
from .resources import typed
from .script import HOPS

if TYPE_CHECKING:
    from ..model import LaneGroup
    from .options import Json


def access_log(listener: str, group: LaneGroup) -> Json:
    """Lines for the start and the end of each request to a listener."""
    lane = {"lane": f"%REQ({group.route_header})%"} if group.permissive else {}
    line = {
        "at": "%ACCESS_LOG_TYPE%",
        "listener": listener,
        "id": "%CONNECTION_ID%-%START_TIME(%s%6f)%",
        "mark": f"%REQ({HOP_HEADER})%",
        "method": "%REQ(:method)%",
        "path": "%REQ(:path)%",
        "host": "%REQ(:authority)%",
        "route": "%ROUTE_NAME%",
        "to": "%UPSTREAM_HOST%",
        "lanes": "%UPSTREAM_METADATA(envoy.lb:lane)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "headers": f"%DYNAMIC_METADATA({HOPS})%",
        **lane,
    }
    return {"access_log": [_stdout(line)], "access_log_options": {"flush_access_log_on_new_request": True}}


def upstream_log() -> Json:
    """A line as soon as a request is on its way to an endpoint."""
    line = {"at": "%ACCESS_LOG_TYPE%", "id": f"%REQ({HOP_HEADER})%", "to": "%UPSTREAM_HOST%"}
    return {"upstream_log": [_stdout(line)], "upstream_log_options": {"flush_upstream_log_on_upstream_stream": True}}


def _stdout(line: dict[str, Any]) -> Json:
    kind = "extensions.access_loggers.stream.v3.StdoutAccessLog"
    return {"name": "envoy.access_loggers.stdout", "typed_config": typed(kind, log_format={"json_format": line})}
