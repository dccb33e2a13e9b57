"""After uninstrument() every patched attribute of every client library is the very object that it was."""

from __future__ import annotations

import importlib
from typing import Any

import lanebaggage
from lanebaggage.instrumentation import PATCHED, TABLE, _patching

ABSENT = object()
CLIENTS = [
    entry for entry in TABLE if entry.role == "client" and entry.library not in ("niquests", "urllib3-future", "elsewhere")
]


def held(patches: list[tuple[Any, str]]) -> list[Any]:
    return [vars(owner).get(name, ABSENT) for owner, name in patches]


def test_every_attribute_is_what_it_was() -> None:
    """All client libraries at once: patched, then identical (``is``) to before."""
    for entry in CLIENTS:
        for module in entry.modules:
            importlib.import_module(module)
    report = lanebaggage.auto_instrument()
    for entry in CLIENTS:
        assert [row.status for row in report[entry.library] if row.role == "client"] == [PATCHED], entry.library
    patches = [(patch.owner, patch.name) for patch in _patching._installed]
    assert {patch.gate.library for patch in _patching._installed} >= {entry.library for entry in CLIENTS if not entry.through}
    lanebaggage.uninstrument()
    before = held(patches)

    lanebaggage.auto_instrument()
    during = held(patches)
    assert all(now is not was for now, was in zip(during, before, strict=True))
    lanebaggage.uninstrument()
    assert all(now is was for now, was in zip(held(patches), before, strict=True))


def test_none_of_them_was_ours_before() -> None:
    """What is put back is not a replacement that an earlier run left behind."""
    lanebaggage.auto_instrument()
    found = [patch.found for patch in _patching._installed]
    lanebaggage.uninstrument()
    ours = [function for function in found if getattr(function, "__module__", "").startswith("lanebaggage")]
    assert ours == []
