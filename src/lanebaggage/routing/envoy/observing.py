"""How a mesh learns of the hops: Envoy marks each request and writes a line when it comes, when it is sent on, when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .options import HOP_HEADER
from .resources import INSTANCE, LANE, OBSERVED, header, typed
from .script import HOPS

if TYPE_CHECKING:
    from ..model import LaneGroup
    from .options import Json

REASON_HEADER: Final = "x-lanebaggage-reason"
"""Why Envoy itself answered; on such responses only."""
_INSTANCE: Final = f"%UPSTREAM_METADATA({OBSERVED}:{INSTANCE})%"
_UNKNOWN_HOST: Final = (
    "no service of this mesh; declare it with mesh.service(name, v1=...) or mesh.external(name), or correct the address"
)


def observed(listener: str, group: LaneGroup) -> Json:
    """Lines for the start and the end of each request to a listener, and reasons on what Envoy answers itself."""
    lane = {"lane": f"%REQ({group.route_header})%"} if group.permissive else {}
    line = {
        "at": "%ACCESS_LOG_TYPE%",
        "listener": listener,
        "id": "%CONNECTION_ID%-%START_TIME(%s%6f)%",
        "from": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "mark": f"%REQ({HOP_HEADER})%",
        "method": "%REQ(:method)%",
        "path": "%REQ(:path)%",
        "host": "%REQ(:authority)%",
        "route": "%ROUTE_NAME%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "lanes": f"%UPSTREAM_METADATA(envoy.lb:{LANE})%",
        "instance": _INSTANCE,
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
        "microseconds": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "headers": f"%DYNAMIC_METADATA({HOPS})%",
        **lane,
    }
    return {
        "access_log": [_stdout(line)],
        "access_log_options": {"flush_access_log_on_new_request": True},
        "local_reply_config": {"mappers": _replies(group)},
    }


def missing(service: str, target: str | None) -> Json:
    """What a route knows for the reason that no instance serves a request.

    :param target: the lane that the service falls back to; None in strict mode.
    """
    more = "; strict mode has no fallback" if target is None else f", nor in {target}, which it falls back to"
    return {"missing": f"{service} has no healthy endpoint in", "more": more, "target": target or "this lane"}


def upstream_log() -> Json:
    """A line as soon as a request is on its way to an endpoint."""
    line = {"at": "%ACCESS_LOG_TYPE%", "id": f"%REQ({HOP_HEADER})%", "instance": _INSTANCE}
    when = {"log_type_filter": {"types": ["UpstreamPoolReady"]}}
    return {
        "upstream_log": [{**_stdout(line), "filter": when}],
        "upstream_log_options": {"flush_upstream_log_on_upstream_stream": True},
    }


def _stdout(line: dict[str, Any]) -> Json:
    kind = "extensions.access_loggers.stream.v3.StdoutAccessLog"
    return {"name": "envoy.access_loggers.stdout", "typed_config": typed(kind, log_format={"json_format": line})}


def _replies(group: LaneGroup) -> list[Json]:
    """The bodies and reasons of what Envoy answers itself; the first that fits counts."""

    def known(key: str) -> str:
        return f"%METADATA(ROUTE:{OBSERVED}:{key})%"

    lane = f"%REQ({group.route_header})%" if group.permissive else f"%DYNAMIC_METADATA({HOPS}:lane)%"
    nothing_healthy: Json = {"response_flag_filter": {"flags": ["UH"]}}
    in_lane = nothing_healthy
    if group.permissive:
        named = {"header_filter": {"header": {"name": group.route_header, "present_match": True}}}
        in_lane = {"and_filter": {"filters": [nothing_healthy, named]}}
    return [
        _reply(in_lane, f"{known('missing')} lane {lane}{known('more')}"),
        _reply(nothing_healthy, f"{known('missing')} {known('target')}"),
        _reply(_status("EQ", 502), f"%REQ(:authority)% is {_UNKNOWN_HOST}"),
        _reply(_status("GE", 503), "%LOCAL_REPLY_BODY%", "%RESPONSE_CODE_DETAILS%"),
    ]


def _status(comparison: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"lanebaggage.status.{status}"}
    return {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}


def _reply(when: Json, body: str, reason: str | None = None) -> Json:
    return {
        "filter": when,
        "headers_to_add": [header(REASON_HEADER, reason or body)],
        "body_format_override": {"text_format_source": {"inline_string": body}},
    }
