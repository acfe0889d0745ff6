"""The decisions of a plan: which task it puts on which lane next."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.plan.kernel import execute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.plan.state import PlanState
    from graphsched.envs.soc.simulator import SocSim
    from graphsched.envs.soc.solution import SocSolution

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ROUNDING = 1e-9


class Plan(NamedTuple):
    """A schedule as it was planned, N tasks."""

    lane: Ints  # (N,) where a PE has several, they are told apart by guess
    first: Ints  # (N,) lane of the PE
    last: Ints  # (N,) lane of the PE
    start: Floats  # (N,) with expected durations, everything as early as its lane's order lets it
    rank: Ints  # (N,) place among all starts


@lru_cache(maxsize=1024)
def plan_of(instance: SocInstance, solution: SocSolution) -> Plan:
    """The plan behind a schedule, whose times are those of its execution."""
    tasks = tasks_of(instance.jobs[0], instance.platform, instance.ticks)
    size = len(tasks.mean)
    pe, begin, end = np.empty(size, np.int64), np.empty(size), np.empty(size)
    pe[solution.task], begin[solution.task] = solution.pe, solution.start
    end[solution.task] = solution.end
    place = np.empty(size, np.int64)
    place[tasks.order] = np.arange(size)
    order = np.lexsort(
        (place, end, begin)
    )  # tasks of no duration before those that start with them
    lane = _lanes(tasks, order, pe, begin, end)
    rank = np.empty(size, np.int64)
    rank[order] = np.arange(size)
    first = np.searchsorted(tasks.lane_pe, pe)
    last = np.searchsorted(tasks.lane_pe, pe, "right") - 1
    start = begin
    if instance.noise.kind != "none" or len(tasks.lane_pe) == instance.platform.num_pes:
        duration = tasks.duration[np.arange(size), lane]
        links = (tasks.pred_ptr, tasks.pred, tasks.pred_volume, tasks.slowness, tasks.ticks)
        start = np.empty(size)
        execute(lane, rank.astype(np.float64), duration, *links, start, np.empty(size))
    return Plan(lane, first, last, start, rank)


def _lanes(tasks: Tasks, order: Ints, pe: Ints, begin: Floats, end: Floats) -> Ints:
    """(N,) lanes, of those of each task's PE the free one that was in use last."""
    free = np.zeros(len(tasks.lane_pe))
    out = np.empty(len(order), np.int64)
    for i in order.tolist():
        (mine,) = np.nonzero(tasks.lane_pe == pe[i])
        is_free = free[mine] <= begin[i] + ROUNDING * (1 + begin[i])
        at = (
            np.where(is_free, free[mine], -np.inf).argmax()
            if is_free.any()
            else free[mine].argmin()
        )
        out[i] = mine[at]
        free[out[i]] = end[i]
    return out


@kernel(entry=False)
def _keeps(state: PlanState, b: int, c: int, lane: Ints, start: Floats, rank: Ints) -> bool:
    """Whether candidate c leaves its lane's order and times as planned."""
    i, p = state.task[b, c], state.where[b, c]
    before, lacking = 0, False
    for k in range(state.size[b]):
        if state.lane[b, k] == p:
            before += rank[k] < rank[i]
        elif state.lane[b, k] < 0 and lane[k] == p and rank[k] < rank[i]:
            lacking = True
    in_time = state.at[b, c] >= start[i] - ROUNDING * (1.0 + start[i])
    return state.place[b, c] == before and (in_time or not lacking)


@kernel
def _choose(
    state: PlanState,
    slots: Ints,  # (N,) that wait
    lane: Ints,  # (N, T) of each task in the plan to follow, see `Plan`
    first: Ints,  # (N, T)
    last: Ints,  # (N, T)
    start: Floats,  # (N, T)
    rank: Ints,  # (N, T)
    actions: Ints,  # (N,) out
    exact: NDArray[np.bool_],  # (N,) out
) -> None:
    """The first task of the plan that goes where it belongs; else on its PE; else the first."""
    for n in range(len(slots)):
        b = slots[n]
        best, best_grade, best_rank = 0, 3, 0
        for c in range(state.num_candidates[b]):
            i, p = state.task[b, c], state.where[b, c]
            grade = 2
            if first[n, i] <= p <= last[n, i]:
                off = abs(state.at[b, c] - start[n, i])
                fits = off <= ROUNDING * (1.0 + start[n, i])
                if not fits and p == lane[n, i]:
                    fits = _keeps(state, b, c, lane[n], start[n], rank[n])
                grade = 0 if fits else 1
            if (grade, rank[n, i]) < (best_grade, best_rank):
                best, best_grade, best_rank = c, grade, rank[n, i]
        actions[n], exact[n] = best, best_grade == 0


def follow(
    simulator: SocSim, slots: Ints, solutions: Sequence[SocSolution]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Which tasks plans put on which lanes next; see `Domain.follow`.

    Raises:
        InputError: the solution of a stream.
    """
    instances = [simulator.instance(slot) for slot in slots.tolist()]
    for instance in instances:
        if instance.is_stream:
            problem = (
                "a stream, whose solution doesn't tell its decisions; expected one job to plan"
            )
            raise InputError(f"instance {instance.name!r:.60}", problem)
    plans = [plan_of(*pair) for pair in zip(instances, solutions, strict=True)]
    shape = len(slots), max((len(plan.lane) for plan in plans), default=0)
    tables = Plan(*(np.zeros(shape, float if f == "start" else int) for f in Plan._fields))
    for k, plan in enumerate(plans):
        for table, row in zip(tables, plan, strict=True):
            table[k, : len(row)] = row
    actions, exact = np.empty(len(slots), np.int64), np.empty(len(slots), np.bool_)
    _choose(simulator.state.plan, slots, *tables, actions, exact)
    return actions, exact
