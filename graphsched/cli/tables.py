"""Tables on a screen: names are no markup, and numbers are never cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

BORDER = 3  # columns between two cells


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: in the first column.
        cells: in the others.
        style: of the row.
    """

    name: str
    cells: Sequence[str | Text]
    style: str = ""


def bold(words: str, whether: bool = True) -> Text:
    """The words, bold or not."""
    return Text(words, "bold" if whether else "")


def new_table(title: str, columns: Sequence[str]) -> Table:
    """The first column is of names, which are folded; the others are of numbers."""
    table = Table(title=Text(title, "italic"), title_justify="left")
    for i, column in enumerate(columns):
        justify, head = "right" if i else "left", escape(column)
        table.add_column(head, justify=justify, overflow="fold", no_wrap=False)  # type: ignore[arg-type]
    return table


def fitting_tables(
    title: str, columns: Sequence[str], rows: Sequence[Row], width: int
) -> list[Table]:
    """In as many tables as it takes to keep heads and numbers whole.

    Args:
        title: of each.
        columns: heads; the first is that of the rows' names.
        rows: of the table.
        width: of the screen, columns.
    """
    widths = [
        max(len(column), *(len(row.cells[i]) for row in rows), 0) + BORDER
        for i, column in enumerate(columns[1:])
    ]
    names = min(max(len(columns[0]), *(len(row.name) for row in rows), 0), width // 2)
    out = []
    for part in _parts(widths, width - names - 2 * BORDER):
        table = new_table(title, (columns[0], *columns[1:][part]))
        for row in rows:
            cells = [escape(c) if isinstance(c, str) else c for c in row.cells[part]]
            table.add_row(escape(row.name), *cells, style=row.style)
        out.append(table)
    return out


def _parts(widths: Sequence[int], room: int) -> list[slice]:
    """Slices of neighbours that fit the room together, one at least in each."""
    out: list[slice] = []
    first = 0
    for i in range(len(widths)):
        if i > first and sum(widths[first : i + 1]) > room:
            out.append(slice(first, i))
            first = i
    return [*out, slice(first, len(widths))] if widths else []
