"""The ``lanebaggage`` command. ``run`` is handed over before anything else is imported, so that services start fast."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line in ``sys.argv``."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"] and arguments[1:2] not in (["--help"], ["-h"]) and "_LANEBAGGAGE_COMPLETE" not in os.environ:
        from ._launcher import run

        sys.exit(run(arguments[1:]))
    from ._cli import lanebaggage

    lanebaggage(prog_name="lanebaggage")
