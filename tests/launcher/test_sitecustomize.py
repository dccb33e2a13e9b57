"""The user's own ``sitecustomize``, which ours stands in front of, runs as it would without us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ON, environment

PY = sys.executable
SHOWN = "import sys; m = sys.modules['sitecustomize']; print(m.__name__, m.__file__, getattr(m, 'VALUE', None))"


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """Write a sitecustomize of the user's; gives the environment in which Python finds it."""

    def own(code: str) -> dict[str, str]:
        (tmp_path / "own").mkdir()
        (tmp_path / "own/sitecustomize.py").write_text(code)
        return {"PYTHONPATH": str(tmp_path / "own")}

    return own


def test_it_is_executed_once_as_the_module_that_it_is(run: Any, own: Any, tmp_path: Path) -> None:
    """The user's file runs once, is ``sys.modules["sitecustomize"]``, and lanebaggage is on besides."""
    env = own("print('executed', __name__, __spec__.origin == __file__); VALUE = 7")
    done = run(PY, "-c", f"{SHOWN}; {ON}", env=env)
    assert done.stdout == f"executed sitecustomize True\nsitecustomize {tmp_path}/own/sitecustomize.py 7\non\n"
    assert done.stderr == ""


@pytest.mark.parametrize("code", ["raise RuntimeError('broken')", "import no_such_module", "1 +"])
def test_its_errors_are_reported_as_without_us(run: Any, own: Any, code: str) -> None:
    """What the user's file raises, Python reports in its usual words; lanebaggage is on all the same."""
    env = own(code)
    plain = subprocess.run([PY, "-c", "pass"], env=environment(**env), capture_output=True, text=True, check=True).stderr
    done = run(PY, "-c", ON, env=env)
    assert plain
    assert (done.stdout, done.stderr) == ("on\n", plain * 2)  # the launcher is a Python that has such a file, too


def test_it_may_extend_the_path(run: Any, own: Any, tmp_path: Path) -> None:
    """Entries that the user's file adds to ``sys.path`` stay."""
    (tmp_path / "added").mkdir()
    (tmp_path / "added/addition.py").write_text("print('found')")
    env = own(f"import sys; sys.path.append({str(tmp_path / 'added')!r})")
    assert run(PY, "-c", "import addition", env=env).stdout == "found\n"


def test_children_are_reached_where_it_sets_the_path_for_them(run: Any, own: Any) -> None:
    """A PYTHONPATH that the user's file sets, before ours is run, is prepended to for what the program starts."""
    env = own("import os; os.environ['PYTHONPATH'] = 'there'")
    assert run(PY, "-c", f"import os, sys; os.execl({PY!r}, 'python', '-c', {ON!r})", env=env).stdout == "on\n"


def test_it_may_switch_lanebaggage_on_itself(run: Any, own: Any) -> None:
    """Settings that the user's file gives are kept."""
    env = own("import lanebaggage; lanebaggage.auto_instrument(route_header='x-lane')")
    done = run(PY, "-c", f"from lanebaggage import _runtime; print(_runtime.settings.route_header); {ON}", env=env)
    assert (done.stdout, done.stderr) == ("x-lane\non\n", "")


def test_the_program_may_switch_lanebaggage_on_with_settings(run: Any) -> None:
    """A program under the launcher can still call auto_instrument with arguments, and its children are reached."""
    code = (
        "import lanebaggage, os, subprocess; lanebaggage.auto_instrument(route_header='x-lane'); "
        f"subprocess.run([{PY!r}, '-c', {ON!r}], env={{'PYTHONPATH': 'there'}})"
    )
    done = run(PY, "-c", code)
    assert (done.stdout, done.stderr) == ("on\n", "")


def test_two_installations_on_the_path_end(run: Any, tmp_path: Path) -> None:
    """A second copy of our directory on the path, as an operator may inject, is passed through and not run for ever."""
    from lanebaggage._launcher import SITE

    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/sitecustomize.py").write_text((Path(SITE) / "sitecustomize.py").read_text())
    (tmp_path / "own").mkdir()
    (tmp_path / "own/sitecustomize.py").write_text("print('own')")
    done = run(PY, "-c", ON, env={"PYTHONPATH": os.pathsep.join(str(tmp_path / name) for name in ("copy", "own"))})
    assert (done.stdout, done.stderr) == ("own\non\n", "")
