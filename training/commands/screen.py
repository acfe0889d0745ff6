"""What commands show in the terminal while they work and when they are done."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from graphsched.eval.findings import headline
from graphsched.eval.tables import gap_table, metrics_table, time_table
from graphsched.eval.view import View
from graphsched.training.progress import Drawn

STYLES = {
    "policy": "bold blue",
    "heuristic": "cyan",
    "search": "magenta",
    "rule": "",
    "exact": "yellow",
}
FEW = 6  # groups whose further measures are printed; a report has them all
WIDE = 220  # columns where the output is no terminal: nothing must be cut off


class Bar(Drawn):
    """A progress bar on the standard error stream, removed when it is done."""

    def __init__(self, title: str, total: int) -> None:
        """Args: title: before the bar. total: number of steps."""
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn(f"[bold]{title}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)

    def advance(self, words: str) -> None:
        """One step is done; ``words`` tell which."""
        self._bar.update(self._task, advance=1, description=words)


def wide_console() -> Console:
    """For tables; wide where the output isn't a terminal, so that nothing is cut off."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def _print_metrics(view: View, console: Console) -> None:
    metrics = metrics_table(view)
    if not metrics["rows"]:
        return
    table = Table(title="other measures, means over instances", title_justify="left")
    for column in ("group", "solver", *metrics["columns"]):
        table.add_column(column, justify="left" if column in ("group", "solver") else "right")
    few = len(view.groups) <= FEW
    for row in (row for row in metrics["rows"] if few or row["group"] == "all"):
        table.add_row(row["group"], row["name"], *row["cells"], style=STYLES[row["kind"]])
    console.print(table)


def print_summary(document: dict[str, Any]) -> None:
    """Mean gaps by group and the time per instance as a table, and the answer in a sentence."""
    view = View(document)
    gaps, times = gap_table(view), time_table(view)
    console = wide_console()
    title = f"{document['domain']}: mean gap % over {document['instances']} instances"
    table = Table(title=title, title_justify="left")
    table.add_column("solver", no_wrap=True)
    table.add_column("95% interval", justify="right", no_wrap=True)
    for column in gaps["columns"]:
        table.add_column(column["name"], justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for row, time in zip(gaps["rows"], times["rows"], strict=True):
        cells = [f"[bold]{c['gap']}[/]" if c["best"] else c["gap"] for c in row["cells"]]
        words = [row["name"], row["cells"][0]["interval"], *cells, time["cells"][0]]
        table.add_row(*words, style=STYLES[row["kind"]])
    console.print(table)
    _print_metrics(view, console)
    answer = headline(view)
    console.print(f"{answer.text[:1].upper()}{answer.text[1:]}.", markup=False, highlight=False)
    if answer.detail:
        console.print(f"({answer.detail})", markup=False, highlight=False, soft_wrap=True)
