"""The example suites, as a user runs them: the tutorial's and the recipes'."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.brokers import REQUIRED

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("suite", ["lane_test", "recipes"])
def test_an_example_suite_passes(suite: str) -> None:
    """It passes with nothing left out; what this machine lacks is named, and is a failure where it must be there."""
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", str(EXAMPLES / suite)]
    environ = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = [line.partition("] ")[2] for line in done.stdout.splitlines() if line.startswith("SKIPPED [")]
    if skipped:
        (pytest.fail if REQUIRED else pytest.skip)("; ".join(skipped))
