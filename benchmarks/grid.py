"""A table of figures: on the terminal, and in Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table


@dataclass
class Grid:
    """A table; columns that hold figures stand to the right."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def shown(self, title: str) -> Table:
        """For the terminal."""
        table = Table(title=title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if self._holds_figures(number) else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        return table

    def markdown(self) -> list[str]:
        """Lines for a page."""
        ruler = tuple("---:" if self._holds_figures(number) else "---" for number in range(len(self.columns)))
        return [f"| {' | '.join(row)} |" for row in (self.columns, ruler, *self.rows)]

    def _holds_figures(self, number: int) -> bool:
        cells = [row[number].lstrip("+-x ") for row in self.rows if row[number]]
        return bool(cells) and all(cell[:1].isdigit() for cell in cells)
