"""List scheduling of one job: kernels that plan all tasks in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import data_ready, find_gap, insert, transfer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.physics.tasks import Tasks

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

EFT, OCT, LOOKAHEAD = 0, 1, 2  # how a lane is chosen for a task
DLS, MINMIN, MAXMIN, SUFFERAGE, MCT = range(5)  # how a pair is chosen


@kernel(entry=False)
def _next_in_order(priority: Floats, waits: Ints, done: NDArray[np.bool_]) -> int:
    """The ready task of highest priority, the lowest number on ties."""
    best = -1
    for i in range(len(priority)):
        if not done[i] and waits[i] == 0 and (best < 0 or priority[i] > priority[best]):
            best = i
    return best


@kernel(entry=False)
def _children_end(
    tasks: Tasks,
    i: int,
    p: int,
    begin: Floats,
    finish: Floats,
    count: Ints,
    lane: Ints,
    end: Floats,
) -> float:
    """Latest earliest finish of i's successors if i ends on lane p; unplanned inputs don't count."""
    worst = float(end[i])
    for k in range(tasks.succ_ptr[i], tasks.succ_ptr[i + 1]):
        child = tasks.succ[k]
        best = np.inf
        for q in range(tasks.duration.shape[1]):
            length = tasks.duration[child, q]
            if length == np.inf:
                continue
            ready = 0.0
            for e in range(tasks.pred_ptr[child], tasks.pred_ptr[child + 1]):
                j = tasks.pred[e]
                if lane[j] >= 0:
                    time = transfer(tasks.pred_volume[e], tasks.slowness[lane[j], q], tasks.ticks)
                    ready = max(ready, end[j] + time)
            start, _ = find_gap(begin[q], finish[q], count[q], ready, length)
            best = min(best, start + length)
        worst = max(worst, best)
    return worst


@kernel
def plan_in_order(
    tasks: Tasks,
    priority: Floats,  # (N,) the ready task of highest priority comes next
    choice: int,
    fixed: Ints,  # (N,) lane that a task must take, or -1
    lane: Ints,  # (N,) out
    start: Floats,  # (N,) out
    end: Floats,  # (N,) out
) -> float:
    """Plan tasks by priority, each into the best gap of a lane; returns the makespan."""
    size, lanes = tasks.duration.shape
    begin, finish = np.empty((lanes, size)), np.empty((lanes, size))
    count = np.zeros(lanes, np.int64)
    waits = np.diff(tasks.pred_ptr)
    done = np.zeros(size, np.bool_)
    lane[:] = -1
    latest = 0.0
    for _ in range(size):
        i = _next_in_order(priority, waits, done)
        best, at, where, spot = np.inf, 0.0, -1, 0
        for p in range(lanes):
            length = tasks.duration[i, p]
            if length == np.inf or (fixed[i] >= 0 and fixed[i] != p):
                continue
            ready = data_ready(
                i,
                p,
                tasks.pred_ptr,
                tasks.pred,
                tasks.pred_volume,
                tasks.slowness,
                lane,
                end,
                tasks.ticks,
            )
            begins, place = find_gap(begin[p], finish[p], count[p], ready, length)
            score = begins + length
            if choice == OCT:
                score += tasks.oct[i, p]
            elif choice == LOOKAHEAD:
                lane[i], end[i] = p, begins + length
                insert(begin[p], finish[p], count[p], place, begins, begins + length)
                count[p] += 1
                score = _children_end(tasks, i, p, begin, finish, count, lane, end)
                count[p] -= 1
                for k in range(place, count[p]):
                    begin[p, k], finish[p, k] = begin[p, k + 1], finish[p, k + 1]
                lane[i] = -1
            if score < best:
                best, at, where, spot = score, begins, p, place
        lane[i], start[i], end[i] = where, at, at + tasks.duration[i, where]
        insert(begin[where], finish[where], count[where], spot, at, end[i])
        count[where] += 1
        done[i] = True
        latest = max(latest, end[i])
        for k in range(tasks.succ_ptr[i], tasks.succ_ptr[i + 1]):
            waits[tasks.succ[k]] -= 1
    return latest


@kernel(entry=False)
def _pair_score(rule: int, tasks: Tasks, i: int, p: int, starts: float) -> float:
    """What a rule says of running task i on lane p from ``starts`` on; the least goes first."""
    length = float(tasks.duration[i, p])
    if rule == DLS:  # dynamic level with the generalised delta term (Sih & Lee 1993)
        return float(starts + length - tasks.rank_up[i] - tasks.mean[i])
    return starts + length


@kernel
def plan_greedily(
    tasks: Tasks,
    rule: int,
    noise: Floats,  # (N, P) added to the scores, relative to their size
    lane: Ints,  # (N,) out
    start: Floats,  # (N,) out
    end: Floats,  # (N,) out
) -> float:
    """Plan pairs of ready task and lane, appended to the lane; returns the makespan."""
    size, lanes = tasks.duration.shape
    free = np.zeros(lanes)
    waits = np.diff(tasks.pred_ptr)
    done = np.zeros(size, np.bool_)
    lane[:] = -1
    latest = 0.0
    for _ in range(size):
        task, where, at, best = -1, -1, 0.0, np.inf
        first = np.inf
        for i in range(size):
            if done[i] or waits[i] > 0:
                continue
            low, second, low_lane, low_start = np.inf, np.inf, -1, 0.0
            for p in range(lanes):
                length = tasks.duration[i, p]
                if length == np.inf:
                    continue
                ready = data_ready(
                    i,
                    p,
                    tasks.pred_ptr,
                    tasks.pred,
                    tasks.pred_volume,
                    tasks.slowness,
                    lane,
                    end,
                    tasks.ticks,
                )
                starts = max(ready, free[p])
                score = _pair_score(rule, tasks, i, p, starts)
                score += noise[i, p] * abs(score)
                if score < low:
                    second, low, low_lane, low_start = low, score, p, starts
                elif score < second:
                    second = score
            value = low
            if rule == MAXMIN:
                value = -low
            elif rule == SUFFERAGE:
                value = low - second if second < np.inf else -np.inf
            elif rule == MCT:  # tasks come in order of number
                value = float(i)
            level = -tasks.rank_up[i]
            if task < 0 or value < best or (value == best and level < first):
                task, where, at, best, first = i, low_lane, low_start, value, level
        lane[task], start[task] = where, at
        end[task] = at + tasks.duration[task, where]
        free[where] = end[task]
        done[task] = True
        latest = max(latest, end[task])
        for k in range(tasks.succ_ptr[task], tasks.succ_ptr[task + 1]):
            waits[tasks.succ[k]] -= 1
    return latest
