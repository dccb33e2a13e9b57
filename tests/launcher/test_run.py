"""``lanebaggage run``: whatever the program is, it and its children have lanebaggage on, and everything else is their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import LAUNCH, ON, environment

PY = sys.executable

PROGRAMS = {
    "-c": [PY, "-c", ON],
    "script": [PY, "program.py"],
    "-m": [PY, "-m", "package"],
    "console script": ["./console"],
    "shell": ["sh", "-c", f"{PY} program.py"],
    "subprocess": [PY, "-c", f"import subprocess; subprocess.run([{PY!r}, 'program.py'])"],
    "subprocess, its own PYTHONPATH": [
        PY,
        "-c",
        f"import os, subprocess; subprocess.run([{PY!r}, '-m', 'elsewhere'], env={{**os.environ, 'PYTHONPATH': 'there'}})",
    ],
    "subprocess, PYTHONPATH changed before": [
        PY,
        "-c",
        f"import os, subprocess; os.environ['PYTHONPATH'] = 'there'; subprocess.run([{PY!r}, '-m', 'elsewhere'])",
    ],
    "exec with an environment": [
        PY,
        "-c",
        f"import os; os.execvpe({PY!r}, ['python', '-m', 'elsewhere'], {{**os.environ, 'PYTHONPATH': 'there'}})",
    ],
    "exec without one, PYTHONPATH changed before": [
        PY,
        "-c",
        f"import os; os.environ['PYTHONPATH'] = 'there'; os.execl({PY!r}, 'python', '-m', 'elsewhere')",
    ],
    "posix_spawn": [
        PY,
        "-c",
        f"import os; pid = os.posix_spawn({PY!r}, [{PY!r}, '-m', 'elsewhere'], {{'PYTHONPATH': 'there'}}); os.waitpid(pid, 0)",
    ],
    "an environment of bytes": [
        PY,
        "-c",
        f"import subprocess; subprocess.run([{PY!r}, '-m', 'elsewhere'], env={{b'PYTHONPATH': b'there'}})",
    ],
    "shell, PYTHONPATH changed before": [
        PY,
        "-c",
        f"import os; os.environ['PYTHONPATH'] = 'there'; os.system('{PY} -m elsewhere')",
    ],
    "asyncio's subprocess": [
        PY,
        "-c",
        (
            "import asyncio\nasync def main(): await (await asyncio.create_subprocess_exec("
            f"{PY!r}, '-m', 'elsewhere', env={{'PYTHONPATH': 'there'}})).wait()\nasyncio.run(main())"
        ),
    ],
    "a subprocess's subprocess": [
        PY,
        "-c",
        f"import subprocess; subprocess.run([{PY!r}, 'nested.py'], env={{'PYTHONPATH': 'there'}})",
    ],
    "standard input": ["sh", "-c", f"{PY} - < program.py"],
    "fork": [PY, "-c", f"import os; pid = os.fork(); os.waitpid(pid, 0) if pid else exec({ON!r})"],
    "multiprocessing spawn": [PY, "spawning.py", "spawn"],
    "multiprocessing forkserver": [PY, "spawning.py", "forkserver"],
    "multiprocessing spawn, PYTHONPATH changed before": [PY, "spawning.py", "spawn", "there"],
    "multiprocessing forkserver, PYTHONPATH changed before": [PY, "spawning.py", "forkserver", "there"],
}


@pytest.fixture
def programs(tmp_path: Path) -> None:
    for name in ("program.py", "package/__main__.py", "there/elsewhere.py", "job.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(ON)
    console = tmp_path / "console"
    console.write_text(f"#!{PY}\n{ON}")
    console.chmod(0o755)
    (tmp_path / "job.py").write_text(f"def work():\n    {ON}\n")
    (tmp_path / "nested.py").write_text(
        f"import subprocess; subprocess.run([{PY!r}, '-m', 'elsewhere'], env={{'PYTHONPATH': 'there'}})"
    )
    (tmp_path / "spawning.py").write_text(
        "import job, multiprocessing, os, sys\n"
        "if __name__ == '__main__':\n"
        "    os.environ.update(dict.fromkeys(['PYTHONPATH'][: len(sys.argv) - 2], sys.argv[-1]))\n"
        "    p = multiprocessing.get_context(sys.argv[1]).Process(target=job.work); p.start(); p.join()"
    )


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("name", PROGRAMS)
def test_lanebaggage_is_on(run: Any, name: str) -> None:
    """However a Python program is started, and in the processes it starts, lanebaggage is on; nothing is printed."""
    done = run(*PROGRAMS[name])
    assert (done.stdout, done.stderr, done.returncode) == ("on\n", "", 0)


def test_the_program_sees_the_pythonpath_that_it_has_set(run: Any) -> None:
    """What the program puts into ``os.environ`` is what it finds there, and what it removes is gone in its children."""
    code = (
        "import os; os.environ['PYTHONPATH'] = 'there'; print(os.environ['PYTHONPATH']); "
        f"del os.environ['PYTHONPATH']; print('PYTHONPATH' in os.environ, flush=True); os.system({PY + ' -c ' + repr(ON)!r})"
    )
    assert run(PY, "-c", code).stdout == "there\nFalse\noff\n"


def test_a_bare_environment_stays_bare(run: Any) -> None:
    """A program that starts a Python without any PYTHONPATH gets what it asked for."""
    done = run(PY, "-c", f"import subprocess; subprocess.run([{PY!r}, '-c', {ON!r}], env={{}})")
    assert done.stdout == "off\n"


def test_the_console_script_is_the_same(tmp_path: Path) -> None:
    """The installed command does what ``python -m lanebaggage`` does."""
    command = [str(Path(PY).parent / "lanebaggage"), "run", PY, "-c", ON]
    assert subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, check=True).stdout == b"on\n"


def test_pytest_does_not_complain(run: Any, tmp_path: Path) -> None:
    """pytest, which would rewrite the assertions of a plugin's package, does not warn that ours is imported already."""
    (tmp_path / "conftest.py").write_text("import pytest\npytest.register_assert_rewrite('lanebaggage')\n")  # as for a wheel
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    done = run(PY, "-m", "pytest", "-q", "-W", "error::pytest.PytestAssertRewriteWarning", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


# --- the program's own


def test_arguments_are_the_programs_own(run: Any) -> None:
    """Options after the program's name, ours and ``--help`` among them, are the program's."""
    shown = "import json, sys; print(json.dumps(sys.argv[1:]))"
    arguments = ["--route-header", "x", "--", "--help", "-h", "", "a b"]
    for options in ([], ["--"], ["--edge", "--allow", "a.example", "--"]):
        assert json.loads(run(PY, "-c", shown, *arguments, options=options).stdout) == arguments


def test_standard_streams_and_exit_status_are_the_programs_own(run: Any) -> None:
    """Input reaches the program, output and status come back."""
    done = run(PY, "-c", "import sys; sys.stderr.write('err'); sys.exit(len(input()))", input="seven77\n")
    assert (done.stderr, done.returncode) == ("err", 7)


def test_the_process_is_the_programs_own(tmp_path: Path) -> None:
    """The launcher becomes the program, so that a signal to it is a signal to the program."""
    code = "import os, signal; print(os.getpid(), flush=True); signal.signal(signal.SIGTERM, lambda *_: os._exit(5)); "
    process = subprocess.Popen(
        [*LAUNCH, PY, "-c", code + "print('ready', flush=True); signal.pause()"],
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 5
    process.stdout.close()


def test_signals_are_not_ignored_for_the_program(run: Any) -> None:
    """What Python ignores for itself, SIGPIPE, is not ignored in a program that is no Python."""
    done = run("sh", "-c", "kill -PIPE $$; echo ignored")
    assert (done.stdout, done.returncode) == ("", -signal.SIGPIPE)


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, []), ({"PYTHONPATH": ""}, []), ({"PYTHONPATH": "a"}, ["a"]), ({"PYTHONPATH": "a::b"}, ["a", "", "b"])],
)
def test_pythonpath_is_prepended_to(run: Any, before: dict[str, str], after: list[str]) -> None:
    """What PYTHONPATH had stays behind our directory, and no entry for the current directory appears."""
    path = run(PY, "-c", "import os; print(os.environ['PYTHONPATH'])", env=before).stdout.strip().split(os.pathsep)
    assert Path(path[0]).parts[-2:] == ("_launcher", "site")
    assert path[1:] == after


