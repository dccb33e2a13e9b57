"""What the runners of foreign suites share: entering a lane, and writing down what came out."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

MODE = os.environ["UPSTREAM_MODE"]
_outcomes: dict[str, str] = {}
_failures: set[str] = set()


def watch() -> None:
    """Learn of each failure of ours; the launcher has switched lanebaggage on, or not."""
    if MODE == "off":
        return
    import lanebaggage
    from lanebaggage.instrumentation._patching import Gate

    assert list(lanebaggage.instrumentation.report()), "the launcher has not switched lanebaggage on"
    failed = Gate.failed

    def noted(self: Gate) -> None:
        kind, value, traceback = sys.exc_info()
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        place = "?" if traceback is None else f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
        _failures.add(f"{self.library}: {getattr(kind, '__name__', kind)} at {place}: {value}")
        failed(self)

    Gate.failed = noted  # type: ignore[method-assign]


def entered() -> AbstractContextManager[Any]:
    """The lane that a test runs in."""
    if MODE != "lane":
        return nullcontext()
    import lanebaggage

    return lanebaggage.lane("s2")


def note(test: str, outcome: str) -> None:
    """Write down an outcome; an error in set-up or tear-down outweighs what the test itself gave."""
    test = re.sub(r"0x[0-9a-f]{6,}", "0x", test)
    if _outcomes.get(test) not in ("error", "failed"):
        _outcomes[test] = outcome


def write() -> None:
    """Hand everything to ``run.py``."""
    results = {"outcomes": _outcomes, "failures": sorted(_failures)}
    path = Path(os.environ["UPSTREAM_RESULTS"])
    path.with_suffix(".part").write_text(json.dumps(results), encoding="utf-8")
    path.with_suffix(".part").rename(path)  # whole, since run.py looks whether it is there
