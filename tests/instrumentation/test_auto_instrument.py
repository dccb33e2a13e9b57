"""auto_instrument: one line, any number of times, and back; what it reports."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import Any

import pytest

import lanebaggage
from lanebaggage import SettingsError, _runtime, instrumentation
from lanebaggage.instrumentation import DISABLED, FAILED, PATCHED, UNSUPPORTED, WAITING, Library, _patching


def test_calling_again_changes_nothing() -> None:
    """A second call, with no settings or the same ones, gives the same report."""
    first = lanebaggage.auto_instrument(route_header="x-lane")
    count = len(_patching._installed)
    assert lanebaggage.auto_instrument() is first
    assert lanebaggage.auto_instrument(route_header="X-Lane") is first
    assert len(_patching._installed) == count
    assert _runtime.settings.route_header == "x-lane"


@pytest.mark.parametrize("second", [{"route_header": "x-other"}, {"preset": "mse"}, {"allow": ["a.example"]}])
def test_other_settings_are_an_error(second: dict[str, Any]) -> None:
    """Two calls that disagree are a mistake of the application's, told where it is made; the first stays in force."""
    lanebaggage.auto_instrument(route_header="x-lane")
    with pytest.raises(SettingsError, match=r"called before with (route_header|allow)=.*uninstrument\(\) in between"):
        lanebaggage.auto_instrument(**second)
    assert _runtime.settings.route_header == "x-lane"


def test_arguments_win_over_a_launcher_that_came_first() -> None:
    """The launcher instruments from the environment; the application's own call then says more."""
    lanebaggage.auto_instrument()
    lanebaggage.auto_instrument(route_header="x-lane", disabled=["threading"])
    assert _runtime.settings.route_header == "x-lane"
    assert [row.status for row in instrumentation.report()["threading"]] == [DISABLED]


@pytest.mark.parametrize(
    ("name", "below"),
    [("fastapi", "starlette"), ("httpx", "httpcore"), ("requests", "http.client"), ("urllib.request", "http.client")],
)
def test_what_is_disabled_but_served_by_another_patch_is_told(caplog: pytest.LogCaptureFixture, name: str, below: str) -> None:
    """Whoever leaves one library out hears of the one below it; once that is named too, there is nothing to tell."""
    lanebaggage.auto_instrument(disabled=[name])
    (row,) = instrumentation.report()[name]
    assert (row.status, row.detail) == (DISABLED, f"by argument, but served by {below}")
    assert [f"{name} is disabled, but served by the patch of {below} all the same" in text for text in caplog.messages] == [
        True
    ]
    lanebaggage.uninstrument()
    caplog.clear()
    lanebaggage.auto_instrument(disabled=[name, below])
    (row,) = instrumentation.report()[name]
    assert row.detail == "by argument"
    assert caplog.messages == []


def test_an_unusable_setting_instruments_nothing() -> None:
    """A mistake is told before anything is touched."""
    for arguments in ({"allow": ["http://x/"]}, {"disabled": ["flsk"]}, {"route_header": "a b"}):
        with pytest.raises(SettingsError):
            lanebaggage.auto_instrument(**arguments)  # type: ignore[arg-type]
        assert _patching._installed == []
        assert list(instrumentation.report()) == []


def test_uninstrument_leaves_no_trace() -> None:
    """Every patched attribute is the identical object again, and nobody waits for imports."""
    import concurrent.futures.thread
    import http.client
    import threading

    owners = (threading.Thread, http.client.HTTPConnection, concurrent.futures.thread.ThreadPoolExecutor)
    before = [dict(vars(owner)) for owner in owners]
    meta_path = list(sys.meta_path)
    lanebaggage.auto_instrument()
    patched = [dict(vars(owner)) for owner in owners]
    assert all(old != new for old, new in zip(before, patched, strict=True))
    lanebaggage.uninstrument()
    for owner, old in zip(owners, before, strict=True):
        assert {name: id(value) for name, value in vars(owner).items()} == {name: id(value) for name, value in old.items()}
    assert sys.meta_path == meta_path


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ("", PATCHED, "through other"),
        ("patch.method(module.Thing, 'go', lambda original, gate: lambda self: original(self))", PATCHED, "lb_fake.Thing.go"),
        ("patch.method(module.Thing, 'gone', lambda original, gate: original)", UNSUPPORTED, "this version has no Thing.gone"),
        ("raise KeyError('x')", FAILED, "KeyError: 'x'"),
    ],
)
def test_the_report_says_what_was_done(monkeypatch: pytest.MonkeyPatch, body: str, status: str, detail: str) -> None:
    """Waiting, then patched, unsupported or failed; never an exception into the import."""
    integration = types.ModuleType("lanebaggage.instrumentation.clients.lb_fake")
    exec(f"def install(module, patch):\n    {body or 'pass'}", integration.__dict__)
    monkeypatch.setitem(sys.modules, integration.__name__, integration)
    library = types.ModuleType("lb_fake")
    library.Thing = type("Thing", (), {"go": lambda self: 1, "__module__": "lb_fake"})  # type: ignore[attr-defined]
    monkeypatch.setattr(instrumentation, "TABLE", (Library("fake", "client", "lb_fake", "clients.lb_fake", through="other"),))
    report = lanebaggage.auto_instrument()
    (row,) = report["fake"]
    assert (row.status, row.detail) == (WAITING, "until lb_fake is imported")
    monkeypatch.setitem(sys.modules, "lb_fake", library)
    lanebaggage.uninstrument()
    report = lanebaggage.auto_instrument()
    (row,) = report["fake"]
    assert (row.status, row.detail) == (status, detail)
    assert str(report).split() == ["fake", "client", status, *detail.split()]


def test_every_row_of_the_table_names_an_integration() -> None:
    """Each integration exists and has an ``install``; none of them imports its library."""
    code = (
        "import sys, importlib\n"
        "from lanebaggage.instrumentation import TABLE\n"
        "for entry in TABLE:\n"
        "    module = importlib.import_module(f'lanebaggage.instrumentation.{entry.integration}')\n"
        "    assert callable(module.install), entry.library\n"
        "roots = {entry.distribution.replace('-', '_') for entry in TABLE if entry.distribution}\n"
        "print(sorted(roots & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_patch_that_fails_leaves_the_call_as_it_was(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever breaks inside of ours, the request goes out unchanged and the server answers."""
    import requests
    import responses
    from flask import Flask

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("inside")

    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "fine")
    lanebaggage.auto_instrument()
    monkeypatch.setattr(_runtime, "policy", types.SimpleNamespace(verdict=broken))
    monkeypatch.setattr(_runtime, "wire", types.SimpleNamespace(from_environ=broken, entered=_runtime.wire.entered))
    with lanebaggage.lane("s2"), responses.RequestsMock() as mock:
        mock.get("http://mockb/", "fine")
        assert requests.get("http://mockb/", timeout=5).text == "fine"
        assert app.test_client().get("/").text == "fine"
    assert sorted(record.args[0] for record in caplog.records if record.name == "lanebaggage") == ["flask", "requests"]  # type: ignore[index]
    assert "inside" not in caplog.text
