"""Under ddtrace's launcher and ours, whichever of the two starts the other: both are on, and the lane goes out once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.recorder import recording

from .test_neighbours import NEIGHBOURS

PROGRAM = """
import os, requests, lanebaggage
with lanebaggage.lane("s2"):
    requests.get(os.environ["UPSTREAM"])
"""


@pytest.mark.parametrize("launchers", ["lanebaggage run -- ddtrace-run", "ddtrace-run lanebaggage run --"])
def test_both_launchers(launchers: str) -> None:
    """Each puts a sitecustomize in front of the other's and runs it; the tracer's header is there once, too."""
    own, env = NEIGHBOURS["ddtrace"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DD_", "LANEBAGGAGE_"))}
    with recording() as upstream:
        done = subprocess.run(
            [*launchers.split(), sys.executable, "-c", PROGRAM],
            env={
                **kept,
                **env,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
                "NO_PROXY": "*",
                "UPSTREAM": upstream.url(),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert upstream.values() == [["s2"]], done.stderr
    assert [len(values) for values in upstream.values(own)] == [1]
