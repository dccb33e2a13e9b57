"""The router, the embedded proxy and Envoy agree on random meshes and requests, while lanes and services come and go."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from differential.agreement import Reference, Running
from differential.asking import random_request
from differential.wire import Servers
from differential.world import VERSIONS, changed, random_world

if TYPE_CHECKING:
    from collections.abc import Iterator

PER_WORLD = 200


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Ports for the instances."""
    made = Servers()
    yield made
    made.close()


@pytest.mark.parametrize("engine", ["sockets", "envoy"])
def test_engines_agree(engine: str, servers: Servers, pytestconfig: pytest.Config) -> None:
    """As many random requests as ``--requests`` says come to the version and arrive with the headers that the router says."""
    number = pytestconfig.getoption("requests", 10_000)
    seed = pytestconfig.getoption("seed", 5)
    for start in range(0, number, PER_WORLD):
        differences = compare(f"{seed}-{start}", min(PER_WORLD, number - start), engine, servers)
        assert not differences, f"seed {seed}, world {start}:\n" + "\n".join(differences)


def compare(seed: str, number: int, engine: str, servers: Servers) -> list[str]:
    """The differences that so many requests show in one world."""
    random = Random(seed)
    world = random_world(random)
    callers = [(str(service), version) for service in world.group.services for version in VERSIONS]
    ports = dict(zip(callers, servers.open(len(callers)), strict=True))
    reference = Reference(world)
    running = Running(world, engine, ports)
    differences = []
    try:
        for step in range(number):
            if step % 40 == 39:
                world = changed(world, random)
                reference.use(world)
                running.use(world)
            elif step % 10 == 9:
                instance = random.choice(callers)
                reference.down ^= {instance}
                running.switch(instance, up=instance not in reference.down)
            asked = random_request(random, world, callers)
            wanted = reference.answer(asked)
            total = sum(lane.weight.weight for lane in world.group.lanes if lane.weight is not None)
            got = running.answer(asked, total)
            if wanted != got:
                differences.append(f"step {step}: {asked}\n  router {wanted}\n  {engine} {got}\n  {reference}")
        reported = running.hops(number)
        for step, (wanted_hop, hop) in enumerate(zip(reference.hops, reported, strict=True)):
            if wanted_hop != hop:
                differences.append(f"step {step}, reported hop: router {wanted_hop}, {engine} {hop}\n  {reference}")
    finally:
        running.close()
    return differences
