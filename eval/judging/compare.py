"""Means with confidence intervals, and solvers held against each other instance by instance."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.eval.judging.intervals import holm, nested_interval, sign_flip_p
from graphsched.eval.running.rows import BEST_FOUND, BEST_KNOWN, LOWER_BOUND

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphsched.eval.running.rows import Row
    from graphsched.eval.solvers.contenders import Contender

    Cells = dict[str, list[float]]

ALL = "all"
TIE = 1e-9  # relative difference of costs below which two results are equal
PERCENT = "%"
USELESS_PCT = 50.0  # a bound that even the best solver is so far from says nothing in percent


@dataclass(frozen=True)
class Summary:
    """Mean of a solver over a group of instances, each averaged over seeds first.

    Attributes:
        solver, group: whose mean, over which instances; group ``all`` is all of them.
        base, time_limit_s: of the contender; those of one base make a curve over time.
        n: instances with a value.
        unit: of what follows: "%" of gaps, else the objective's.
        mean, ci_low, ci_high: mean and its 95% bootstrap interval over instances, and over seeds
            within them; None where n is 0.
        mean_gap_pct: mean gap in percent, whatever the unit; None without gaps.
        mean_seconds: processor time per instance.
        ms_per_decision: total time over total decisions, where decisions are counted.
        outside_pct: mean of the rows' `Row.outside_pct`.
    """

    solver: str
    base: str
    time_limit_s: float | None
    group: str
    n: int
    unit: str
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    mean_gap_pct: float | None
    mean_seconds: float
    ms_per_decision: float | None
    outside_pct: float | None = None


@dataclass(frozen=True)
class Versus:
    """A solver held against a baseline on the instances that both solved.

    Attributes:
        solver, baseline, group: who, against whom, where.
        n: instances compared.
        same_time: whether both have the same time limit, or none; other pairs tell what a longer
            or shorter time buys.
        wins, ties, losses: of the solver, by cost averaged over seeds.
        unit: of the difference: "%" (points of percentage), else the objective's.
        mean_diff: mean of (solver's value - baseline's value); negative is better.
        ci_low, ci_high: its 95% bootstrap interval, paired by instance and seed.
        p: two-sided, by flipping the signs of the instances' differences.
        p_holm: the same, corrected for all the comparisons of the solver in this group.
    """

    solver: str
    baseline: str
    group: str
    n: int
    same_time: bool
    wins: int
    ties: int
    losses: int
    unit: str
    mean_diff: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_holm: float | None = None


class Table:
    """Rows by solver, instance and seed.

    Attributes:
        unit: what solvers are judged by, decided once for all rows: "%" for gaps, else the unit
            of costs.
    """

    def __init__(self, rows: Iterable[Row], cost_unit: str = "") -> None:
        """Args: rows: of a benchmark. cost_unit: unit of the objective."""
        self.rows = list(rows)
        self._cells: dict[str, dict[str, list[Row]]] = {}
        self.group_of: dict[str, str] = {}
        for row in self.rows:
            self.group_of[row.instance] = row.group
            self._cells.setdefault(row.solver, {}).setdefault(row.instance, []).append(row)
        self.unit = cost_unit if self._gaps_say_nothing() else PERCENT

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

    def costs(self, solver: str, group: str = ALL) -> Cells:
        """Instance -> costs by seed, where every seed's solution is feasible."""
        cells = self.of(solver, group).items()
        return {
            name: [row.cost for row in rows]
            for name, rows in cells
            if all(row.feasible for row in rows)
        }

    def gaps(self, solver: str, group: str = ALL) -> Cells:
        """Instance -> gaps in percent by seed, where there is a gap for every seed."""
        out = {}
        for name, rows in self.of(solver, group).items():
            found = [row.gap_pct for row in rows if row.gap_pct is not None]
            if len(found) == len(rows):
                out[name] = found
        return out

    def values(self, solver: str, group: str = ALL) -> Cells:
        """What the solver is judged by: gaps, or costs where `unit` says so."""
        return (self.gaps if self.unit == PERCENT else self.costs)(solver, group)

    def _gaps_say_nothing(self) -> bool:
        """Whether percents mislead: over a bound of zero, or one that nobody comes near."""
        rows = [row for row in self.rows if row.feasible]
        known = {BEST_KNOWN, LOWER_BOUND, BEST_FOUND, None}
        if any(row.gap_reference not in known for row in rows):
            return False  # against the costs of a solver, which somebody asked for
        if any(row.gap_reference != BEST_KNOWN and row.lower_bound <= 0 for row in rows):
            return True
        found: dict[str, list[float]] = {}
        for row in rows:
            if row.gap_reference == LOWER_BOUND and row.gap_pct is not None:
                found.setdefault(row.solver, []).append(row.gap_pct)
        return bool(found) and min(float(np.mean(gaps)) for gaps in found.values()) > USELESS_PCT


