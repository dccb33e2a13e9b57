"""Services that run elsewhere, by a name: they get it as ``Host``, as others may be at the same address."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from differential.wire import Servers
from lanebaggage import MeshError
from lanebaggage.mesh import Mesh
from lanebaggage.mesh.apps import Address
from lanebaggage.mesh.envoy_layout import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REMOTE = "mocka.staging.example"


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Of servers that say what they got; the name leads to this machine."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **more: look_up(_here(host), *args, **more))
    servers = Servers()
    yield servers.open(3)
    servers.close()


def _here(host: Any) -> Any:
    return "127.0.0.1" if host in (REMOTE, REMOTE.encode()) else host


def arrived(call: Any, name: str) -> list[str]:
    """The values of a header at the server."""
    return [value for key, value in json.loads(call.text)[1] if key.lower() == name]


@pytest.mark.parametrize("trace_header", [None, "baggage", "my-trace-id"])
@pytest.mark.parametrize("engine", ["sockets", "envoy", "envoy-health", "envoy-istio"])
def test_an_address_by_name_gets_its_own_host(engine: str, trace_header: str | None, ports: list[int]) -> None:
    """The baseline is elsewhere, behind a server of many names; the lane is here. The hop is reported as it was asked for."""
    hosts = (REMOTE, "127.0.0.1", "localhost")
    with Mesh(engine=engine) as mesh:
        mesh.service("mocka", {f"v{at}": f"http://{host}:{ports[at - 1]}" for at, host in enumerate(hosts, 1)})
        mesh.lanes(baseline="s1", s1="v1", s2="v2", s3="v3", trace_header=trace_header)
        for lane, version, host in (("s1", "v1", f"{REMOTE}:{ports[0]}"), ("s2", "v2", "mocka"), ("s3", "v3", "mocka")):
            call = mesh.get("mocka", "/", lane=lane, headers={"my-trace-id": lane})
            assert arrived(call, "host") == [host]
            assert arrived(call, "x-asm-prefer-tag") == [lane]
            assert call.path == [("mocka", version)], call.tree
            assert call.hops[0].lane == lane
            assert call.hops[0].reason == f"lane {lane}"
        call = mesh.get("/", headers={"x-asm-prefer-tag": "s1"})
        assert arrived(call, "host") == [f"{REMOTE}:{ports[0]}"]
        assert call.path == [("mocka", "v1")]


@pytest.mark.parametrize("engine", ["envoy", "envoy-istio"])
def test_two_versions_at_one_address_are_an_error(engine: str, ports: list[int]) -> None:
    """Envoy would drop one of them and send its lane to the baseline; the embedded proxy tells them apart by their names."""
    versions = {"v1": f"http://{REMOTE}:{ports[0]}", "v2": f"http://127.0.0.1:{ports[0]}"}
    for name in (engine, "sockets"):
        with Mesh(engine=name) as mesh:
            mesh.service("mocka", versions)
            mesh.service("mockb", v1=versions["v1"])
            mesh.lanes(baseline="s1", s1="v1", s2="v2")
            if name == "sockets":
                assert arrived(mesh.get("mocka", "/", lane="s2"), "host") == ["mocka"]
                assert arrived(mesh.get("mocka", "/", lane="s1"), "host") == [f"{REMOTE}:{ports[0]}"]
            else:
                with pytest.raises(MeshError, match=r"mocka v1 and mocka v2 are both at 127.0.0.1:[0-9]+, .* port of its own"):
                    mesh.get("mocka", "/", lane="s2")


def from_sockets(trace_header: str, port: int) -> dict[str, Any]:
    """What ``mesh up --write`` would write of a service that is elsewhere."""
    with Mesh(engine="sockets") as mesh:
        mesh.service("mocka", v1=f"http://{REMOTE}:{port}")
        mesh.lanes(baseline="s1", s1="v1", trace_header=trace_header)
        mesh.start()
        return written(mesh.topology, {})


def test_the_written_configuration_has_the_host_too(alone: Callable[[dict], Any], ports: list[int]) -> None:
    """Envoy by itself, which looks names up; only the addresses are changed here."""
    text = json.dumps(from_sockets("x-asm-prefer-tag", ports[0])).replace(f'"{REMOTE}"', '"localhost"')
    made = json.loads(text.replace('"port_value": 8080', '"port_value": 0').replace('"port_value": 15001', '"port_value": 0'))
    with alone({**made, "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}) as listeners:
        connection = HTTPConnection("127.0.0.1", listeners["gateway"], timeout=20)
        connection.request("GET", "/", headers={"Host": "shop"})
        _, headers, _ = json.loads(connection.getresponse().read())
        connection.close()
    assert dict(headers)["host"] == f"{REMOTE}:{ports[0]}"


def test_the_host_is_set_behind_the_sidecar_where_there_are_two(ports: list[int]) -> None:
    """In trace-ID mode the request passes the service's sidecar first, which must know the service's own name still."""
    clusters = {one["name"]: one for one in from_sockets("my-trace-id", ports[0])["static_resources"]["clusters"]}
    hosts = {
        name: one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"].get("hostname")
        for name, one in clusters.items()
    }
    assert hosts == {"mocka": None, "application|default/mocka v1": f"{REMOTE}:{ports[0]}"}


@pytest.mark.parametrize(
    ("host", "port", "authority"),
    [
        ("mocka.example", 80, "mocka.example"),
        ("mocka.example", 8080, "mocka.example:8080"),
        ("mocka", 8080, "mocka:8080"),
        ("10.0.0.1", 80, ""),
        ("::1", 8080, ""),
        ("localhost", 8080, ""),
    ],
)
def test_only_names_are_hosts(host: str, port: int, authority: str) -> None:
    """A number, and what a port is forwarded to on this machine, says nothing about who is there."""
    assert Address(host, port).authority == authority
