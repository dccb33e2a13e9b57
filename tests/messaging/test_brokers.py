"""A machine without a broker: its tests are left out and named, or fail where brokers are required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROGRAM = """
import sys
import pytest
from support import brokers
brokers.shutil.which = lambda name: None
sys.exit(pytest.main(["-q", "-p", "support.brokers", "-p", "no:cacheprovider", "--rootdir", sys.argv[1], sys.argv[1]]))
"""


@pytest.mark.parametrize("required", [False, True])
def test_machine_without_redis(tmp_path: Path, required: bool) -> None:
    """The end of the run says how many tests were left out and what would bring them; required brokers are a failure."""
    (tmp_path / "test_it.py").write_text("def test_one(redis): pass\ndef test_two(redis): pass\ndef test_other(): pass\n")
    environ = {**os.environ, "PYTHONPATH": str(TESTS), "LANEBAGGAGE_REQUIRE_BROKERS": "1" if required else ""}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    if required:
        assert "Redis is not installed here; apt-get install redis-server (LANEBAGGAGE_REQUIRE_BROKERS=1)" in done.stdout
        assert "2 errors" in done.stdout
        assert done.returncode == 1
    else:
        assert "left out: 2 tests of Redis (test_it.py); apt-get install redis-server" in done.stdout
        assert done.returncode == 0
