"""pytest plugin for foreign suites: puts every test into the lane of the mode, and notes each outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import upstream_modes

if TYPE_CHECKING:
    from collections.abc import Generator

upstream_modes.watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    with upstream_modes.entered():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    context = getattr(getattr(item, "instance", None), "_asyncioTestContext", None)  # of unittest, made at collection
    if context is not None:
        context.run(upstream_modes.entered().__enter__)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        outcome = "error" if report.when != "call" and report.failed else report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xpassed" if report.outcome == "passed" else "xfailed"
        upstream_modes.note(report.nodeid, outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome != "passed":
        upstream_modes.note(report.nodeid, "error" if report.failed else "skipped")


def pytest_sessionfinish() -> None:
    upstream_modes.write()
