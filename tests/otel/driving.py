"""Runs ``driver.py``: a service in a process of its own, beside whatever the steps set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEADER = "x-asm-prefer-tag"


def drive(stack: str, steps: str, env: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
    """What a service of this stack had on the wire, after these steps in this order."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANEBAGGAGE_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", HERE / "driver.py", stack, steps, json.dumps(options)],
        env={**kept, "PYTHONPATH": str(HERE.parent), "NO_PROXY": "*", **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for trouble in ("lanebaggage", "Failed to detach", "Traceback"):
        assert trouble not in done.stderr, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def values(result: dict[str, Any], name: str) -> list[list[str]]:
    return [[value for key, value in headers if key == name] for headers in result["received"]]
