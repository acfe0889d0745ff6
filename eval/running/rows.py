"""One measured solve, and how far it is from the best that is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

BEST_KNOWN, LOWER_BOUND, BEST_FOUND = "best_known", "lower_bound", "best_found"


@dataclass(frozen=True)
class Row:
    """One solver's result on one instance.

    Attributes:
        instance: name, made unique within the benchmark.
        group: row of the report's tables, the instance's size, say.
        solver: the contender's name.
        seed: seed the contender ran with.
        cost: objective as the domain computes it from the solution; lower is better.
        best_known: best published cost, if any.
        lower_bound: a valid bound on the cost.
        gap_pct: excess over the reference, in percent; None without a reference, or if infeasible.
        gap_reference: what the gap is measured against: ``best_known``, else ``lower_bound``,
            else ``best_found`` by any contender on this instance; or the name of a contender.
        seconds: processor time of the solve, warm.
        decisions: decisions taken in the simulator, where the contender takes any.
        outside_pct: share of a policy's decisions with a column outside of what it was fitted to,
            which it sees clipped, in percent; None without a policy.
        time_limit_s: processor time that the contender could take, if limited.
        feasible: whether the domain's checker found nothing wrong.
        metrics: further measures of the solution, see `Domain.metrics`.
    """

    instance: str
    group: str
    solver: str
    seed: int
    cost: float
    best_known: float | None
    lower_bound: float
    gap_pct: float | None
    gap_reference: str | None
    seconds: float
    decisions: int | None
    time_limit_s: float | None
    feasible: bool
    metrics: dict[str, float] = field(default_factory=dict)
    outside_pct: float | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON document."""
        return asdict(self)


def _reference(row: Row, best_found: dict[str, float]) -> tuple[str, float] | None:
    if row.best_known is not None and row.best_known > 0:
        return BEST_KNOWN, row.best_known
    if row.lower_bound > 0:
        return LOWER_BOUND, row.lower_bound
    found = best_found.get(row.instance)
    return None if found is None or found <= 0 else (BEST_FOUND, found)


def _against(rows: Sequence[Row], solver: str) -> list[Row]:
    """The rows with gaps above a solver's mean cost on each instance."""
    costs: dict[str, list[float]] = {}
    for row in rows:
        if row.solver == solver and row.feasible:
            costs.setdefault(row.instance, []).append(row.cost)
    out = []
    for row in rows:
        found = costs.get(row.instance, [])
        value = sum(found) / len(found) if found else 0.0
        known = row.feasible and value > 0
        gap = 100 * (row.cost / value - 1) if known else None
        out.append(replace(row, gap_pct=gap, gap_reference=solver if known else None))
    return out


def with_gaps(rows: Sequence[Row], reference: str | None = None) -> list[Row]:
    """The rows with `gap_pct` and `gap_reference` filled in.

    Args:
        rows: of a benchmark.
        reference: solver whose costs gaps are measured against; bounds by default.
    """
    if reference is not None:
        return _against(rows, reference)
    best_found: dict[str, float] = {}
    for row in rows:
        if row.feasible:
            best_found[row.instance] = min(row.cost, best_found.get(row.instance, row.cost))
    out = []
    for row in rows:
        found = _reference(row, best_found) if row.feasible else None
        if found is None:
            out.append(replace(row, gap_pct=None, gap_reference=None))
            continue
        kind, value = found
        out.append(replace(row, gap_pct=100 * (row.cost / value - 1), gap_reference=kind))
    return out
