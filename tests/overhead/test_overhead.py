"""Runs the counts in a process of their own: what other tests have imported and done changes what a hop goes through.

requests' hops, say, are looked at more closely for ever once one of them went to a mock.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("module", ["calls", "scale"])
def test_the_counts_hold(module: str) -> None:
    """See the tests in calls.py and scale.py, which ran."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / f"{module}.py")]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
