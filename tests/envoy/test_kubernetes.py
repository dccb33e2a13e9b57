"""examples/kubernetes: our own readers take each file, and the Deployments' own commands run in the lanes that stand there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

import lanebaggage
from lanebaggage.mesh import Command, Mesh
from lanebaggage.routing import load
from lanebaggage.routing.check import check
from lanebaggage.routing.documents import documents, read_files
from lanebaggage.routing.istio import read_routes
from lanebaggage.routing.istio_write import write_istio

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kubernetes"
WORKLOADS = ("workloads.yaml", "workloads-init-container.yaml")
CHAINS = {
    "s1": "-> mocka(version: v1, ip: 127.0.0.1)-> mockb(version: v1, ip: 127.0.0.1)-> mockc(version: v1, ip: 127.0.0.1)",
    "s2": "-> mocka(version: v2, ip: 127.0.0.1)-> mockb(version: v1, ip: 127.0.0.1)-> mockc(version: v2, ip: 127.0.0.1)",
    "s3": "-> mocka(version: v1, ip: 127.0.0.1)-> mockb(version: v3, ip: 127.0.0.1)-> mockc(version: v1, ip: 127.0.0.1)",
}


def objects(name: str) -> list[dict]:
    return [one for one in yaml.safe_load_all((EXAMPLE / name).read_text()) if one]


@pytest.mark.parametrize("name", sorted(str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*.yaml")))
def test_every_file_holds_kubernetes_objects(name: str) -> None:
    """Our reader takes each file, and every object has a name and a namespace where it needs one."""
    found = [each for text, file in read_files([EXAMPLE / name]) for each in documents(text, file)]
    assert found
    for each, plain in zip(found, objects(name), strict=True):
        assert each.name
        assert plain["apiVersion"]
        assert each.kind.startswith("ASMSwimLane") or plain["metadata"]["namespace"] == each.namespace


@pytest.mark.parametrize("workloads", WORKLOADS)
def test_nothing_is_wrong_with_lanes_and_workloads(workloads: str) -> None:
    """Every service of every lane has a Deployment, selectors fit, and the linter has nothing to say."""
    assert check(read_files([EXAMPLE / "asm" / "lanes.yaml", EXAMPLE / "services.yaml", EXAMPLE / workloads])) == []
    for one in objects(workloads):
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert one["metadata"]["name"] == f"{labels['app']}-{labels['version']}"


def test_istios_files_say_what_asms_say() -> None:
    """istio/lanes.yaml is what the converter writes from asm/lanes.yaml, and reads back without a finding."""
    text = (EXAMPLE / "istio" / "lanes.yaml").read_text()
    assert text == write_istio(load(EXAMPLE / "asm" / "lanes.yaml"))
    findings: list = []
    assert read_routes(documents(text), findings).hosts
    assert findings == []
    assert objects("asm/gateway.yaml")[0]["metadata"] == objects("istio/gateway.yaml")[0]["metadata"]


def command(deployment: dict, tmp_path: Path) -> Command:
    """A Deployment's container as a process of this machine: its command, its variables, another port."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    args = ["{bind}" if part == "0.0.0.0:8000" else part for part in container["command"]]
    program = Path(sys.executable).parent / args[0]
    env = {one["name"]: str(one["value"]) for one in container["env"]}
    if "PYTHONPATH" in env:
        brought = tmp_path / "lanebaggage"
        if not brought.exists():
            brought.mkdir()
            (brought / "lanebaggage").symlink_to(Path(lanebaggage.__file__).parent)
        env["PYTHONPATH"] = env["PYTHONPATH"].replace("/lanebaggage", str(brought), 1).replace(":/lanebaggage", f":{brought}")
    env["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    env["PYTHONPATH"] = ":".join(filter(None, (env.get("PYTHONPATH"), str(tmp_path / "app"))))
    return Command([str(program), *args[1:]], env, tmp_path / "app")


@pytest.mark.parametrize("engine", ["sockets", "envoy"])
@pytest.mark.parametrize("workloads", WORKLOADS)
def test_the_deployments_run_in_their_lanes(engine: str, workloads: str, tmp_path: Path) -> None:
    """The commands and variables of all Deployments, on this machine: each lane's chain is the documented one."""
    app = tmp_path / "app"
    app.mkdir()
    for file in (ROOT / "examples" / "mock_chain" / "flask_requests.py", EXAMPLE / "image" / "wsgi.py"):
        (app / file.name).write_text(file.read_text())
    with Mesh.from_yaml(EXAMPLE / "asm" / "lanes.yaml", engine=engine) as mesh:
        for one in objects(workloads):
            labels = one["spec"]["template"]["metadata"]["labels"]
            version = labels["version"]
            mesh.service(labels["app"], {version: command(one, tmp_path)}, labels={version: labels})
        for lane, chain in CHAINS.items():
            call = mesh.get("/mock", headers={"x-asm-prefer-tag": lane})
            assert call.text == chain, call.tree
            assert call.lost_at is None


def test_the_images_run_what_the_deployments_run() -> None:
    """Each Dockerfile's command is that of the Deployments made for it, and only one of them installs lanebaggage."""
    for dockerfile, workloads, installs in (
        ("Dockerfile", "workloads.yaml", True),
        ("Dockerfile.plain", "workloads-init-container.yaml", False),
    ):
        text = (EXAMPLE / "image" / dockerfile).read_text()
        ran = yaml.safe_load(text.partition("\nCMD ")[2])
        assert ("lanebaggage" in text.partition("pip install")[2].partition("\n")[0]) == installs
        for one in objects(workloads):
            assert one["spec"]["template"]["spec"]["containers"][0]["command"] == ran


def test_an_init_container_brings_what_python_path_names() -> None:
    """The directory that the launcher would add is in the package, at the place that PYTHONPATH names."""
    for one in objects("workloads-init-container.yaml"):
        spec = one["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        (path,) = (entry["value"] for entry in container["env"] if entry["name"] == "PYTHONPATH")
        site, _, target = path.partition(":")
        assert f"--target={target}" in spec["initContainers"][0]["command"]
        assert (Path(lanebaggage.__file__).parent.parent / Path(site).relative_to(target) / "sitecustomize.py").is_file()
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {target}
