"""Test runner for Django's own suite: the same as the pytest plugin, for unittest."""

from __future__ import annotations

import unittest
from typing import Any

import upstream_modes
from django.test.runner import DiscoverRunner


class Result(unittest.TextTestResult):
    """Notes each outcome."""

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        upstream_modes.note(test.id(), "passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        upstream_modes.note(test.id(), "skipped")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        upstream_modes.note(test.id(), "failed")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        upstream_modes.note(test.id(), "error")

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            upstream_modes.note(test.id(), "failed")

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        upstream_modes.note(test.id(), "xfailed")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        upstream_modes.note(test.id(), "xpassed")


class Runner(DiscoverRunner):  # type: ignore[misc] # Django has no types
    """Runs the tests in the mode's lane."""

    def get_resultclass(self) -> type[unittest.TextTestResult]:
        return Result

    def run_suite(self, suite: unittest.TestSuite, **kwargs: Any) -> Any:
        with upstream_modes.entered():
            result = super().run_suite(suite, **kwargs)
        upstream_modes.write()
        return result
