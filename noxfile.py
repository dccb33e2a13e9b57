"""Development sessions: ``nox -s tests``, ``nox -s lint types``, ``nox -s demo``; ``nox -l`` lists them."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.stop_on_first_error = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
FLOORS = nox.project.load_toml("tests/matrix/floors.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as a user would, from a built wheel, with all extras and these groups."""
    session.install("-q", ".[all]", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on the Python that runs nox."""
    install(session, "tests")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(name="tests-each", python=PYTHONS)
def tests_each(session: nox.Session) -> None:
    """The tests, on each Python that the project supports."""
    install(session, "tests")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def neighbours(session: nox.Session) -> None:
    """The tests beside other vendors' tracers, in an environment of their own: they patch much, and bring pytest plugins."""
    session.install("-q", ".", *nox.project.dependency_groups(PYPROJECT, "neighbours"))
    session.run("python", "-m", "pytest", "-p", "no:ddtrace", "-n", "2", "tests/otel/neighbours", *session.posargs)


@nox.session(name="tests-niquests")
def tests_niquests(session: nox.Session) -> None:
    """niquests, in an environment of its own: urllib3-future, on which it runs, takes the place of urllib3."""
    install(session, "niquests")
    session.run("python", "-m", "pytest", "tests/with_niquests", *session.posargs)


@nox.session
@nox.parametrize(
    "python,library", [(floor.get("python", PYTHONS[0]), name) for name, floor in FLOORS.items()], ids=list(FLOORS)
)
def floors(session: nox.Session, library: str) -> None:
    """The matrix on the oldest version of each library: ``"floors(flask)"`` for one, ``floors`` for all."""
    floor = FLOORS[library]
    pins = [f"{library}=={floor['version']}", *floor.get("with", [])]
    session.install("-q", ".", *nox.project.dependency_groups(PYPROJECT, "floors"), *pins)
    select = ["-k", floor["select"]] if "select" in floor else []
    session.run("python", "-m", "pytest", *floor["tests"], *select, *session.posargs)


@nox.session
def differential(session: nox.Session) -> None:
    """Router, embedded proxy and Envoy on random meshes: ``-- --requests 100000 --seed 7``."""
    install(session, "tests")
    session.run("python", "-m", "pytest", "tests/differential", *session.posargs)


@nox.session
def upstream(session: nox.Session) -> None:
    """Other libraries' own tests without lanebaggage, with it, and in a lane: ``-- requests flask``; all of them take hours."""
    session.install("-q", "pip", "uv")
    session.run("python", "tests/upstream/run.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Format and lint; changes nothing."""
    session.install("-q", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy in strict mode."""
    install(session, "types")
    session.run("mypy")


@nox.session
def demo(session: nox.Session) -> None:
    """The demo on the embedded mesh."""
    install(session, "frameworks")
    session.run("lanebaggage", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What lanebaggage and its peers cost, in one run; ``-- --quick requests`` for one case, ``-- --write`` for the page."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(name="bench-mesh")
def bench_mesh(session: nox.Session) -> None:
    """What a hop through the mesh costs, beside other reverse proxies; ``-- --write`` for the page."""
    session.install("-q", ".[envoy]", "asgiproxy", "fastapi-proxy-lib[standard]", "mitmproxy", "uvicorn[standard]")
    session.run("python", "-m", "benchmarks.mesh", *session.posargs)
