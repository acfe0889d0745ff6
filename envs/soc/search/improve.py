"""Annealing from one or more plans, as long as the time lasts."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.clock import cpu_s, fitting
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.plan.kernel import execute
from graphsched.envs.soc.search.annealing import anneal
from graphsched.envs.soc.search.moves import Habits, empty_places, stream
from graphsched.envs.soc.search.state import build, empty_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SLACK = 1e-6  # relative tolerance of schedules, the checker's
CYCLE = 500  # moves of a cycle for each task, at least, if there is to be more than one
MOST_CYCLES = 9
FIRST = 8  # moves before the first look
HABITS = Habits()
HOT, COLD = 0.2, 0.03  # temperatures, in mean durations


def _heat(share: float) -> float:
    """Temperature when a cycle has got so far, in mean durations."""
    return float(HOT * (COLD / HOT) ** min(share, 1.0))


class Found(NamedTuple):
    """What a search met. N tasks."""

    lane: Ints  # (N,)
    order: Ints  # (N,) topological, gives every lane's sequence
    cost: float  # makespan
    moves: int  # made
    valued: int  # placements


def search(
    tasks: Tasks,
    starts: Sequence[tuple[Ints, Ints]],
    seconds: float = np.inf,
    moves: int = 2**62,
    seed: int = 0,
) -> Found:
    """The best plan met by annealing, in as many cycles as are worth it, from one start after another.

    The temperature falls with the share of time or moves that a cycle has used. Of a seed, the
    moves are the same for the same number of moves; where time is the limit, the pieces between
    looks at the clock and so the temperatures depend on the machine's speed as well.

    Args:
        tasks: the job.
        starts: lanes and topological orders, (N,) each; the better ones first.
        seconds: of processor time.
        moves: at most.
        seed: of the moves.
    """
    size, lanes = tasks.duration.shape
    s, spare, best = (empty_state(size, lanes) for _ in range(3))
    places, costs = empty_places(size, lanes), np.full(1, np.inf)
    random = stream(seed)
    unit = float(tasks.mean.mean())
    began = cpu_s()
    made = valued = 0
    for lane, order in starts:
        cost = build(tasks, s, lane, order)
        if cost < costs[0]:
            costs[0] = cost
            build(tasks, best, lane, order)
    timed = seconds < np.inf  # else nothing may depend on the machine's speed
    seconds, began = seconds - (cpu_s() - began), cpu_s()  # from here on it goes into moves
    cycles = cycle = 0
    share = 0.0 if seconds > 0 and moves > 0 else 1.0  # of the whole search
    while share < 1 and size > 0:
        if cycles == 0 or share >= (cycle + 1) / cycles:
            cycle = int(share * cycles)
            build(tasks, s, *starts[cycle % len(starts)])
        spent = cpu_s() - began
        if made == 0:
            piece, ahead = FIRST, 0.0
        else:
            whole = min(made / max(spent, 1e-6) * seconds, moves)
            cycles = cycles or max(1, min(int(whole / (size * CYCLE)), MOST_CYCLES))
            piece = fitting(made, spent, seconds) if timed else FIRST
            ahead = piece / whole
        piece = min(piece, moves - made)
        now, then = (_heat(x * max(cycles, 1) - cycle) for x in (share, share + ahead))
        hot, cold = unit * now + 1e-12, unit * then + 1e-12
        valued += anneal(tasks, s, spare, best, places, costs, piece, hot, cold, HABITS, random)
        made += piece
        share = max((cpu_s() - began) / seconds, made / moves)
    return Found(best.lane.copy(), best.order.copy(), float(costs[0]), made, valued)


def of_plan(tasks: Tasks, pe: Ints, start: Floats, end: Floats) -> tuple[Ints, Ints]:
    """Lanes and a topological order of a schedule, which together end no later than it.

    Args:
        tasks: the job.
        pe: (N,) of each task.
        start: (N,).
        end: (N,).
    """
    place = np.empty(len(pe), np.int64)
    place[tasks.order] = np.arange(len(pe))
    # Of tasks that start together, but for rounding, those that take no time come first.
    rising = np.argsort(start, kind="stable")
    moment = np.empty(len(pe), np.int64)
    later = np.diff(start[rising]) > SLACK * np.maximum(1.0, np.abs(start[rising][1:]))
    moment[rising] = np.concatenate([[0], np.cumsum(later)])
    rank = np.lexsort((place, end > start, moment))
    if np.any(np.diff(tasks.pred_ptr)):
        rank = _topological(tasks, rank)
    lane = np.empty(len(pe), np.int64)
    _fill_lanes(tasks.lane_pe, pe, start, end, rank, lane)
    return lane, rank


@kernel
def _fill_lanes(
    lane_pe: Ints, pe: Ints, start: Floats, end: Floats, rank: Ints, lane: Ints
) -> None:
    """Of the lanes of its PE a task takes the one that got free last in time, else the first free.

    Args:
        lane_pe: (P,) PE of each lane.
        pe: (N,) of each task.
        start: (N,).
        end: (N,).
        rank: (N,) tasks in the order in which they take lanes.
        lane: (N,) out.
    """
    free = np.full(len(lane_pe), -np.inf)
    for i in rank:
        by = start[i] + SLACK * max(1.0, abs(start[i]))
        latest = soonest = -1
        for p in range(len(lane_pe)):
            if lane_pe[p] != pe[i]:
                continue
            if free[p] <= by and (latest < 0 or free[p] > free[latest]):
                latest = p
            if soonest < 0 or free[p] < free[soonest]:
                soonest = p
        lane[i] = latest if latest >= 0 else soonest
        free[lane[i]] = end[i]


def _topological(tasks: Tasks, rank: Ints) -> Ints:
    """The order that comes closest to a given one without an input after its user."""
    place = np.empty(len(rank), np.int64)
    place[rank] = np.arange(len(rank))
    users = np.repeat(np.arange(len(rank)), np.diff(tasks.pred_ptr))
    if np.all(place[tasks.pred] < place[users]):
        return rank  # as good as always: schedules are exact up to rounding
    waits = np.diff(tasks.pred_ptr)
    ready = [(int(place[i]), int(i)) for i in np.flatnonzero(waits == 0)]
    heapify(ready)
    out = []
    while ready:
        _, i = heappop(ready)
        out.append(i)
        for j in tasks.succ[tasks.succ_ptr[i] : tasks.succ_ptr[i + 1]].tolist():
            waits[j] -= 1
            if waits[j] == 0:
                heappush(ready, (int(place[j]), j))
    return np.array(out, np.int64)


def starts_of(tasks: Tasks, found: Found) -> tuple[Floats, Floats]:
    """When each task of a plan starts and ends, (N,) each."""
    place = np.empty(len(found.order))
    place[found.order] = np.arange(len(found.order))
    length = tasks.duration[np.arange(len(place)), found.lane]
    start, end = np.empty((2, len(place)))
    links = (tasks.pred_ptr, tasks.pred, tasks.pred_volume, tasks.slowness, tasks.ticks)
    execute(found.lane, place, length, *links, start, end)
    return start, end
