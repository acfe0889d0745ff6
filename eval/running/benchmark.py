"""Runs solvers over instances: every solution is timed, checked and measured."""

from __future__ import annotations

from collections import Counter as Multiset
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphsched.agents.networks.outside import Tally
from graphsched.envs.core.clock import cpu_s
from graphsched.eval.running.rows import Row, with_gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.running.journal import Journal
    from graphsched.eval.solvers.contenders import Contender

WARM_UP_S = 0.1  # for solvers that take as long as they are given


@dataclass
class Result:
    """What a benchmark found.

    Attributes:
        rows: one for each (contender, seed, instance).
        violations: of infeasible solutions: instance, solver, seed and the broken rules.
        solutions: (contender, instance name) -> solution of the first seed, for the contenders
            whose solutions were asked for.
        instances: name within the benchmark -> instance.
    """

    rows: list[Row] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)
    solutions: dict[tuple[str, str], Any] = field(default_factory=dict)
    instances: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Solved:
    """One solve: its row, the broken rules if any, and the solution if it is to be kept."""

    row: Row
    violations: list[dict[str, str]]
    solution: Any = None


def unique_names(instances: Sequence[Any]) -> dict[str, Any]:
    """Instances by name; of several with the same name, the later ones get ``#2``, ``#3``, ..."""
    out: dict[str, Any] = {}
    seen: Multiset[str] = Multiset()
    for instance in instances:
        seen[instance.name] += 1
        name = f"{instance.name}#{seen[instance.name]}" if instance.name in out else instance.name
        out[name] = instance
    return out


def run_benchmark(
    domain: Domain[Any, Any],
    instances: Sequence[Any],
    contenders: Sequence[Contender],
    seeds: Sequence[int] = (0,),
    keep: Sequence[str] = (),
    on_row: Callable[[Row], None] | None = None,
    reference: str | None = None,
    groups: Sequence[str] | None = None,
    journal: Journal | None = None,
) -> Result:
    """Solve every instance with every contender and seed, one after the other.

    Args:
        domain: the domain of the instances.
        instances: what to solve; names need not be unique.
        contenders: in the order to run.
        seeds: each contender runs once with each.
        keep: names of contenders whose solutions are kept.
        on_row: called after each solve, with the gap not yet filled in.
        reference: contender whose costs gaps are measured against; bounds by default.
        groups: label of each instance in tables; `Domain.group` by default.
        journal: writes solves down as they come, and knows those that are already there.
    """
    result = Result(instances=unique_names(instances))
    labels = _labels(domain, result.instances, groups)
    smallest = _smallest(domain, result.instances.values())
    for contender in contenders:
        warm = False
        for seed in seeds:
            for name, instance in result.instances.items():
                wanted = contender.name in keep and seed == seeds[0]
                solved = journal.find(contender.name, seed, name) if journal else None
                if solved is None:
                    if not warm:
                        _warm_up(contender, smallest)
                        warm = True
                    solved = _solve(domain, contender, (name, labels[name]), instance, seed, wanted)
                    if journal is not None:
                        journal.add(solved)
                _take(result, solved)
                if on_row is not None:
                    on_row(solved.row)
    result.rows = with_gaps(result.rows, reference)
    return result


def _take(result: Result, solved: Solved) -> None:
    row = solved.row
    result.rows.append(row)
    if solved.violations:
        place = {"instance": row.instance, "solver": row.solver, "seed": row.seed}
        result.violations.append({**place, "violations": solved.violations})
    if solved.solution is not None:
        result.solutions[row.solver, row.instance] = solved.solution


def _labels(
    domain: Domain[Any, Any], instances: Mapping[str, Any], groups: Sequence[str] | None
) -> dict[str, str]:
    if groups is not None:
        return dict(zip(instances, groups, strict=True))
    return {name: domain.group(instance) for name, instance in instances.items()}


def _warm_up(contender: Contender, instance: Any) -> None:
    """Solve an instance untimed, so that no time includes what is loaded at the first use."""
    contender.make(0, WARM_UP_S)(instance)


def _smallest(domain: Domain[Any, Any], instances: Iterable[Any]) -> Any:
    return min(instances, key=lambda instance: domain.static_graph(instance).num_nodes)


def _solve(
    domain: Domain[Any, Any],
    contender: Contender,
    place: tuple[str, str],
    instance: Any,
    seed: int,
    wanted: bool,
) -> Solved:
    """Solve, timed, and check. Args: place: name and group. wanted: keep the solution."""
    solver = contender.make(seed, contender.time_limit_s)
    if contender.counter is not None:
        contender.counter.decisions = 0
    before = _tally(contender)
    began = cpu_s()
    solution = solver(instance)
    seconds = cpu_s() - began
    share = (_tally(contender) - before).share
    violations = domain.check(instance, solution)
    row = Row(
        instance=place[0],
        group=place[1],
        solver=contender.name,
        seed=seed,
        cost=float(domain.cost(instance, solution)),
        best_known=domain.best_known(instance),
        lower_bound=float(domain.lower_bound(instance)),
        gap_pct=None,
        gap_reference=None,
        seconds=seconds,
        decisions=(contender.counter.decisions or None) if contender.counter else None,
        time_limit_s=contender.time_limit_s,
        feasible=not violations,
        metrics=dict(domain.metrics(instance, solution)) if domain.metrics else {},
        outside_pct=None if share is None else 100 * share,
    )
    broken = [{"kind": v.kind, "message": v.message} for v in violations]
    return Solved(row, broken, solution if wanted else None)


def _tally(contender: Contender) -> Tally:
    """Of the decisions that a contender's policies took up to now."""
    found = [policy.tally for policy in contender.policies]
    return Tally(sum(t.decisions for t in found), sum(t.outside for t in found))
