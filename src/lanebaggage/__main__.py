"""``python -m lanebaggage``: the command line, where no console script is on the path."""

from __future__ import annotations

from .cli import main

main()
