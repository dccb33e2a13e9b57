"""Random requests: repeated headers, odd values, every form of baggage, paths and hosts that proxies normalise, cookies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from differential.world import PATHS, VALUES

if TYPE_CHECKING:
    from random import Random

    from differential.world import World

NAMES = ("x-asm-prefer-tag", "X-Asm-Prefer-Tag", "X-ASM-PREFER-TAG")
TRACES = (
    "t-1",
    "t-2",
    "t-3",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-ff-01",
)
ODD_PATHS = ("/../mock", "/./mock", "/mock?x=1", "/mock?", "/v2/../mock", "/%6dock", "/mock%2Fx", "/v2//x", "/V2", "/mock;p=1")


@dataclass(frozen=True)
class Asked:
    """One request.

    :param caller: service and version whose sidecar sends it; None for a request at the gateway.
    """

    caller: tuple[str, str] | None
    host: str
    path: str
    headers: tuple[tuple[str, str], ...]
    choice: float

    def __str__(self) -> str:
        where = "gateway" if self.caller is None else f"{' '.join(self.caller)} to"
        return f"{where} {self.host!r} {self.path!r} {self.headers!r} choice={self.choice}"


def random_request(random: Random, world: World, callers: list[tuple[str, str]]) -> Asked:
    """A request for a world."""
    headers = [*_route(random, world), *_others(random), *_trace(random, world)]
    random.shuffle(headers)
    at_gateway = random.random() < 0.3
    path = random.choice((*PATHS, *PATHS, *ODD_PATHS))
    if at_gateway:
        host = random.choice(
            ("shop.example", "Shop.Example:80", "www.shop.example", "other.example", "127.0.0.1:8080", "shop.example.")
        )
        return Asked(None, host, path, tuple(headers), random.random())
    return Asked(random.choice(callers), _host(random, world), path, tuple(headers), 0.0)


def _host(random: Random, world: World) -> str:
    service = random.choice(world.group.services)
    full = random.choice(
        (service.name, f"{service.name}.{service.namespace}", service.host, f"{service.name}.{service.namespace}.svc")
    )
    host = random.choice((full, full, full.upper(), f"{full}:8000", f"{full}.", f"{full}.:80"))
    return host if random.random() < 0.97 else random.choice(("nobody", f"{service.name}x", f"{service.name}.nowhere"))


def _lane(random: Random, world: World) -> str:
    """A value of the route header: mostly a lane, sometimes something like one."""
    lane = random.choice(world.group.lanes).name
    odd = (
        "",
        "zz",
        lane.upper(),
        lane.swapcase(),
        f" {lane}\t",
        f"{lane},",
        f"{lane},{lane}",
        f'"{lane}"',
        f"{lane}x",
        lane[:-1],
        f"{lane};q=1",
    )
    more = ("%73%32", "é".encode().decode("latin-1"), "\xff\xfe", "x" * 5000, "s1\ts2", "\\1", "^.*$")
    return lane if random.random() < 0.75 else random.choice((*odd, *more))


def _route(random: Random, world: World) -> list[tuple[str, str]]:
    number = random.choice((0, 0, 1, 1, 1, 1, 1, 1, 2, 3))
    values = [_lane(random, world) for _ in range(number)]
    if number > 1 and random.random() < 0.3:
        values = values[:1] * number
    return [(random.choice(NAMES), value) for value in values]


def _trace(random: Random, world: World) -> list[tuple[str, str]]:
    header = world.group.trace_header
    if header == "baggage":
        return [("Baggage", _baggage(random, world)) for _ in range(random.choice((0, 1, 1, 1, 2)))]
    if header in ("", world.group.route_header) or random.random() < 0.2:
        return []
    return [(header, random.choice((*TRACES, ""))) for _ in range(random.choice((1, 1, 1, 2)))]


def _baggage(random: Random, world: World) -> str:
    members = [
        "a=1",
        "userId=alice;p=1",
        "k=x-asm-prefer-tag=s2",
        "x-asm-prefer-tagx=s2",
        "",
        "serverNode=DF%2028",
        "broken",
        "k=v;x-asm-prefer-tag=s2",
    ]
    chosen = random.sample(members, random.randint(0, 4))
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        lane = _lane(random, world)
        escaped = "".join(
            f"%{ord(one):02{random.choice('xX')}}" if random.random() < 0.1 and ord(one) < 256 else one for one in lane
        )
        space = random.choice(("", "", " ", "\t"))
        key = random.choice(("x-asm-prefer-tag",) * 8 + ("X-Asm-Prefer-Tag",))
        member = f"{space}{key}{space}={space}{escaped}{space}{random.choice(('', ';p=1', ' ; p'))}"
        chosen.insert(random.randint(0, len(chosen)), member)
    if random.random() < 0.02:
        chosen.insert(0, "long=" + "y" * random.choice((8000, 8192, 9000)))
    return random.choice((",", ", ")).join(chosen)


def _others(random: Random) -> list[tuple[str, str]]:
    names = random.sample(("x-user", "X-Uid", "cookie", "Cookie", "x-empty", "x-unrelated"), random.choice((0, 1, 2, 3)))
    values = (*VALUES, "lane=s2; theme=dark", "a=1; lane=s3", "DEV", " dev ", "qa-\xe9")
    return [(name, random.choice(values)) for name in names for _ in range(random.choice((1, 1, 1, 2)))]