def test_launching_twice_adds_one_entry(run: Any) -> None:
    """A launcher under a launcher changes nothing."""
    done = run(*LAUNCH, PY, "-c", f"import os; print(os.environ['PYTHONPATH'].count('_launcher')); {ON}")
    assert done.stdout == "1\non\n"


def test_start_up_imports_no_library(run: Any) -> None:
    """A program that uses nothing has nothing imported for it but parts of the standard library."""
    code = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules} - {*sys.stdlib_module_names}))"
    plain = subprocess.run([PY, "-c", code], env=environment(), capture_output=True, text=True, check=True).stdout.split()
    launched = run(PY, "-c", code).stdout.split()
    assert sorted({*launched} - {*plain}) == ["lanebaggage", "sitecustomize"]
    heavy = "import sys; print(*{'asyncio', 'http', 'logging', 're', 'ssl', 'typing', 'wrapt'} & {*sys.modules})"
    assert run(PY, "-c", heavy).stdout == "\n"


# --- settings


@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        (["--preset", "okteto"], {}, ["okteto-divert", "baggage", "[]"]),
        (["--trace-header=baggage", "--allow", "a.example", "--allow=b.example"], {}, ["x-asm-prefer-tag", "baggage", "a b"]),
        (["--route-header", "x-lane"], {"LANEBAGGAGE_ROUTE_HEADER": "x-other"}, ["x-lane", "x-lane", "[]"]),
        ([], {"LANEBAGGAGE_ROUTE_HEADER": "x-other"}, ["x-other", "x-other", "[]"]),
    ],
)
def test_options_become_settings(run: Any, options: list[str], env: dict[str, str], expected: list[str]) -> None:
    """Options of the launcher are settings of the program, and win over its environment."""
    code = "from lanebaggage._runtime import settings as s; print(s.route_header, s.trace_header, *(s.allow or ['[]']))"
    assert run(PY, "-c", code, options=options, env=env).stdout.replace(".example", "").split() == " ".join(expected).split()


