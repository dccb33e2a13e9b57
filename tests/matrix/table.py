"""The matrix: for each role its situations, its libraries, and why a cell does not apply; renders docs/coverage.md.

``floors.toml`` has the oldest version of each library that its column was run with.

A role's own module (``clients.py``, ``servers.py``, ``messaging.py``, ``concurrency.py``) makes a ``Role`` and adds its
libraries with their drivers; the test module of the same name runs ``role.cells``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

ROLES: dict[str, Role] = {}
COMPLETE = sys.version_info >= (3, 11)
"""Whether every column runs here; httpx2 and ``asyncio.TaskGroup`` need Python 3.11."""
VERSIONS = "| *version* |"
"""How the line of the page starts that is that of the machine it was written on."""
BESIDE = """
## Beside the table

- **niquests** takes urllib3's place in its environment, so it has one of its own, in which it is held to the situations of
  clients. `tests/with_niquests/`
- **APScheduler**: a job has no lane, whoever scheduled it or woke the scheduler. `tests/concurrency/test_apscheduler.py`
- **botocore** and other calls that are signed are left alone unless their host is allowed. `tests/clients/test_botocore.py`
- **By hand**: `lanebaggage.extract(headers)` and `lanebaggage.inject(headers)`, for what nobody instruments.
  `tests/test_wire.py`
"""


@dataclass(frozen=True)
class Cell:
    """One library in one situation."""

    role: str
    library: str
    situation: str
    driver: Any

    @property
    def key(self) -> tuple[str, str, str]:
        return self.role, self.library, self.situation

    def __str__(self) -> str:
        return f"{self.library}-{self.situation}"


@dataclass
class Role:
    """What libraries of one kind are tested for."""

    name: str
    title: str
    situations: dict[str, str]
    """Identifier to what happens, in words for the page."""
    libraries: dict[str, Any] = field(default_factory=dict)
    """Name to driver; a driver's ``distribution`` is its name on the package index, empty for the standard library."""
    without: dict[tuple[str, str], str] = field(default_factory=dict)
    """Library and situation to the reason why that cell does not apply."""

    def __post_init__(self) -> None:
        ROLES[self.name] = self

    def add(self, library: str, driver: Any, **without: str) -> None:
        """Add a library; ``without`` gives situations (dashes as underscores) that do not apply, and why."""
        self.libraries[library] = driver
        for situation, reason in without.items():
            name = situation.replace("_", "-")
            assert name in self.situations, f"{library}: no situation is called {name}"
            self.without[library, name] = reason

    @property
    def cells(self) -> list[Cell]:
        return [
            Cell(self.name, library, situation, driver)
            for library, driver in self.libraries.items()
            for situation in self.situations
            if (library, situation) not in self.without
        ]


def load() -> None:
    """Import every role's module, so that ``ROLES`` is complete, and in the page's order whoever imported one before."""
    for name in ("servers", "clients", "messaging", "concurrency"):
        import_module(f"matrix.{name}")
    for name in ("servers", "processes", "clients", "messaging", "concurrency"):
        ROLES[name] = ROLES.pop(name)


def page() -> str:
    """docs/coverage.md."""
    lines = [
        "# Coverage: library by situation",
        "",
        "Written by the tests in `tests/matrix/` when all of them pass; each `yes` is a test on the real library, in the",
        "*version* given, and was one in the *oldest* (`nox -s floors`).",
    ]
    oldest = floors()
    for role in ROLES.values():
        lines += ["", f"## {role.title}", "", "| situation | " + " | ".join(role.libraries) + " |"]
        lines += ["|" + "---|" * (len(role.libraries) + 1)]
        versions = " | ".join(_version(driver) for driver in role.libraries.values())
        lines += [f"{VERSIONS} {versions} |"]
        lines += ["| *oldest* | " + " | ".join(_floor(driver, oldest) for driver in role.libraries.values()) + " |"]
        reasons: list[str] = []
        for situation, words in role.situations.items():
            row = []
            for library in role.libraries:
                reason = role.without.get((library, situation))
                if reason is None:
                    row.append("yes")
                else:
                    if reason not in reasons:
                        reasons.append(reason)
                    row.append(f"[{reasons.index(reason) + 1}]")
            lines.append(f"| {words} | " + " | ".join(row) + " |")
        if reasons:
            lines += ["", "Does not apply:", ""]
            lines += [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
        names = {getattr(driver, "distribution", "") for driver in role.libraries.values()}
        if lacks := [
            f"- {name} {floor['version']}: {floor['but']}" for name, floor in oldest.items() if name in names and "but" in floor
        ]:
            lines += ["", "Not in the oldest version:", "", *lacks]
    return "\n".join(lines) + "\n" + BESIDE


def floors() -> dict[str, Any]:
    """The oldest versions that the matrix holds with, by distribution; needs Python 3.11."""
    import tomllib

    return tomllib.loads(Path(__file__).with_name("floors.toml").read_text(encoding="utf-8"))


def _floor(driver: Any, oldest: dict[str, Any]) -> str:
    return str(oldest[driver.distribution]["version"]) if getattr(driver, "distribution", "") else ""


def _version(driver: Any) -> str:
    return metadata.version(driver.distribution) if getattr(driver, "distribution", "") else "standard library"
