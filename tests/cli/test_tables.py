"""Whatever the screen's width, no number of a table is cut; names are no markup."""

from __future__ import annotations

import pytest
from rich.console import Console

from graphsched.cli.tables import Row, bold, fitting_tables


@pytest.mark.parametrize("width", [40, 60, 80, 220])
def test_numbers_of_thirty_columns_are_whole(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["solver", *(f"group {i}" for i in range(30))]
    rows = [Row("a rather long name of a solver", [f"{1000 * i + 7.25:.2f}" for i in range(30)])]
    console = Console(width=width)
    for table in fitting_tables("costs", columns, rows, width):
        console.print(table)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    for i in range(30):
        assert f"{1000 * i + 7.25:.2f}" in shown
        assert f"group {i}" in shown


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["[red]a[/red]", "[/]", "b[bold]"]
    console = Console(width=100)
    rows = [Row(name, [name, bold(name)]) for name in names]
    for table in fitting_tables("[/title]", ["[i]", "[/x]", "[link=y]"], rows, 100):
        console.print(table)
    shown = capsys.readouterr().out
    assert all(shown.count(name) == 3 for name in names[::2])
    assert all(word in shown for word in ("[/title]", "[i]", "[/x]", "[link=y]", "[/]"))
