"""What the doctor says about libraries, settings, targets and ways of switching on, in the process that asks."""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

import lanebaggage
from lanebaggage import doctor, instrumentation
from lanebaggage._launcher import SITE, hook
from lanebaggage.doctor import inventory
from lanebaggage.doctor import start as doctor_start
from lanebaggage.instrumentation import Library

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "x-asm-prefer-tag"


def test_every_row_of_the_table_has_its_facts() -> None:
    """Each supported library is listed in its role, with version and status, in the table's order."""
    import flask  # noqa: F401 - so that it is patched

    before = doctor.libraries()
    assert [(fact.library, fact.role) for fact in before] == [(entry.library, entry.role) for entry in instrumentation.TABLE]
    assert {fact.status for fact in before} <= {"off", "not installed"}
    lanebaggage.auto_instrument(disabled=["aiohttp"])
    facts = {(fact.library, fact.role): fact for fact in doctor.libraries()}
    assert facts["flask", "server"].status == "patched"
    assert facts["flask", "server"].detail == "flask.app.Flask.__call__"
    assert facts["aiohttp", "client"][3:] == ("disabled", "by argument")
    assert facts["http.client", "client"].version == "standard library"


def test_a_server_that_no_package_brought_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of uWSGI's own program, which is no Python package, uWSGI is patched, and its version not known."""
    uwsgi = types.ModuleType("uwsgi")
    uwsgi.opt = {"module": b"no_such_application"}  # type: ignore[attr-defined] # as uWSGI's module has it
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    monkeypatch.setattr(inventory, "_version", lambda entry: None)
    lanebaggage.auto_instrument()
    facts = list(zip(instrumentation.TABLE, doctor.libraries(), strict=True))
    assert [fact[2:] for entry, fact in facts if entry.library == "uwsgi"] == [
        ("no package", "patched", "through the application's module")
    ]
    absent = [fact for entry, fact in facts if not any(name in sys.modules for name in entry.modules)]
    assert {fact.status for fact in absent} == {"not installed"}


@pytest.mark.parametrize(
    ("library", "status"),
    [
        (Library("gone", "client", "gone", "clients.requests", distribution="no-such-distribution"), "not installed"),
        (Library("broken", "client", "lb_broken", "clients.requests"), "waiting"),
        (Library("odd", "client", "wsgiref.util", "clients.requests"), "failed"),
    ],
)
def test_what_is_wrong_with_a_library_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library: Library, status: str
) -> None:
    """A library that is absent, cannot be imported, or cannot be patched, says which it is."""
    (tmp_path / "lb_broken.py").write_text("raise SystemExit('needs a licence')")
    monkeypatch.syspath_prepend(tmp_path)
    for module in (instrumentation, inventory):
        monkeypatch.setattr(module, "TABLE", (library,))
    lanebaggage.auto_instrument()
    failures = doctor.import_installed()
    assert [fact.status for fact in doctor.libraries()] == [status]
    assert failures == ({"broken": "SystemExit: needs a licence"} if library.library == "broken" else {})


def test_settings_have_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is listed with its value and where that came from."""
    monkeypatch.setenv("LANEBAGGAGE_ALLOW", "b.example,a.example")
    lanebaggage.auto_instrument(preset="okteto", edge=True)
    facts = {fact.name: fact for fact in doctor.settings()}
    assert facts["mode"].value == "baggage"
    assert facts["allow"][1:] == (["a.example", "b.example"], "LANEBAGGAGE_ALLOW")
    assert facts["route_header"][1:] == ("okteto-divert", "preset okteto")
    assert facts["edge"][1:] == (True, "argument")
    assert facts["lanes"][1:] == (None, "default")


@pytest.mark.parametrize(
    ("url", "sent", "reason", "fix"),
    [
        ("http://mockb:8000/a", True, "single-label name", ""),
        ("mockb", True, "single-label name", ""),
        ("http://10.0.0.7/", True, "in 10.0.0.0/8, which allow names", ""),
        ("https://api.partner.example/", False, "not a host of the mesh", "LANEBAGGAGE_ALLOW=api.partner.example"),
        ("api.partner.example:443", False, "not a host of the mesh", "LANEBAGGAGE_ALLOW=api.partner.example"),
        ("[::1]:8000", True, "loopback", ""),
        ("[::1", True, "loopback", ""),
        ("http://169.254.169.254/", False, "link-local or metadata service, never allowed", ""),
        ("http://", False, "no host", ""),
        ("http://a b/", False, "not a host name", ""),
    ],
)
def test_a_target_says_what_it_gets_and_why(url: str, sent: bool, reason: str, fix: str) -> None:
    """What a URL would be sent, why, and what to set where it gets nothing and may."""
    lanebaggage.auto_instrument(allow=["10.0.0.0/8"], trace_header="my-trace-id")
    facts = doctor.target(url, "s2")
    assert (facts.sent, facts.reason) == (sent, reason)
    assert fix in facts.fix
    assert bool(facts.fix) == bool(fix)
    assert facts.headers == ([(HEADER, "s2"), ("my-trace-id", "the value that arrived")] if sent else [])


def test_ways_of_switching_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The launcher's directory, the hook with its variable, and OpenTelemetry's launcher are each recognised."""
    from opentelemetry.instrumentation import auto_instrumentation

    def works() -> dict[str, bool]:
        return {way.name: way.works for way in doctor.ways()}

    monkeypatch.setattr(doctor_start.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert works() == {"launcher": False, "hook": False, "opentelemetry": False}
    hook.install(tmp_path)
    assert works()["hook"] is False
    monkeypatch.setenv("LANEBAGGAGE_AUTO", "perhaps")
    assert works()["hook"] is False
    monkeypatch.setenv("LANEBAGGAGE_AUTO", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["a", SITE, os.path.dirname(auto_instrumentation.__file__)]))  # noqa: PTH120
    assert works() == {"launcher": True, "hook": True, "opentelemetry": True}


def test_a_service_reports_plain_data() -> None:
    """What the debug path answers is JSON, whatever the settings are."""
    import json

    lanebaggage.auto_instrument(lanes=["s2"], pass_through=["x-a"], disabled=["requests"])
    data: Any = json.loads(json.dumps(doctor.in_service()))
    assert set(data) == {"lanebaggage", "python", "settings", "libraries", "stats"}
