"""What commands show in the terminal while they work and when they are done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from graphsched.cli.tables import Row, bold, fitting_tables, new_table
from graphsched.eval.judging.findings import headline
from graphsched.eval.judging.verdicts import verdict
from graphsched.eval.judging.view import View
from graphsched.eval.judging.wording import DASH, count, duration, interval, number, sentence
from graphsched.eval.report.tables import metrics_table, shift_table, time_limit_table
from graphsched.training.running.progress import Drawn

if TYPE_CHECKING:
    from rich.table import Table

STYLES = {
    "policy": "bold blue",
    "heuristic": "cyan",
    "rule": "",
    "search": "magenta",
    "exact": "yellow",
}
_TONES = {"good": "green", "bad": "red", "even": "", "plain": "dim"}
WIDE = 220  # columns where the output is no terminal: names are kept whole


class Bar(Drawn):
    """A progress bar on the standard error stream, removed when it is done."""

    def __init__(self, title: str, total: int) -> None:
        """Args: title: before the bar. total: number of steps."""
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("[bold]{task.fields[title]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total, title=escape(title))

    def advance(self, words: str) -> None:
        """One step is done; ``words`` tell which."""
        self._bar.update(self._task, advance=1, description=words)


class _Output(Console):
    """The output, of which a reader that leaves is what it is for everything printed there."""

    def on_broken_pipe(self) -> None:
        """Called where a BrokenPipeError is handled; rich's own would end with status 1."""
        raise


def wide_console() -> Console:
    """As wide as the terminal; wide where the output is none, so that nothing is cut off."""
    console = _Output()
    return console if console.is_terminal else _Output(width=WIDE)


def _solver_table(view: View) -> Table:
    """The five columns that matter; a report has the rest.

    The difference is that of each solver to the first policy, marked by what may be said of it.
    """
    policy = view.learned[0]["name"] if view.learned else None
    measure, amount = view.measure, view.document["instances"]
    title = f"{view.document['domain']}: {measure.axis}, over {count(amount, 'instance')}"
    last = f"vs {policy}" if policy else "instances"
    table = new_table(title, ("solver", "mean", "95% interval", "time", last))
    best = view.mean(view.names[0])
    for name in view.names:
        found = view.summary(name)
        if found is None:
            continue
        mean = number(found["mean"])
        shown = bold(mean, found["mean"] == best)
        wide = interval(found["ci_low"], found["ci_high"]) if found["n"] > 1 else DASH
        end = _difference(view, policy, name) if policy else str(found["n"])
        words = (escape(name), shown, wide, duration(found["mean_seconds"]), end)
        table.add_row(*words, style=STYLES[view.kind[name]])
    return table


MARKS = {"better": " +", "worse": " -", "maybe better": " (+)", "maybe worse": " (-)"}
KEY = (
    "Last column: mean minus the policy's. + the policy is better, - worse; in brackets: "
    "only uncorrected for the number of comparisons; no mark: can't be told."
)


def _difference(view: View, policy: str, other: str) -> str:
    found = view.versus(policy, other)
    if found is None or found["mean_diff"] is None:
        return DASH
    return number(-found["mean_diff"]) + MARKS.get(verdict(found), "")


def _limit_tables(view: View, width: int) -> list[Table]:
    """Means by base and time limit, the best of each column bold."""
    limits = time_limit_table(view)
    rows = [
        Row(row["name"], [bold(c["mean"], c["best"]) for c in row["cells"]], STYLES[row["kind"]])
        for row in limits["rows"]
    ]
    title = f"{view.measure.axis}, by processor time"
    return fitting_tables(title, ["base", *limits["columns"]], rows, width)


def _metrics_tables(view: View, width: int) -> list[Table]:
    """The further measures over all instances."""
    metrics = metrics_table(view)
    rows = [
        Row(row["name"], row["cells"], STYLES[row["kind"]])
        for row in metrics["rows"]
        if row["group"] == "all"
    ]
    title = "other measures, means over instances"
    return fitting_tables(title, ["solver", *metrics["columns"]], rows, width)


def _shift_tables(view: View) -> list[Table]:
    """For each that a suite judges, a row of each shift against its strongest rival."""
    out = []
    for part in shift_table(view):
        title = f"suite {view.document['suite']}: {view.measure.axis}, where {part['policy']} helps"
        columns = ("shift", "n", part["policy"], "strongest rival", "its", "difference", "verdict")
        table = new_table(title, columns)
        for row in part["rows"]:
            ends = f"{row['difference']} ({row['interval']})"
            cells = (row["ours"], escape(row["rival"]), row["theirs"], ends, row["verdict"])
            table.add_row(escape(row["group"]), str(row["n"]), *cells, style=_TONES[row["tone"]])
        out.append(table)
    return out


def print_summary(document: dict[str, Any], console: Console | None = None) -> None:
    """Who does how well in which time, as tables that fit the console, and the answer."""
    view = View(document)
    console = console or wide_console()
    console.print(_solver_table(view))
    if view.learned:
        console.print(KEY, style="dim", highlight=False, soft_wrap=True)
    limits = _limit_tables(view, console.width) if len(view.limits) > 1 else []
    for table in (*limits, *_shift_tables(view), *_metrics_tables(view, console.width)):
        console.print(table)
    answer = headline(view)
    console.print(sentence(answer.text), markup=False, highlight=False, soft_wrap=True)
    if answer.detail:
        console.print(f"({answer.detail})", markup=False, highlight=False, soft_wrap=True)
