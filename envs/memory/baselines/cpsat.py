"""``cp-sat``: the game solved to proof on small programs, from the best mapping that is known."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s, stopping
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.extras import require
from graphsched.envs.memory.baselines.exact import Copy, Model, build, parts_of
from graphsched.envs.memory.baselines.milp import STORAGES, seed_order
from graphsched.envs.memory.baselines.search import improve
from graphsched.envs.memory.checker import check, latency
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.physics.program import Problem, problem_of
from graphsched.envs.memory.pricing.bound import lower_bound
from graphsched.envs.memory.solution import MemorySolution

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from graphsched.envs.memory.instance import MemoryInstance

MOST_PARTS = 30_000  # of copies; the model of a larger program takes minutes to load
HINT_SHARE = 0.2  # of the time limit, to find a mapping to set out from


def _cp_model() -> ModuleType:
    """OR-Tools' CP-SAT module; raises InputError if it isn't installed."""
    require("baseline 'cp-sat'", "ortools")
    from ortools.sat.python import cp_model

    return cp_model


def _hint(made: Model, p: Problem, alignment: int, known: MemorySolution) -> None:
    """Tell CP-SAT a mapping: what is fast, since when and where; parts of copies it finds itself."""
    model, before = made.model, -1
    for k, (g, t) in enumerate(zip(p.access_storage, p.access_time, strict=True)):
        mine = (known.storage == g) & (known.start <= t) & (t < known.end)
        r = int(np.flatnonzero(mine)[0]) if mine.any() else -1  # the residency that serves it
        is_fast, kept = r >= 0, r >= 0 and r == before
        start, end = (int(known.start[r]), int(known.end[r])) if is_fast else (0, 0)
        model.add_hint(made.fast[k], is_fast)
        if made.kept[k] is not None:
            model.add_hint(made.kept[k], kept)
        if is_fast:
            model.add_hint(made.offset[k], int(known.offset[r]) // alignment)
        is_last = k + 1 == p.access_ptr[g + 1] or p.access_time[k + 1] >= end
        _hint_copy(model, made.into[k], is_fast and not kept, start)
        _hint_copy(model, made.out[k], is_fast and bool(is_last and end > t + 1), end)
        before = r


def _hint_copy(model: Any, copy: Copy | None, is_made: bool, edge: int) -> None:
    if copy is not None:
        model.add_hint(copy.made, is_made)
        if is_made:
            model.add_hint(copy.edge, edge)


def _mapping(instance: MemoryInstance, made: Model, solver: Any) -> MemorySolution:
    """The mapping that CP-SAT found."""
    p = problem_of(instance)
    rows: list[list[int]] = []
    for k, (g, t) in enumerate(zip(p.access_storage, p.access_time, strict=True)):
        if not solver.value(made.fast[k]):
            continue
        into, out = made.into[k], made.out[k]
        if made.kept[k] is not None and solver.value(made.kept[k]):
            rows[-1][2] = t + 1
        else:
            copied = into is not None and solver.value(into.made)
            start = solver.value(into.edge) if into is not None and copied else t
            offset = solver.value(made.offset[k]) * instance.machine.alignment
            rows.append([g, start, t + 1, offset])
        if out is not None and solver.value(out.made):
            rows[-1][2] = solver.value(out.edge)
    storage, start, end, offset = np.array(rows, np.int64).reshape(-1, 4).T.copy()
    found = MemorySolution(storage, start, end, offset, 0.0)
    return MemorySolution(storage, start, end, offset, latency(instance, found))


def solve_with_bound(
    instance: MemoryInstance, options: SolverOptions
) -> tuple[MemorySolution, float]:
    """Best mapping found in the time limit, and the proven lower bound on its latency, us.

    It sets out from `milp-seed` and a short local search, is never worse, and optimal, but for the
    rounding of times, if it equals the bound. Programs that are too large come back as they set out.

    Raises:
        InputError: OR-Tools is not installed.
    """
    cp_model = _cp_model()
    began = cpu_s()
    p = problem_of(instance)
    share = HINT_SHARE / 2 * options.time_limit_s
    order, _ = improve(p, seed_order(p, share, str(STORAGES.default)), share, options.seed)
    known, bound = solve_order(instance, order), lower_bound(instance)
    if parts_of(p) > MOST_PARTS:
        return known, bound
    made = build(cp_model, p, instance.machine.alignment)
    _hint(made, p, instance.machine.alignment, known)
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = options.seed % 2**31
    solver.parameters.num_workers = max(options.workers, 1)
    limit = options.time_limit_s * solver.parameters.num_workers - (cpu_s() - began)
    if limit <= 0:
        return known, bound
    with stopping(solver.stop_search, limit):
        status = solver.solve(made.model)
    bound = max(bound, solver.best_objective_bound / made.steps)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        found = _mapping(instance, made, solver)
        if found.cost < known.cost and not check(instance, found):
            known = found
    return known, min(bound, known.cost)  # above it by rounding only


def _solve(instance: MemoryInstance, options: SolverOptions) -> MemorySolution:
    return solve_with_bound(instance, options)[0]


def cp_sat(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """CP-SAT with the options' time limit, workers and seed.

    Raises:
        InputError: OR-Tools is not installed.
    """
    _cp_model()
    return partial(_solve, options=options)


BASELINE = Baseline(
    make=cp_sat,
    summary="exact on small programs, with offsets and copies: OR-Tools CP-SAT, from local-search",
    is_exact=True,
    is_anytime=True,
)