def test_a_setting_that_cannot_be_used_is_one_line(run: Any) -> None:
    """The program starts, un-instrumented, and stderr has one line that names setting and shape."""
    done = run(PY, "-c", ON, options=["--route-header", "a b"])
    assert (done.stdout, done.returncode) == ("off\n", 0)
    (line,) = done.stderr.splitlines()
    assert line.startswith("lanebaggage: this process runs without it: LANEBAGGAGE_ROUTE_HEADER: route_header must be")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "name the program to start, such as: lanebaggage run -- gunicorn app:app"),
        (["--route-heade", "x", PY], 2, "there is no option --route-heade"),
        (["--route-header"], 2, "--route-header needs a value: --route-header NAME"),
        (["--route-header", "--", PY], 2, "--route-header needs a value: --route-header NAME"),
        (["--edge=yes", PY], 2, "--edge takes no value"),
        (["--", "no-such-program"], 127, "no-such-program: command not found"),
        (["--", "./no-such-program"], 127, "./no-such-program: command not found"),
        (["--", "./program.py"], 126, "a Python file is run by: lanebaggage run -- python ./program.py"),
    ],
)
@pytest.mark.usefixtures("programs")
def test_a_command_that_cannot_be_started_is_a_sentence(run: Any, arguments: list[str], status: int, said: str) -> None:
    """Usage errors, and programs that are not there or not executable, are one sentence and a shell's status."""
    done = run(*arguments, options=[])
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("options", [["--help"], ["-h"], ["--edge", "--allow", "a.example", "--help"]])
def test_help_before_the_program_is_the_launchers(run: Any, options: list[str]) -> None:
    """``--help`` before the program's name, among our options too, shows the launcher's help and starts nothing."""
    done = run(PY, "-c", "print('started')", options=options)
    assert done.stdout.startswith("Usage: lanebaggage run [OPTIONS] [--] PROGRAM")
    assert "started" not in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


def test_another_python_without_lanebaggage_says_so(run: Any, tmp_path: Path) -> None:
    """A Python where lanebaggage is not installed starts without it, and says which one it is."""
    subprocess.run([PY, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True, env=environment())
    done = run(str(tmp_path / "bare/bin/python"), "-c", "print('program')")
    assert done.stdout == "program\n"
    assert f"{tmp_path}/bare/bin/python runs without it, since it is not installed there" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- Pythons that ignore us


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ([PY, "-I", "-c", ON], "-I"),
        ([PY, "-E", "-c", ON], "-E"),
        ([PY, "-X", "utf8", "-bWignore", "-sS", "-c", ON], "-S"),
        (["./isolated"], "-E"),
        (["./isolated-env"], "-I"),
    ],
)
def test_a_python_that_ignores_us_is_named(run: Any, tmp_path: Path, command: list[str], option: str) -> None:
    """Options, and a script's first line, that make Python ignore us are said, with the way out; the program runs."""
    for name, line in {"isolated": f"#!{PY} -sE", "isolated-env": "#!/usr/bin/env -S python -I"}.items():
        (tmp_path / name).write_text(f"{line}\n{ON}")
        (tmp_path / name).chmod(0o755)
    done = run(*command)
    assert (done.stdout, done.returncode) == ("off\n", 0)
    assert f"Python started with {option} does not look here" in done.stderr
    assert ("install-hook" in done.stderr) == (option != "-S")


@pytest.mark.parametrize(
    "command",
    [
        [PY, "-c", ON, "-I"],
        [PY, "-Wignore", "-c", ON],
        [PY, "-W", "ignore::DeprecationWarning", "-X", "dev", "-c", ON],
        ["sh", "-c", f"{PY} program.py", "-S"],
        ["./console", "-E"],
    ],
)
@pytest.mark.usefixtures("programs")
def test_the_programs_own_options_are_not_pythons(run: Any, command: list[str]) -> None:
    """An ``-I`` that is the program's own is not mistaken for Python's."""
    done = run(*command)
    assert (done.stdout, done.stderr) == ("on\n", "")
