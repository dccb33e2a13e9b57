"""The ``lanebaggage`` command. ``run`` is handed over before anything else is imported, so that services start fast."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line in ``sys.argv``."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"] and "_LANEBAGGAGE_COMPLETE" not in os.environ:
        from ._launcher import run
        from ._launcher.options import HelpAsked

        try:
            sys.exit(run(arguments[1:]))
        except HelpAsked:
            sys.argv[1:] = ["run", "--help"]
    from ._cli import lanebaggage

    lanebaggage(prog_name="lanebaggage")
