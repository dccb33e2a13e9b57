"""What every command's help has: examples, printed as they are written."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """An ``epilog`` of examples, which click would otherwise fill into a paragraph."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
