"""What was measured, as a table on the terminal and as docs/performance.md and its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from .case import CASES

if TYPE_CHECKING:
    from .case import Case

    Results = dict[str, dict[str, dict[str, float]]]


def line(case: Case, figures: dict[str, dict[str, float]]) -> str:
    """One case in short: what each configuration adds."""
    added = (f"{name} +{values['added']:.2f}" for name, values in figures.items() if "added" in values)
    return f"{case.name:24}{figures['none']['median']:8.1f} us  {'  '.join(added)}"


def table(results: Results) -> Table:
    """All figures, for the terminal."""
    shown = Table("case", "configuration")
    for title in ("median us", "IQR", "added us", "IQR", "same process", "ratio"):
        shown.add_column(title, justify="right")
    for name, figures in results.items():
        for configuration, values in figures.items():
            shown.add_row(
                CASES[name].what if configuration == "none" else "",
                configuration,
                f"{values['median']:.2f}",
                f"{values['low']:.2f}-{values['high']:.2f}",
                f"{values['added']:+.2f}" if "added" in values else "",
                f"{values['added_low']:+.2f}..{values['added_high']:+.2f}" if "added" in values else "",
                f"{values['added_here']:+.2f}" if "added_here" in values else "",
                f"{values['ratio']:.2f}" if "ratio" in values else "",
                end_section=configuration == list(figures)[-1],
            )
    return shown
