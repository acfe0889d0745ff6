"""The progress bar of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from graphsched.training.paired import with_error

if TYPE_CHECKING:
    from types import TracebackType

    from graphsched.training.validation import Scores, Validation


class Display(Protocol):
    """Shows how a run goes."""

    def moved(self, progress: float, steps: int) -> None:
        """Used share of the budget and decisions so far."""
        ...

    def validated(self, scores: Scores, best: bool) -> None:
        """A validation, and whether it is the best so far."""
        ...

    def stopping(self) -> None:
        """The run was asked to end, and will after the update in progress."""
        ...


class Silence:
    """Shows nothing."""

    def moved(self, progress: float, steps: int) -> None:
        """Nothing."""

    def validated(self, scores: Scores, best: bool) -> None:
        """Nothing."""

    def stopping(self) -> None:
        """Nothing."""


class Drawn:
    """A context manager that draws its bar."""

    _bar: Progress

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        self._bar.stop()


class Bar(Drawn):
    """A bar with the remaining time and the gap against the best rule; lines for validations.

    Use as a context manager. Where the output is no terminal, only the lines appear.
    """

    def __init__(self, title: str, validation: Validation, console: Console | None = None) -> None:
        """Args: title: before the bar. validation: whose rules are shown for comparison."""
        self._console = console or Console(stderr=True)
        rule, gap = validation.best_rule, validation.best_rule_gap_pct
        self._rule = f"best rule {rule} {gap:.2f}%" if gap is not None else "no rules"
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[status]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=1.0, status=f"({self._rule})")
        self._steps = 0

    def moved(self, progress: float, steps: int) -> None:
        """Move the bar."""
        self._steps = steps
        self._bar.update(self._task, completed=progress)

    def validated(self, scores: Scores, best: bool) -> None:
        """Print a line and keep the gap beside the bar."""
        gap = f"gap {with_error(scores.gap_pct, scores.gap_se)}%"
        self._bar.update(self._task, status=f"{gap} ({self._rule})")
        versus = f"{scores.vs_best_rule_pct:+.2f}% cost against it"
        sampled = scores.sampled_gap_pct
        extra = f", sampled {sampled:.2f}%" if sampled is not None else ""
        before = scores.vs_best_pct
        if before is not None:
            extra += (
                f", {with_error(before, scores.vs_best_se, signed=True)} points to the best so far"
            )
        star = " *" if best else ""
        line = f"{self._steps:>11,} decisions: {gap}{extra} ({self._rule}, {versus}){star}"
        self._console.print(line, highlight=False, soft_wrap=True)

    def stopping(self) -> None:
        """Say so beside the bar; no locks, since this is called from a signal's handler."""
        self._bar.tasks[self._task].fields["status"] = "stopping after this update"
