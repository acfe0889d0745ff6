"""Means with confidence intervals, and solvers held against each other instance by instance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from graphsched.eval.contenders import Contender
    from graphsched.eval.rows import Row

ALL = "all"
RESAMPLES = 10_000
CONFIDENCE = 0.95
TIE = 1e-9  # relative difference of costs below which two results are equal


@dataclass(frozen=True)
class Summary:
    """Mean gap of a solver over a group of instances, each averaged over seeds first.

    Attributes:
        solver, group: whose mean, over which instances; group ``all`` is all of them.
        n: instances with a gap.
        mean_gap_pct, ci_low, ci_high: mean and its 95% bootstrap interval over instances; None
            where n is 0.
        mean_seconds: wall-clock time per instance.
        ms_per_decision: total time over total decisions, where decisions are counted.
    """

    solver: str
    group: str
    n: int
    mean_gap_pct: float | None
    ci_low: float | None
    ci_high: float | None
    mean_seconds: float
    ms_per_decision: float | None


@dataclass(frozen=True)
class Versus:
    """A solver held against a baseline on the instances that both solved.

    Attributes:
        solver, baseline, group: who, against whom, where.
        n: instances compared.
        wins, ties, losses: of the solver, by cost averaged over seeds.
        mean_diff_pct: mean of (solver's gap - baseline's gap) in points; negative is better.
        ci_low, ci_high: its 95% bootstrap interval, paired by instance.
    """

    solver: str
    baseline: str
    group: str
    n: int
    wins: int
    ties: int
    losses: int
    mean_diff_pct: float | None
    ci_low: float | None
    ci_high: float | None


def bootstrap_interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95% percentile interval of the mean of ``values`` (n,) float64, n >= 1.

    Equal lengths and seeds draw equal resamples, so intervals of solvers on the same instances
    are paired. A single value is its own interval. Source: Efron and Tibshirani, An Introduction
    to the Bootstrap (1993), chapter 13.
    """
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    share = max(1, 1_000_000 // len(values))  # bounds the memory of the drawn indices
    for first in range(0, RESAMPLES, share):
        count = min(share, RESAMPLES - first)
        drawn = rng.integers(len(values), size=(count, len(values)))
        means[first : first + count] = values[drawn].mean(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


class Table:
    """Rows by solver and instance, averaged over seeds."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Args: rows: of a benchmark."""
        self.rows = list(rows)
        self._cells: dict[str, dict[str, list[Row]]] = {}
        self.group_of: dict[str, str] = {}
        for row in self.rows:
            self.group_of[row.instance] = row.group
            self._cells.setdefault(row.solver, {}).setdefault(row.instance, []).append(row)

    @property
    def solvers(self) -> list[str]:
        """Names in the order in which they ran."""
        return list(self._cells)

    @property
    def groups(self) -> list[str]:
        """``all`` first, then the groups in their order of appearance."""
        return [ALL, *dict.fromkeys(self.group_of.values())]

    def of(self, solver: str, group: str = ALL) -> dict[str, list[Row]]:
        """Instance -> rows of a solver (one for each seed)."""
        cells = self._cells[solver]
        return {name: rows for name, rows in cells.items() if group in (ALL, self.group_of[name])}

    def costs(self, solver: str, group: str = ALL) -> dict[str, float]:
        """Instance -> mean cost over seeds, where every seed's solution is feasible."""
        cells = self.of(solver, group).items()
        return {
            name: float(np.mean([row.cost for row in rows]))
            for name, rows in cells
            if all(row.feasible for row in rows)
        }

    def gaps(self, solver: str, group: str = ALL) -> dict[str, float]:
        """Instance -> mean gap in percent over seeds, where there is a gap for every seed."""
        out = {}
        for name, rows in self.of(solver, group).items():
            found = [row.gap_pct for row in rows if row.gap_pct is not None]
            if len(found) == len(rows):
                out[name] = float(np.mean(found))
        return out


def _interval(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Mean and interval, or Nones of nothing."""
    if not values:
        return None, None, None
    array = np.array(values)
    return (float(array.mean()), *bootstrap_interval(array))


def _summary(table: Table, solver: str, group: str) -> Summary:
    gaps = list(table.gaps(solver, group).values())
    rows = [row for cell in table.of(solver, group).values() for row in cell]
    counted = [row for row in rows if row.decisions]
    decisions = sum(row.decisions or 0 for row in counted)
    per_decision = 1e3 * sum(row.seconds for row in counted) / decisions if decisions else None
    seconds = float(np.mean([row.seconds for row in rows]))
    return Summary(solver, group, len(gaps), *_interval(gaps), seconds, per_decision)


def summarise(table: Table) -> list[Summary]:
    """A summary for each solver and group, ``all`` included."""
    return [
        _summary(table, solver, group)
        for solver in table.solvers
        for group in table.groups
        if table.of(solver, group)
    ]


def compare(table: Table, solver: str, baseline: str, group: str = ALL) -> Versus:
    """Hold a solver against a baseline."""
    ours, theirs = table.costs(solver, group), table.costs(baseline, group)
    both = [name for name in ours if name in theirs]
    ties = sum(abs(ours[i] - theirs[i]) <= TIE * max(abs(ours[i]), abs(theirs[i])) for i in both)
    losses = sum(ours[i] - theirs[i] > TIE * max(abs(ours[i]), abs(theirs[i])) for i in both)
    our_gaps, their_gaps = table.gaps(solver, group), table.gaps(baseline, group)
    differences = [our_gaps[i] - their_gaps[i] for i in our_gaps if i in their_gaps]
    wins = len(both) - ties - losses
    counts = (len(both), int(wins), int(ties), int(losses))
    return Versus(solver, baseline, group, *counts, *_interval(differences))


def compare_all(table: Table, contenders: Sequence[Contender]) -> list[Versus]:
    """Every policy against every other contender; without a policy, each against each.

    Only contenders that had the same time are compared.
    """
    policies = [c for c in contenders if c.kind == "policy"] or list(contenders)
    return [
        compare(table, policy.name, other.name, group)
        for policy in policies
        for other in contenders
        if other.name != policy.name and other.time_limit_s == policy.time_limit_s
        for group in table.groups
    ]


def to_json(items: Iterable[Summary | Versus]) -> list[dict[str, Any]]:
    """JSON documents of summaries or comparisons."""
    return [asdict(item) for item in items]
