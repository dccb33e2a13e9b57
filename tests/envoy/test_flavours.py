"""The other ways to configure Envoy: with health, as upstream Istio, and as one file that runs without a mesh."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from differential.wire import Servers
from lanebaggage.mesh import Mesh
from lanebaggage.routing import LaneGroup, ServiceRef
from lanebaggage.routing.envoy import Endpoint, Options, Sidecar, bootstrap
from mesh.chain import ACCEPTANCE, EXPECTED, declare, instrument, pairs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("scenario", ["scenario-2", "service-fallback", "strict"])
@pytest.mark.parametrize("engine", ["envoy-health", "envoy-istio"])
def test_the_documented_chains_on_each_flavour(engine: str, scenario: str) -> None:
    """Where nothing is down, custom-header mode, fallback per service and strict mode come to the same chains."""
    with Mesh.from_yaml(ACCEPTANCE / scenario / "lanes.yaml", engine=engine) as mesh:
        declare(mesh)
        if scenario != "strict":
            instrument(mesh)
        for case in EXPECTED[scenario]["cases"]:
            assert mesh.get("/mock", headers=case["headers"]).path == pairs(case["chain"])


@pytest.mark.parametrize("scenario", ["scenario-1", "scenario-3"])
def test_trace_ids_and_baggage_with_health(scenario: str) -> None:
    """Envoy with health finds the lane in the two scripted modes as well."""
    with Mesh.from_yaml(ACCEPTANCE / scenario / "lanes.yaml", engine="envoy-health", seed=1) as mesh:
        declare(mesh)
        instrument(mesh)
        for lane, versions in (("s2", ["v2", "v1", "v2"]), ("s3", ["v1", "v3", "v1"])):
            call = mesh.get("mocka", "/", lane=lane)
            assert [hop.version for hop in call.hops] == versions, call.tree


def test_istio_does_not_fall_back_where_a_service_is_down() -> None:
    """A lane that lacks a service from the start falls back by its routes; one whose service is stopped answers 503."""
    with Mesh.from_yaml(ACCEPTANCE / "scenario-2" / "lanes.yaml", engine="envoy-istio") as mesh:
        declare(mesh)
        assert mesh.get("mockb", "/", lane="s2").path == [("mockb", "v1"), ("mockc", "v1")]
        mesh.stop("mockb", lane="s3")
        call = mesh.get("mockb", "/", lane="s3")
        assert call.status == 503
        assert call.path == [("mockb", None)]


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.mark.parametrize("flavour", ["plain", "istio"])
@pytest.mark.parametrize("header", ["x-lane", "baggage"])
def test_the_written_configuration_runs_without_a_mesh(flavour: str, header: str, servers: Servers, alone: Any) -> None:
    """One file, started with ``envoy -c``: gateway and sidecar route by lane and fall back."""
    group = LaneGroup.simple(baseline="s1", lanes={"s1": ["a", "b"], "s2": ["a"]}, trace_header=header, route_header="x-lane")
    ports = dict(zip((("a", "s1"), ("a", "s2"), ("b", "s1")), servers.open(3), strict=True))
    endpoints = [Endpoint(ServiceRef(name), (lane,), "127.0.0.1", port) for (name, lane), port in ports.items()]
    made = bootstrap(
        group,
        options=Options(flavour=flavour),
        endpoints=endpoints,
        sidecars=[Sidecar("sidecars")],
        gateway_port=0,
        admin_port=0,
    )
    carried = {"x-lane": "s2"} if header == "x-lane" else {"baggage": "a=1,x-lane=s2"}
    with alone(made) as listeners:
        for listener, host, headers, served in (
            ("gateway", "shop.example", {"x-lane": "s2"}, ("a", "s2")),
            ("gateway", "shop.example", {}, ("a", "s1")),
            ("sidecars", "a", carried, ("a", "s2")),
            ("sidecars", "b:8000", carried, ("b", "s1")),
            ("sidecars", "a.default.svc", {}, ("a", "s1")),
        ):
            port, arrived, _ = ask(listeners[listener], {"Host": host, **headers})
            assert port == ports[served]
            if listener == "gateway":
                assert dict(arrived)["x-lane"] == (headers.get("x-lane") or "s1")


def ask(port: int, headers: dict[str, str]) -> list:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers=headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer
