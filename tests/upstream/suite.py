"""A library's own suite: where it comes from, its environment, and one run of it in one of the three modes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import tomllib

HERE = Path(__file__).resolve().parent
SUITES = HERE / "suites"
PLUGINS = HERE / "plugins"
ALONE = ["unshare", "--net"]
"""Of util-linux: a network of its own, in which there is nothing but a loopback device. Needs root."""
_KEPT = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "OPENBLAS_CORETYPE")


class SuiteError(Exception):
    """A suite cannot be run; says what is missing."""


@dataclass(frozen=True)
class Suite:
    """What ``suites/NAME.toml`` says."""

    name: str
    distribution: str = ""
    """Whose sdist, or whose installed package, has the tests; empty for the standard library."""
    version: str = ""
    install: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ("tests",)
    """Of pytest, or the labels of Django's runner."""
    tests_are: str = "in the sdist"
    """Or ``installed``, ``in the standard library``."""
    directory: str = "."
    """In which the runner is started, below that of the tests."""
    runner: str = "pytest"
    """Or ``django``."""
    environment: dict[str, str] = field(default_factory=dict)
    redis: bool = False
    """Whether the tests want a Redis at its usual port."""
    notes: str = ""
    """For the page: what is left out of the suite as a whole, and why."""
    deselect: dict[str, str] = field(default_factory=dict)
    """Files and tests that are not run, each with its reason."""
    changed: dict[str, str] = field(default_factory=dict)
    """Tests whose outcome changes with lanebaggage on in no lane."""
    changed_in_a_lane: dict[str, str] = field(default_factory=dict)
    """Tests whose outcome changes in a lane."""
    failures: dict[str, str] = field(default_factory=dict)
    """Warnings of ours (a call went out unchanged) that a test provokes, with the reason; the key is how they begin."""

    def allowed(self, mode: str) -> dict[str, str]:
        return self.changed_in_a_lane if mode == "lane" else self.changed

    def file_of(self, test: str) -> str:
        """What to run for a test with all that stands beside it."""
        return test.partition("::")[0] if self.runner == "pytest" else ".".join(test.split(".")[:2])


def read(name: str) -> Suite:
    path = SUITES / f"{name}.toml"
    if not path.exists():
        raise SuiteError(f"no suite is called {name}; there are {', '.join(names())}")
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    tuples = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Suite(name, **{key.replace("-", "_"): value for key, value in {**values, **tuples}.items()})


def names() -> list[str]:
    return sorted(path.stem for path in SUITES.glob("*.toml"))


@dataclass(frozen=True)
class Results:
    """What came out of one run."""

    outcomes: dict[str, str]
    failures: list[str]


class Prepared:
    """A suite with its environment and its tests, in a temporary directory."""

    def __init__(self, suite: Suite, wheel: Path, directory: Path) -> None:
        self.suite = suite
        self.directory = directory
        self.python = directory / "env" / "bin" / "python"
        self._runs = 0
        run("uv", "venv", "-q", "--python", sys.executable, str(directory / "env"))
        run("uv", "pip", "install", "-q", "--python", str(self.python), str(wheel), *suite.install)
        self.tests = self._find_tests() / suite.directory

    def _find_tests(self) -> Path:
        if self.suite.tests_are == "installed":
            where = "import sysconfig; print(sysconfig.get_path('purelib'))"
            pure = Path(run(str(self.python), "-c", where).strip())
            platform = Path(run(str(self.python), "-c", where.replace("pure", "plat")).strip())
            return next(path for path in (pure, platform) if (path / self.suite.distribution).exists())
        if self.suite.tests_are == "in the standard library":
            return Path(sysconfig.get_path("stdlib")) / "test"
        return unpacked(self.suite, self.directory / "sdist")

    def run(self, mode: str, only: list[str] | None = None) -> Results:
        """Run it all, or only some tests or files."""
        self._runs += 1
        own = self.directory / f"{self._runs}-{mode:_<4}"  # equally long: the path of a Unix socket has a limit
        (own / "tmp").mkdir(parents=True)
        results = own / "results.json"
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environ |= {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(own),
            "TMPDIR": str(own / "tmp"),
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(PLUGINS),
            "UPSTREAM_MODE": mode,
            "UPSTREAM_RESULTS": str(results),
            **self.suite.environment,
        }
        cwd = own if self.suite.tests_are == "in the standard library" else self.tests
        with (own / "output").open("wb") as output:
            process = subprocess.Popen(
                cut_off([*self._launcher(mode), *self._command(mode, only)], redis=self.suite.redis),
                cwd=cwd,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._wait(process, results, mode)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)  # what its tests have left running
                except ProcessLookupError:
                    pass
                process.wait()
        if not results.exists():
            if only is not None:
                return Results({}, [])  # none of these tests exists in this mode
            raise SuiteError((own / "output").read_text(encoding="utf-8", errors="replace")[-3000:])
        return Results(**json.loads(results.read_text(encoding="utf-8")))

    def _wait(self, process: subprocess.Popen[bytes], results: Path, mode: str) -> None:
        """Until the runner has ended; or has its results, but processes that a test has left keep it from ending."""
        for _ in range(180):
            try:
                process.wait(timeout=10)
                return
            except subprocess.TimeoutExpired:
                if results.exists():
                    return
        raise SuiteError(f"{self.suite.name} {mode}: not done after half an hour")

    def _command(self, mode: str, only: list[str] | None) -> list[str]:
        if self.suite.runner == "django":
            wanted = only or self.suite.arguments
            return [str(self.python), "runtests.py", "--parallel=1", "--settings=upstream_django", *wanted]
        command = [
            str(self.python),
            "-m",
            "pytest",
            "-q",
            "-ra",
            "--tb=short",
            "-p",
            "upstream_plugin",
            "-p",
            "no:cacheprovider",
        ]
        command += ["--color=no", f"--rootdir={self.tests}"]
        if mode == "off":
            command += ["-p", "no:lanebaggage"]
        for test in self.suite.deselect:
            command.append(f"--deselect={test}" if "::" in test else f"--ignore={self.tests / test}")
        options = [word for word in self.suite.arguments if word.startswith("-")]
        wanted = only or [word for word in self.suite.arguments if word not in options]
        return [*command, *options, *(f"{self.tests}/{word}" for word in wanted)]

    def _launcher(self, mode: str) -> list[str]:
        """What switches lanebaggage on, in the tests' process and in those that they start."""
        if mode == "off":
            return []
        return [str(self.python.with_name("lanebaggage")), "run", *(["--allow=*"] if mode == "lane" else []), "--"]


def cut_off(command: list[str], *, redis: bool) -> list[str]:
    """A command in a network of its own, with the Redis that it wants in there too."""
    if not can_be_alone():
        if redis:
            raise SuiteError("a Redis at its usual port needs root and unshare")
        return command
    before = "ip link set lo up; "
    if redis:
        before += "redis-server --save '' --appendonly no --daemonize no >/dev/null & "
        before += "until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done; "
    return [*ALONE, "sh", "-c", f'{before} exec "$@"', "sh", *command]


def unpacked(suite: Suite, directory: Path) -> Path:
    """The directory of the sdist, fetched with pip."""
    wanted = f"{suite.distribution}=={suite.version}"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", suite.distribution]
    run(*pip, "-d", str(directory), wanted)
    (archive,) = directory.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(directory, filter="data")
    (path,) = (path for path in directory.iterdir() if path.is_dir())
    return path


@cache
def can_be_alone() -> bool:
    if shutil.which(ALONE[0]) is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*ALONE, "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode == 0


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SuiteError(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout
