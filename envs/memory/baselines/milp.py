"""``milp-seed``: which storages live their whole life in fast memory, by a mixed-integer program.

The model knows sizes, lifetimes and gains, not offsets: what it chooses is placed first, and the rest
after it, in each of the fixed orders.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.extras import require
from graphsched.envs.core.knobs import Knob
from graphsched.envs.memory.physics.arena import empty_arena
from graphsched.envs.memory.physics.mapping import solve_order
from graphsched.envs.memory.physics.orders import benefits, fixed_orders, lifetimes
from graphsched.envs.memory.physics.placing import decode
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.physics.program import Problem
    from graphsched.envs.memory.solution import MemorySolution

    Ints = NDArray[np.int64]

TEMPORARY, ALL = "temporary", "all"
STORAGES = Knob((TEMPORARY, ALL, "both"), default="both")
SCIP_SETTINGS = "limits/gap = 0.001"  # offsets cost more than this share of the objective
LEAST_S = 1e-3
MODELS_SHARE = 0.7  # of the time limit, so that some is left to place what was chosen


class Lives(NamedTuple):
    """Storages that could be in fast memory for all of their accesses.

    Attributes:
        storage: (N,) which.
        start: (N,) instruction from which fast memory is taken; a copy in is made from there on.
        end: (N,) the one after the last, a write-back included.
    """

    storage: Ints
    start: Ints
    end: Ints


def whole_lives(p: Problem, copied: bool) -> Lives:
    """Storages worth it, and for how long; ``copied``: also those that have to be copied in.

    Copies are given all bandwidth that could ever be spare.
    """
    first, last = lifetimes(p)
    moved = np.concatenate([[0.0], np.cumsum(p.cap)])
    start = np.searchsorted(moved, moved[first] - p.copy_bytes, side="right") - 1
    start = np.where(p.live_in, start, first)
    written = np.bincount(p.access_storage, p.access_writes, len(p.size)) > 0
    end = np.searchsorted(moved, moved[last + 1] + p.copy_bytes)
    end = np.where(p.live_out & written, end, last + 1)
    fits = (benefits(p) > 0) & (p.size > 0) & (p.size <= p.capacity)
    fits &= (start >= 0) & (end <= len(p.compute)) & (copied | ~p.live_in)
    which = np.flatnonzero(fits)
    return Lives(which, start[which].astype(np.int64), end[which].astype(np.int64))


def crowds(p: Problem, lives: Lives) -> Iterator[Ints]:
    """Storages, by place in ``lives``, that are in fast memory together, where not all have room.

    Only the largest sets: others are parts of them.
    """
    begun = np.isin(np.arange(len(p.compute)), lives.start)
    grown = False
    for t in range(len(p.compute)):
        grown |= bool(begun[t])
        alive = (lives.start <= t) & (t < lives.end)
        if grown and (lives.end[alive] == t + 1).any():
            grown = False
            found = np.flatnonzero(alive)
            if p.size[lives.storage[found]].sum() > p.capacity:
                yield found


def _gains(p: Problem, lives: Lives, x: list[Any], number: Any) -> Iterator[tuple[Any, Any]]:
    """Of each instruction what it saves, us, and what that must not exceed (None: nothing more).

    An instruction saves what the bytes in fast memory do, but no more than its arithmetic leaves.
    """
    alone = p.access_bytes * (p.slow_us - p.fast_us)
    left = p.slow_all * p.slow_us - p.compute
    place = np.full(len(p.size), -1)
    place[lives.storage] = np.arange(len(lives.storage))
    mine = np.flatnonzero((place[p.access_storage] >= 0) & (left[p.access_time] > 0))
    by_time = mine[np.argsort(p.access_time[mine], kind="stable")]
    cuts = np.flatnonzero(np.diff(p.access_time[by_time])) + 1
    for group in np.split(by_time, cuts) if len(by_time) else ():
        saved = sum(float(alone[k]) * x[place[p.access_storage[k]]] for k in group.tolist())
        room = float(left[p.access_time[group[0]]])
        if float(alone[group].sum()) <= room:
            yield saved, None
        else:
            yield number(0.0, room), saved


def _model_builder() -> ModuleType:
    """OR-Tools' builder of linear models; raises InputError if it isn't installed."""
    require("baseline 'milp-seed'", "ortools")
    from ortools.linear_solver.python import model_builder

    return model_builder


def choose(p: Problem, copied: bool, limit_s: float) -> Ints:
    """Storages to place first, in no order: the best choice that SCIP finds in the time.

    None, if the model alone takes as long.
    """
    model_builder = _model_builder()
    began = cpu_s()
    weighted_sum = model_builder.LinearExpr.weighted_sum
    lives = whole_lives(p, copied)
    model = model_builder.Model()
    x = [model.new_bool_var(f"x{i}") for i in range(len(lives.storage))]
    gains = []
    for gain, most in _gains(p, lives, x, lambda low, high: model.new_num_var(low, high, "")):
        gains.append(gain)
        if most is not None:
            model.add(gain <= most)
    for crowd in crowds(p, lives):
        if cpu_s() - began >= limit_s:
            return np.zeros(0, np.int64)
        shares = p.size[lives.storage[crowd]] / p.capacity
        model.add(weighted_sum([x[i] for i in crowd.tolist()], shares.tolist()) <= 1)
    model.maximize(sum(gains))
    solver = model_builder.Solver("scip")
    # SCIP can't be stopped from outside: this clock is on the wall, and stops it early at worst.
    solver.set_time_limit_in_seconds(max(limit_s - (cpu_s() - began), LEAST_S))
    solver.set_solver_specific_parameters(SCIP_SETTINGS)
    status = solver.solve(model)
    if status not in (model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE):
        return np.zeros(0, np.int64)
    return lives.storage[np.array([solver.value(v) > 0.5 for v in x], np.bool_)]


def _orders(p: Problem, chosen: Ints) -> Iterator[Ints]:
    """The chosen storages first, by each order or by bytes times lifetime; the rest by each order."""
    first, last = lifetimes(p)
    most = chosen[np.argsort(-p.size[chosen] * (last - first + 1)[chosen], kind="stable")]
    rows = fixed_orders(p)
    inside = [np.isin(row, chosen) for row in rows]
    for row, is_chosen in zip(rows, inside, strict=True):
        yield np.concatenate([row[is_chosen], row[~is_chosen]])
    for row, is_chosen in zip(rows, inside, strict=True):
        yield np.concatenate([most, row[~is_chosen]])


def seed_order(p: Problem, limit_s: float, storages: str) -> Ints:
    """The best order found: of the fixed ones and of those with the chosen storages first."""
    began = cpu_s()
    arena = empty_arena(len(p.compute), len(p.access_time))
    found = [(decode(p, arena, row), row) for row in fixed_orders(p)]
    for copied in (False, True):
        left = limit_s - (cpu_s() - began)
        if left <= 0 or storages == (TEMPORARY if copied else ALL):
            continue
        chosen = choose(p, copied, MODELS_SHARE * left)
        for order in _orders(p, chosen) if len(chosen) else ():
            if cpu_s() - began >= limit_s:
                break
            found.append((decode(p, arena, order), order))
    return min(found, key=lambda pair: pair[0])[1]


def _solve(instance: MemoryInstance, options: SolverOptions) -> MemorySolution:
    storages = str(options.settings.get("storages", STORAGES.default))
    return solve_order(instance, seed_order(problem_of(instance), options.time_limit_s, storages))


def milp_seed(options: SolverOptions) -> Callable[[MemoryInstance], MemorySolution]:
    """Whole lives by SCIP within the time limit.

    Raises:
        InputError: OR-Tools is not installed.
    """
    _model_builder()  # which takes a second, and is no part of a solver's time
    return partial(_solve, options=options)


BASELINE = Baseline(
    make=milp_seed,
    summary="whole lives chosen by a MILP (SCIP in OR-Tools) first, the rest by the nine orders",
    is_anytime=True,
    knobs={"storages": STORAGES},
)
