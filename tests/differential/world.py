"""Random lane groups: odd names, partial lanes, fallback targets, rules, weights, and every setting of the router."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lanebaggage.routing import IngressRule, IngressWeight, Lane, LaneGroup, Match, ServiceRef, StringMatch

if TYPE_CHECKING:
    from random import Random

LANES = ("s1", "s2", "s3", "S2", "s-4", "a.b", "a|b", "x:y/z", "~!*+=@_", "dev-feature", "s20", "x" * 128)
SERVICES = (ServiceRef("a"), ServiceRef("b-c"), ServiceRef("svc3"), ServiceRef("a", "other"), ServiceRef("d", "ns-2"))
VERSIONS = ("v1", "v2", "v3", "v4")
HOSTS = ("*", "shop.example", "*.shop.example", "SHOP.example:8080", "*")
PATHS = ("/", "/mock", "/v2", "/v2/x", "/a%20b", "/users/17", "/users/17/edit", "/%C3%A9")
RULE_HEADERS = ("x-user", "X-Uid", "cookie", "x-asm-prefer-tag")
VALUES = ("dev", "qa-1", "17", "s2", "s3", "lane=s2", "", "a,b", "x.y")
REGEXES = ("[0-9]+", "(.*;)?\\s*lane=s2(;.*)?", "s[23]", "qa-.*", "dev|qa-1", "/users/[0-9]+(/.*)?", "[^,]*", "(?i)DEV", "a,b")


@dataclass(frozen=True)
class World:
    """A lane group, the settings of its routers, and which version of a service each lane has."""

    group: LaneGroup
    settings: dict[str, str]
    versions: dict[str, str]

    def version(self, lane: str) -> str:
        """The version that a lane's instances have."""
        return self.versions[lane]


def random_world(random: Random) -> World:
    """A world."""
    services = tuple(random.sample(SERVICES, random.randint(1, 4)))
    names = random.sample(LANES, random.randint(1, 6))
    permissive = random.random() < 0.85
    trace = random.choice(("x-asm-prefer-tag", "x-asm-prefer-tag", "baggage", "baggage", "my-trace-id", "traceparent"))
    weighted = random.random() < 0.25
    versions = {name: random.choice(VERSIONS) for name in names}
    lanes = tuple(
        Lane(
            name,
            {"version": versions[name]},
            None if random.random() < 0.3 else tuple(one for one in services if random.random() < (0.95 if first else 0.5)),
            () if weighted else _rules(random, name, services),
            IngressWeight(random.choice(services), random.choice((0, 1, 20, 60)))
            if weighted and random.random() < 0.8
            else None,
        )
        for first, name in zip((True, *[False] * 9), names, strict=False)
    )
    fallback = {one: random.choice(names) for one in services if random.random() < 0.3}
    group = LaneGroup(
        "random",
        services,
        lanes,
        permissive,
        names[0] if random.random() < 0.8 else random.choice(names),
        fallback if permissive else {},
        trace if permissive else "",
        "x-asm-prefer-tag" if permissive else "",
        "weighted" if weighted else "rule_based",
        random.choice(((), ("*",), ("shop.example",))),
        tuple(_match(random) for _ in range(random.choice((0, 1, 2)))) if weighted else (),
    )
    return World(group, _settings(random), versions)


def changed(world: World, random: Random) -> World:
    """The same world after somebody took a service out of a lane, or put it in, or gave a lane another version."""
    lanes = list(world.group.lanes)
    at = random.randrange(len(lanes))
    services = tuple(one for one in world.group.services if random.random() < 0.6)
    version = random.choice(VERSIONS)
    lanes[at] = replace(lanes[at], services=services, selector={"version": version})
    versions = {**world.versions, lanes[at].name: version}
    return replace(world, group=replace(world.group, lanes=tuple(lanes)), versions=versions)


def _settings(random: Random) -> dict[str, str]:
    plain = random.random() < 0.6
    choices = {
        "unknown_lane": ("baseline", "fallback", "error"),
        "no_lane": ("baseline", "fallback", "error"),
        "unmatched": ("baseline", "error"),
        "carrier": ("header", "baggage"),
        "traceparent": ("whole", "trace-id"),
    }
    return {} if plain else {name: random.choice(values) for name, values in choices.items()}


def _rules(random: Random, lane: str, services: tuple[ServiceRef, ...]) -> tuple[IngressRule, ...]:
    return tuple(
        IngressRule(
            f"r{number}-{lane}",
            random.choice(services) if random.random() < 0.95 else ServiceRef("nobody"),
            _match(random),
            tuple(random.sample(HOSTS, random.randint(0, 2))),
            random.random() < 0.9,
        )
        for number in range(random.choice((0, 1, 1, 2)))
    )


def _match(random: Random) -> Match:
    headers = tuple((name, _condition(random, VALUES)) for name in random.sample(RULE_HEADERS, random.choice((0, 1, 1, 2))))
    return Match(_condition(random, PATHS) if random.random() < 0.5 else None, headers)


def _condition(random: Random, values: tuple[str, ...]) -> StringMatch:
    kind = random.choice(("exact", "exact", "prefix", "regex", "present"))
    if kind == "regex":
        return StringMatch("regex", random.choice((*REGEXES, *(value for value in values if value.isalnum()))))
    value = random.choice(values)
    return StringMatch(kind, "" if kind == "present" else value if kind == "exact" else value[: random.randint(0, len(value))])
