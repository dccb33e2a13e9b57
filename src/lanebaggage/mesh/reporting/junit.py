"""The lane report as JUnit XML: a suite per file, a case per test, lost lanes as failures, and every call drawn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from .reading import EXPECTED, is_bad, lost_in, lost_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    Data = dict[str, Any]

_LEFT_OUT: Final = ("skipped", EXPECTED)
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, escaped or not (section 2.2)."""


def junit(document: Data) -> str:
    """The report as JUnit XML."""
    files: dict[str, list[Data]] = {}
    for test in document["tests"]:
        files.setdefault(test["nodeid"].partition("::")[0], []).append(test)
    root = ET.Element("testsuites", {"name": "lane report", **_counts(document["tests"])})
    for file, tests in files.items():
        suite = ET.SubElement(root, "testsuite", {"name": _legal(file), **_counts(tests), "timestamp": document["created"]})
        for test in tests:
            _case(suite, file, test)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, file: str, test: Data) -> None:
    *classes, name = test["nodeid"].removeprefix(file).removeprefix("::").split("::") or [file]
    classname = ".".join((file.removesuffix(".py").replace("/", "."), *classes))
    found = {"classname": classname, "name": name or file, "time": f"{test['duration']:.3f}"}
    case = ET.SubElement(suite, "testcase", {key: _legal(value) for key, value in found.items()})
    if is_bad(test):
        lost = lost_in(test)
        first = (
            f"lane lost at {lost[0]['service']}" if lost else (test["message"] or test["outcome"]).strip().partition("\n")[0]
        )
        kind = "error" if test["outcome"] == "error" else "failure"
        failure = ET.SubElement(case, kind, {"message": _legal(first), "type": "lane lost" if lost else test["outcome"]})
        parts = [test["message"].strip()]
        parts += [f"{lost_words(hop)}\ncause: {hop['lost']['cause']}\nfix:   {hop['lost']['fix']}" for hop in lost]
        failure.text = _legal("\n\n".join(filter(None, parts)))
    elif test["outcome"] in _LEFT_OUT:
        ET.SubElement(case, "skipped", {"message": _legal(test["message"])})
    drawn = [call["drawn"] or f"{call['title']}: too many hops to draw" for call in test["calls"]]
    if test["left_out"]:
        drawn.insert(0, f"{test['left_out']} calls are left out")
    if drawn:
        ET.SubElement(case, "system-out").text = _legal("\n".join(drawn))


def _counts(tests: list[Data]) -> Mapping[str, str]:
    errors = sum(test["outcome"] == "error" for test in tests)
    return {
        "tests": str(len(tests)),
        "failures": str(sum(map(is_bad, tests)) - errors),
        "errors": str(errors),
        "skipped": str(sum(test["outcome"] in _LEFT_OUT for test in tests)),
        "time": f"{sum(test['duration'] for test in tests):.3f}",
    }


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
