"""Runs solvers over instances: every solution is timed, checked and measured."""

from __future__ import annotations

from collections import Counter as Multiset
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.clock import wall_s
from graphsched.eval.rows import Row, with_gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.contenders import Contender

LEAST_LIMIT_S = 1e-3  # a limit of zero would mean none to some solvers
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
) -> Result:
    """Solve every instance with every contender and seed, one after the other.

    Args:
        domain: the domain of the instances.
        instances: what to solve; names need not be unique.
        contenders: in the order to run; one that is timed after another comes later.
        seeds: each contender runs once with each.
        keep: names of contenders whose solutions are kept.
        on_row: called after each solve, with the gap not yet filled in.
        reference: contender whose costs gaps are measured against; bounds by default.
    """
    result = Result(instances=unique_names(instances))
    seconds: dict[tuple[str, int, str], float] = {}
    smallest = _smallest(domain, result.instances.values())
    for contender in contenders:
        _warm_up(contender, smallest)
        for seed in seeds:
            for name, instance in result.instances.items():
                limit = contender.time_limit_s
                if contender.time_of is not None:
                    limit = max(seconds[contender.time_of, seed, name], LEAST_LIMIT_S)
                row, solution = _solve(domain, contender, name, instance, seed, limit, result)
                seconds[contender.name, seed, name] = row.seconds
                result.rows.append(row)
                if contender.name in keep and seed == seeds[0]:
                    result.solutions[contender.name, name] = solution
                if on_row is not None:
                    on_row(row)
    result.rows = with_gaps(result.rows, reference)
    return result


def _warm_up(contender: Contender, instance: Any) -> None:
    """Solve an instance untimed, so that no time includes what is loaded at the first use."""
    contender.make(0, WARM_UP_S)(instance)


def _smallest(domain: Domain[Any, Any], instances: Iterable[Any]) -> Any:
    return min(instances, key=lambda instance: domain.static_graph(instance).num_nodes)


def _solve(
    domain: Domain[Any, Any],
    contender: Contender,
    name: str,
    instance: Any,
    seed: int,
    limit: float | None,
    result: Result,
) -> tuple[Row, Any]:
    solver = contender.make(seed, limit)
    if contender.counter is not None:
        contender.counter.decisions = 0
    began = wall_s()
    solution = solver(instance)
    seconds = wall_s() - began
    violations = domain.check(instance, solution)
    if violations:
        broken = [{"kind": v.kind, "message": v.message} for v in violations]
        place = {"instance": name, "solver": contender.name, "seed": seed}
        result.violations.append({**place, "violations": broken})
    row = Row(
        instance=name,
        group=domain.group(instance),
        solver=contender.name,
        seed=seed,
        cost=float(domain.cost(instance, solution)),
        best_known=domain.best_known(instance),
        lower_bound=float(domain.lower_bound(instance)),
        gap_pct=None,
        gap_reference=None,
        seconds=seconds,
        decisions=(contender.counter.decisions or None) if contender.counter else None,
        time_limit_s=limit,
        feasible=not violations,
        metrics=dict(domain.metrics(instance, solution)) if domain.metrics else {},
    )
    return row, solution
