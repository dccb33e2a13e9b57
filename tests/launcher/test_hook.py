"""The opt-in hook: ``LANEBAGGAGE_AUTO=1`` where the command cannot be changed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from lanebaggage._launcher import hook

from .conftest import ON, environment


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own, which finds what is installed in ours through a path file, with the hook installed by command."""
    home = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, env=environment())
    python = home / "bin/python"
    path = [sysconfig.get_path("purelib"), *(entry for entry in sys.path if entry.endswith("src"))]
    Path(site_packages(python), "a.pth").write_text("\n".join(path))
    done = subprocess.run(
        [python, "-m", "lanebaggage", "install-hook"], env=environment(), capture_output=True, text=True, check=True
    )
    assert "set LANEBAGGAGE_AUTO=1" in done.stdout
    return python


def site_packages(python: Path) -> str:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=environment()).stdout.strip()


@pytest.mark.parametrize(
    ("options", "value", "expected", "said"),
    [
        ([], "1", "on", ""),
        (["-I"], "1", "on", ""),
        (["-E"], "true", "on", ""),
        ([], "0", "off", ""),
        ([], "", "off", ""),
        ([], None, "off", ""),
        ([], "perhaps", "off", "LANEBAGGAGE_AUTO: its value must be true or false, not 'perhaps'"),
    ],
)
def test_the_variable_decides(python: Path, options: list[str], value: str | None, expected: str, said: str) -> None:
    """With the hook, LANEBAGGAGE_AUTO switches lanebaggage on, isolated Pythons included; without it nothing happens."""
    env = environment(**({} if value is None else {"LANEBAGGAGE_AUTO": value}))
    done = subprocess.run([python, *options, "-c", ON], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{expected}\n"
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)


def test_without_the_variable_nothing_is_imported(python: Path) -> None:
    """The hook costs a Python that does not want it one look at the environment."""
    code = "import sys; print([name for name in sys.modules if name.startswith('lanebaggage')])"
    assert subprocess.run([python, "-c", code], env=environment(), capture_output=True, check=True).stdout == b"[]\n"


def test_remove_takes_away_what_install_wrote(tmp_path: Path) -> None:
    """Both forms are removed, and a second removal finds nothing."""
    written = [hook.install(tmp_path, version) for version in ((3, 10), (3, 15))]
    assert sorted(tmp_path.iterdir()) == written
    assert hook.remove(tmp_path) == written
    assert list(tmp_path.iterdir()) == []
    assert hook.remove(tmp_path) == []


def test_python_3_15_gets_a_start_file(tmp_path: Path) -> None:
    """From 3.15 the hook is a .start file that names an existing function, as PEP 829 says."""
    path = hook.install(tmp_path, (3, 15))
    module, _, name = path.read_text().strip().partition(":")
    assert (path.suffix, module, name) == (".start", "lanebaggage._launcher.start", "auto")
    __import__(module)
    assert callable(getattr(sys.modules[module], name))


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """Where site-packages cannot be written, the error names the file and what to do."""
    with pytest.raises(hook.HookError, match=r"lanebaggage-auto.*run this as the owner"):
        hook.install(tmp_path / "absent")


def test_a_volume_and_a_variable_are_enough(tmp_path: Path) -> None:
    """A copy of the package on a volume, and PYTHONPATH, are enough for a Python that has none of it, and for its children."""
    import shutil

    import lanebaggage

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "service"], check=True, env=environment())
    shutil.copytree(Path(lanebaggage.__file__).parent, tmp_path / "volume/lanebaggage")
    path = f"{tmp_path}/volume/lanebaggage/_launcher/site:{tmp_path}/volume"
    python = str(tmp_path / "service/bin/python")
    for code in (
        ON,
        f"import subprocess; subprocess.run([{python!r}, '-c', {ON!r}], env={{'PYTHONPATH': 'its own'}})",
    ):
        done = subprocess.run(
            [python, "-c", code], env=environment(PYTHONPATH=path), capture_output=True, text=True, check=True
        )
        assert (done.stdout, done.stderr) == ("on\n", "")
