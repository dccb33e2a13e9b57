"""What becomes of a test with a mesh: it fails where a lane was lost, its calls are drawn, and go into the lane report."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from .._errors import LanebaggageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..mesh import Mesh
    from ..mesh.hops import Call, Hop
    from ..mesh.reporting import LaneReport

MESH: Final = pytest.StashKey["Mesh"]()
"""The mesh of a test, from its set-up to its end."""

_LOST: Final = pytest.StashKey[set[str]]()
"""Ids of the hops that a test has failed for already; absent where it did not come so far."""

_SHOWN: Final = 5
"""Calls that a failed test's report draws, the latest ones."""

_PICTURE: Final = "lane_picture"
"""Attribute of a test's report, which takes it from a worker of pytest-xdist to where the lane report is written."""


@contextmanager
def sentences() -> Iterator[None]:
    """Have an error of ours end a test as the sentence that it is, without a traceback."""
    try:
        yield
    except LanebaggageError as error:
        pytest.fail(str(error), pytrace=False)


def began(item: pytest.Item, mesh: Mesh) -> None:
    """A test has got a mesh."""
    item.stash[MESH] = mesh


def called(item: pytest.Item) -> None:
    """Fail a test that has passed, but in which a lane was lost.

    :raises pytest.fail.Exception: one was.
    """
    mesh = item.stash.get(MESH, None)
    if mesh is None:
        return
    lost = mesh.lost
    item.stash[_LOST] = {hop.id for hop in lost}
    _fail(mesh, lost)


def ended(item: pytest.Item, mesh: Mesh) -> None:
    """Fail the end of a test whose background work lost a lane after the test had passed.

    :raises pytest.fail.Exception: it did.
    """
    seen = item.stash.get(_LOST, None)
    if seen is not None:
        _fail(mesh, [hop for hop in mesh.lost if hop.id not in seen])


def describe(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Add the drawn calls of a failed test to its report, and what the lane report needs."""
    mesh = item.stash.get(MESH, None)
    if mesh is None:
        return
    if item.config.getoption("--lane-report") and (report.when == "call" or report.failed):
        from ..mesh.reporting import snapshot

        setattr(report, _PICTURE, snapshot(mesh))
    if report.failed and report.when == "call" and mesh.calls and not _has_trees(item, call):
        report.sections.append(("Calls through the lane mesh", _section(mesh)))


def compared(left: Any, right: Any) -> list[str] | None:
    """How a path differs from the expected one, where one of the two is a call's path."""
    hops = sys.modules.get("lanebaggage.mesh.hops")
    if hops is None or not (isinstance(left, hops.Path) or isinstance(right, hops.Path)):
        return None
    from ..mesh.asserting import differences

    path, wanted = (left, right) if isinstance(left, hops.Path) else (right, left)
    try:
        return differences(path, wanted)
    except (TypeError, ValueError):  # compared with what is no path
        return None


# --- the lane report


def configure(config: pytest.Config) -> None:
    """Start the lane report if one is wanted.

    :raises pytest.UsageError: it cannot be written in that form.
    """
    targets = config.getoption("--lane-report")
    if not targets or hasattr(config, "workerinput"):
        return
    from ..mesh.reporting import LaneReport, check

    try:
        for target in targets:
            check(target)
    except LanebaggageError as error:
        raise pytest.UsageError(f"--lane-report: {error}") from error
    config.pluginmanager.register(_Reporting(LaneReport(), targets), "lanebaggage-report")


class _Reporting:
    """Collects the pictures of all tests, and writes the lane report at the end.

    :param report: that is written.
    :param targets: where to, as they were asked for.
    """

    def __init__(self, report: LaneReport, targets: list[str]) -> None:
        self._report = report
        self._targets = targets
        self._tests: dict[str, tuple[str, float, Any, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a test's picture, by its worst outcome."""
        picture = getattr(report, _PICTURE, None)
        if picture is not None:
            outcome: str = report.outcome if report.when == "call" else "error"
            if hasattr(report, "wasxfail"):
                outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
            message = report.longreprtext if report.failed else ""
            self._tests[report.nodeid] = (outcome, report.duration, picture, message)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write the report, and say where it is."""
        for nodeid, (outcome, duration, picture, message) in self._tests.items():
            self._report.add(nodeid, outcome, duration, picture, message=message)
        for target in self._targets:
            try:
                terminalreporter.write_line(f"lane report: {self._report.write(target)}")
            except LanebaggageError as error:
                terminalreporter.write_line(f"lane report: {error}", red=True)


# --- inside


def _fail(mesh: Mesh, lost: list[Hop]) -> None:
    if lost:
        first = lost[0]
        lane = first.parent.lane if first.parent is not None else None
        lines = [f"lane {lane} was lost at {first.service}; mesh.allow_lost({first.service!r}) permits it"]
        pytest.fail("\n".join((*lines, *_drawn(mesh, dict.fromkeys(hop.call for hop in lost)))), pytrace=False)


def _section(mesh: Mesh) -> str:
    try:
        return "\n".join(_drawn(mesh, mesh.calls[-_SHOWN:]))
    except Exception as error:  # an error in a hook would end the whole session
        return f"the calls cannot be drawn: {error!r}"


def _drawn(mesh: Mesh, calls: Iterable[Call]) -> list[str]:
    from ..mesh.report import explained

    return [explained(call, mesh.topology) for call in list(calls)[-_SHOWN:]]


def _has_trees(item: pytest.Item, call: pytest.CallInfo[None]) -> bool:
    """Whether the failure itself shows the calls: that of a lost lane, or of one of the mesh's assertions."""
    from ..mesh.asserting import LaneAssertionError

    return bool(item.stash.get(_LOST, None)) or (call.excinfo is not None and call.excinfo.errisinstance(LaneAssertionError))
