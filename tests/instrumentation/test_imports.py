"""Waiting for imports: nothing is imported for it, and an import that is waited for is an ordinary one."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import sys
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from lanebaggage.instrumentation import _imports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Write modules onto a path of the test's own; forget them afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        return path

    yield write
    _imports.stop_waiting()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_callback_gets_the_executed_module(package: Callable[[str, str], Path]) -> None:
    """A module's functions are there when the callback runs, and the importer gets what the callback left."""
    package("lb_late", "value = 1")
    seen: list[Any] = []

    def callback(module: ModuleType) -> None:
        seen.append(module.value)
        module.value = 2  # type: ignore[attr-defined]

    _imports.when_imported("lb_late", callback)
    assert "lb_late" not in sys.modules
    module = importlib.import_module("lb_late")
    assert (seen, module.value) == ([1], 2)


def test_a_module_imported_before_is_called_back_at_once(package: Callable[[str, str], Path]) -> None:
    """Import order does not matter."""
    package("lb_early", "")
    module = importlib.import_module("lb_early")
    seen: list[ModuleType] = []
    _imports.when_imported("lb_early", seen.append)
    assert seen == [module]


def test_a_submodule_is_waited_for(package: Callable[[str, str], Path]) -> None:
    """The package's own import does not call back, the submodule's does."""
    package("lb_pkg.__init__", "")
    package("lb_pkg.part", "")
    seen: list[str] = []
    _imports.when_imported("lb_pkg.part", lambda module: seen.append(module.__name__))
    importlib.import_module("lb_pkg")
    assert seen == []
    importlib.import_module("lb_pkg.part")
    assert seen == ["lb_pkg.part"]


def test_an_import_stays_an_ordinary_one(package: Callable[[str, str], Path]) -> None:
    """Loader, spec, source and resources are those of an import that nobody waits for."""
    package("lb_res.__init__", "import sys\nloader_inside = type(sys.modules[__name__].__spec__.loader).__name__")
    package("lb_res.data", "x = 1")
    _imports.when_imported("lb_res", lambda module: None)
    module = importlib.import_module("lb_res")
    assert (
        type(module.__loader__).__name__ == type(module.__spec__.loader).__name__ == module.loader_inside == "SourceFileLoader"
    )
    assert inspect.getsource(module).startswith("import sys")
    assert importlib.resources.files(module).joinpath("data.py").read_text() == "x = 1"


def test_a_reload_calls_back_again(package: Callable[[str, str], Path]) -> None:
    """A reloaded module has new classes, which want patching again."""
    package("lb_again", "value = 1")
    seen: list[int] = []
    _imports.when_imported("lb_again", lambda module: seen.append(module.value))
    module = importlib.import_module("lb_again")
    importlib.reload(module)
    assert seen == [1, 1]


def test_a_module_that_fails_fails_as_ever(package: Callable[[str, str], Path]) -> None:
    """The exception is the module's own, nothing is called back, and it can be imported once it is mended."""
    path = package("lb_broken", "raise KeyError('own')")
    seen: list[str] = []
    _imports.when_imported("lb_broken", lambda module: seen.append(module.__name__))
    with pytest.raises(KeyError, match="own"):
        importlib.import_module("lb_broken")
    path.write_text("fine = True")
    importlib.invalidate_caches()
    assert importlib.import_module("lb_broken").fine
    assert seen == ["lb_broken"]


def test_a_module_that_is_absent_is_absent(package: Callable[[str, str], Path]) -> None:
    """Waiting for what is not installed changes nothing for those who try to import it."""
    _imports.when_imported("lb_absent", lambda module: None)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("lb_absent")
    assert importlib.util.find_spec("lb_absent") is None


def test_a_zipped_module(package: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders that are shared between modules are served too."""
    with zipfile.ZipFile(tmp_path / "lb.zip", "w") as archive:
        archive.writestr("lb_zipped.py", "value = 1")
        archive.writestr("lb_other.py", "value = 2")
    monkeypatch.syspath_prepend(str(tmp_path / "lb.zip"))
    seen: list[int] = []
    _imports.when_imported("lb_zipped", lambda module: seen.append(module.value))
    assert importlib.import_module("lb_other").value == 2
    assert importlib.import_module("lb_zipped").value == 1
    assert seen == [1]


def test_a_module_that_another_thread_is_importing(package: Callable[[str, str], Path]) -> None:
    """It is called back once it is whole, at the next import at the latest."""
    package("lb_slow", "import lb_gate\nlb_gate.reached.set()\nlb_gate.go.wait(10)\nvalue = 1")
    package("lb_gate", "import threading\nreached = threading.Event()\ngo = threading.Event()")
    package("lb_next", "")
    gate = importlib.import_module("lb_gate")
    thread = threading.Thread(target=importlib.import_module, args=("lb_slow",))
    thread.start()
    assert gate.reached.wait(10)
    seen: list[int] = []
    _imports.when_imported("lb_slow", lambda module: seen.append(module.value))
    assert seen == []
    gate.go.set()
    thread.join()
    importlib.import_module("lb_next")
    assert seen == [1]


def test_nothing_stays_behind() -> None:
    """The finder is on ``sys.meta_path`` only while something is waited for."""
    before = list(sys.meta_path)
    _imports.when_imported("lb_never", lambda module: None)
    assert len(sys.meta_path) == len(before) + 1
    _imports.stop_waiting()
    assert sys.meta_path == before
