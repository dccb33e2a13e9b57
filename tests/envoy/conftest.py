"""What the tests of the Envoy configuration share: Envoy's own judgement of it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from lanebaggage.mesh.envoy_process import find_envoy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def validate(tmp_path: Path) -> Callable[[dict], None]:
    """Have Envoy check a bootstrap, with all that it says where it does not like it."""

    def check(bootstrap: dict) -> None:
        path = tmp_path / "envoy.json"
        path.write_text(json.dumps(bootstrap))
        command = [str(find_envoy()), "-c", str(path), "--mode", "validate", "-l", "warning"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "OK" not in line and line.strip()]
        assert done.returncode == 0, "\n".join(said)[:2000]
        assert not said, said

    return check