def _interval(
    cells: Sequence[Sequence[float]],
) -> tuple[float | None, float | None, float | None]:
    """Mean and interval, or Nones of nothing."""
    if not cells:
        return None, None, None
    return (float(np.mean([np.mean(cell) for cell in cells])), *nested_interval(cells))


def _summary(table: Table, contender: Contender, group: str) -> Summary:
    cells = list(table.values(contender.name, group).values())
    gaps = [float(np.mean(cell)) for cell in table.gaps(contender.name, group).values()]
    rows = [row for cell in table.of(contender.name, group).values() for row in cell]
    counted = [row for row in rows if row.decisions]
    decisions = sum(row.decisions or 0 for row in counted)
    outside = [row.outside_pct for row in rows if row.outside_pct is not None]
    mean, low, high = _interval(cells)
    return Summary(
        solver=contender.name,
        base=contender.base,
        time_limit_s=contender.time_limit_s,
        group=group,
        n=len(cells),
        unit=table.unit,
        mean=mean,
        ci_low=low,
        ci_high=high,
        mean_gap_pct=float(np.mean(gaps)) if gaps else None,
        mean_seconds=float(np.mean([row.seconds for row in rows])),
        ms_per_decision=1e3 * sum(row.seconds for row in counted) / decisions
        if decisions
        else None,
        outside_pct=float(np.mean(outside)) if outside else None,
    )


def summarise(table: Table, contenders: Sequence[Contender]) -> list[Summary]:
    """A summary for each contender and group, ``all`` included."""
    return [
        _summary(table, contender, group)
        for contender in contenders
        for group in table.groups
        if contender.name in table.solvers and table.of(contender.name, group)
    ]


def _paired(ours: Cells, theirs: Cells) -> list[list[float]]:
    """Differences by instance and seed; of unequal numbers of seeds, between their means."""
    out = []
    for name in (name for name in ours if name in theirs):
        mine, other = ours[name], theirs[name]
        if len(mine) != len(other):
            mine, other = [float(np.mean(mine))], [float(np.mean(other))]
        out.append([a - b for a, b in zip(mine, other, strict=True)])
    return out


def _score(ours: Cells, theirs: Cells) -> tuple[int, int, int]:
    """Won, tied, lost by mean cost."""
    wins = ties = losses = 0
    for name in (name for name in ours if name in theirs):
        mine, other = float(np.mean(ours[name])), float(np.mean(theirs[name]))
        tied = abs(mine - other) <= TIE * max(abs(mine), abs(other))
        ties += tied
        wins += not tied and mine < other
        losses += not tied and mine > other
    return wins, ties, losses


def compare(
    table: Table, solver: str, baseline: str, group: str = ALL, same_time: bool = True
) -> Versus:
    """Hold a solver against a baseline; one comparison alone needs no correction."""
    ours, theirs = table.costs(solver, group), table.costs(baseline, group)
    wins, ties, losses = _score(ours, theirs)
    cells = _paired(table.values(solver, group), table.values(baseline, group))
    mean, low, high = _interval(cells)
    p = sign_flip_p(np.array([np.mean(cell) for cell in cells])) if cells else None
    return Versus(
        solver=solver,
        baseline=baseline,
        group=group,
        n=len(cells),
        same_time=same_time,
        wins=wins,
        ties=ties,
        losses=losses,
        unit=table.unit,
        mean_diff=mean,
        ci_low=low,
        ci_high=high,
        p=p,
        p_holm=p,
    )


def _comparable(solver: Contender, other: Contender) -> bool:
    """Not itself, and not with another time limit; without one, a solver meets everybody."""
    limits = {solver.time_limit_s, other.time_limit_s}
    return solver.name != other.name and (len(limits) == 1 or None in limits)


def compare_all(table: Table, contenders: Sequence[Contender]) -> list[Versus]:
    """Every policy against every other contender; without a policy, each against each.

    Solvers of different time limits aren't compared: that a longer time helps is no finding.
    """
    present = [c for c in contenders if c.name in table.solvers]
    out = []
    for solver in [c for c in present if c.learned] or present:
        others = [other for other in present if _comparable(solver, other)]
        for group in table.groups:
            found = [
                compare(table, solver.name, o.name, group, o.time_limit_s == solver.time_limit_s)
                for o in others
            ]
            out += _corrected(found)
    return out


def _corrected(found: Sequence[Versus]) -> list[Versus]:
    """The comparisons of one solver with p corrected for their number."""
    tested = [item for item in found if item.p is not None]
    corrected = dict(zip(map(id, tested), holm([item.p or 0.0 for item in tested]), strict=True))
    return [replace(item, p_holm=corrected.get(id(item))) for item in found]


def to_json(items: Iterable[Summary | Versus]) -> list[dict[str, Any]]:
    """JSON documents of summaries or comparisons."""
    return [asdict(item) for item in items]
