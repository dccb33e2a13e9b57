"""What is added to answers where a setting asks for it, by each server that serves a bare callable: header and debug path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.recorder import recording
from support.server_processes import PROCESSES

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "x-asm-prefer-tag"
SETTINGS = {"LANEBAGGAGE_RESPONSE_HEADER": "x-lane", "LANEBAGGAGE_DEBUG_PATH": "/debug/lanebaggage"}


@pytest.mark.parametrize("name", [name for name, process in PROCESSES.items() if process.app != "rsgi"])  # Rust answers there
def test_a_bare_callables_answers(name: str, tmp_path: Path) -> None:
    """An answer tells the lane that it was made in, once; one made in none does not; the debug path reports on the process."""
    with recording() as downstream, PROCESSES[name].running(tmp_path, downstream.port, **SETTINGS) as served:
        found = []
        for path, lane in (("/bare", "s2"), ("/framework", "s3"), ("/bare", None), ("/debug/lanebaggage", None)):
            connection = served.connect()
            connection.request("GET", path, headers={HEADER: lane} if lane else {})
            answer = connection.getresponse()
            body = answer.read()
            found.append((answer.status, answer.headers.get_all("x-lane"), body))
            connection.close()
        assert len(downstream.requests) == 3
    log = served.log.read_text()
    assert [one[:2] for one in found] == [(200, ["s2"]), (200, ["by-hand"]), (200, None), (200, None)], log
    assert json.loads(found[3][2])["stats"]["failed"] == 0, log
