"""Building blocks of plans: task data as arrays, ranks, gaps in a PE's timeline.

PEs that run several tasks at once are laid out as *lanes*, one for each; data moves between lanes
of a PE for nothing. From here on P counts lanes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import Job, Platform

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Tasks(NamedTuple):
    """A job on a platform, ready for kernels. N tasks, P lanes, E edges."""

    duration: Floats  # (N, P), inf where a lane can't run the task
    slowness: Floats  # (P, P) time per unit of volume
    lane_pe: Ints  # (P,)
    order: Ints  # (N,) topological
    pred_ptr: Ints  # (N + 1,)
    pred: Ints  # (E,)
    pred_volume: Floats  # (E,)
    succ_ptr: Ints  # (N + 1,)
    succ: Ints  # (E,)
    succ_volume: Floats  # (E,)
    mean: Floats  # (N,) duration over the lanes that can run it
    rank_up: Floats  # (N,) longest path to an exit, the task included
    rank_down: Floats  # (N,) longest path from an entry, the task excluded
    oct: Floats  # (N, P) optimistic cost table: least path to an exit, the task excluded
    least: Floats  # (N,) duration on the quickest lane
    rest: Floats  # (N, P) least time from the task's end on a lane to the job's end
    head: Floats  # (N,) least time from the job's begin to the task's start
    path: Floats  # (N,) least time from the task's start to the job's end
    ticks: bool


@kernel
def transfer(volume: float, slowness: float, ticks: bool) -> float:
    """Time that data needs; cut to whole units in instances of ticks, as DS3 does."""
    time = volume * slowness
    return np.floor(time + 1e-9) if ticks else time


@kernel
def _ranks(
    duration: Floats,
    mean: Floats,
    mean_slowness: float,
    move_slowness: float,
    order: Ints,
    succ_ptr: Ints,
    succ: Ints,
    volume: Floats,
    up: Floats,
    down: Floats,
    oct_table: Floats,
) -> None:
    """Fill upward and downward ranks (Topcuoglu et al. 2002) and the OCT (Arabnejad & Barbosa 2014)."""
    lanes = duration.shape[1]
    down[:] = 0.0
    for i in order:
        for k in range(succ_ptr[i], succ_ptr[i + 1]):
            down[succ[k]] = max(down[succ[k]], down[i] + mean[i] + volume[k] * mean_slowness)
    for at in range(len(order) - 1, -1, -1):
        i = order[at]
        longest = 0.0
        oct_table[i] = 0.0
        for k in range(succ_ptr[i], succ_ptr[i + 1]):
            j = succ[k]
            longest = max(longest, up[j] + volume[k] * mean_slowness)
            cheapest, move = np.inf, volume[k] * move_slowness
            for q in range(lanes):
                cheapest = min(cheapest, oct_table[j, q] + duration[j, q])
            for p in range(lanes):
                stay = min(oct_table[j, p] + duration[j, p], cheapest + move)
                oct_table[i, p] = max(oct_table[i, p], stay)
        up[i] = longest + mean[i]


@kernel
def _least_paths(
    duration: Floats,
    slowness: Floats,
    ticks: bool,
    order: Ints,
    succ_ptr: Ints,
    succ: Ints,
    volume: Floats,
    rest: Floats,
    arrival: Floats,
) -> None:
    """Fill least times after each task on each lane, and of its inputs there; both (N, P).

    Each successor may choose its lane, and each of a task's inputs comes at its own best; nothing
    waits for a lane. So these are bounds, unlike ranks by means, and hold on whatever platform.
    """
    lanes = duration.shape[1]
    arrival[:] = 0.0
    for i in order:
        for k in range(succ_ptr[i], succ_ptr[i + 1]):
            j = succ[k]
            for p in range(lanes):
                soonest = np.inf
                for q in range(lanes):
                    sent = arrival[i, q] + duration[i, q]
                    soonest = min(soonest, sent + transfer(volume[k], slowness[q, p], ticks))
                arrival[j, p] = max(arrival[j, p], soonest)
    for at in range(len(order) - 1, -1, -1):
        i = order[at]
        rest[i] = 0.0
        for k in range(succ_ptr[i], succ_ptr[i + 1]):
            j = succ[k]
            for p in range(lanes):
                least = np.inf
                for q in range(lanes):
                    move = transfer(volume[k], slowness[p, q], ticks)
                    least = min(least, move + duration[j, q] + rest[j, q])
                rest[i, p] = max(rest[i, p], least)


@lru_cache(maxsize=4096)
def tasks_of(job: Job, platform: Platform, ticks: bool = False) -> Tasks:
    """Arrays of a job; kept for the last few thousand jobs.

    The mean communication cost of ranks averages over all pairs of lanes, each lane with itself
    included, as SAGA's HEFT does; that of the OCT is for data that does move.
    """
    assert platform.capacity is not None
    lane_pe = np.repeat(np.arange(platform.num_pes), platform.capacity)
    lanes = len(lane_pe)
    duration = np.ascontiguousarray(job.duration[:, lane_pe])
    slowness = np.ascontiguousarray(platform.slowness[np.ix_(lane_pe, lane_pe)])
    mean = np.array([row[np.isfinite(row)].mean() for row in duration])
    upper = np.triu_indices(lanes)
    mean_slowness = float(((slowness + slowness.T) / 2)[upper].mean())
    apart = slowness[~np.eye(lanes, dtype=bool)]
    succ_ptr, succ, volume = job.successors
    tasks = job.num_tasks
    up, down, oct_table = np.empty(tasks), np.empty(tasks), np.empty((tasks, lanes))
    _ranks(
        duration,
        mean,
        mean_slowness,
        float(apart.mean()) if lanes > 1 else 0.0,
        job.order,
        succ_ptr,
        succ,
        volume,
        up,
        down,
        oct_table,
    )
    rest, arrival = np.empty((tasks, lanes)), np.empty((tasks, lanes))
    _least_paths(duration, slowness, ticks, job.order, succ_ptr, succ, volume, rest, arrival)
    return Tasks(
        duration,
        slowness,
        lane_pe,
        job.order,
        *job.predecessors,
        succ_ptr,
        succ,
        volume,
        mean,
        up,
        down,
        oct_table,
        duration.min(axis=1),
        rest,
        np.where(np.isfinite(duration), arrival, np.inf).min(axis=1),  # where it can start
        (duration + rest).min(axis=1),
        ticks,
    )


@kernel
def find_gap(
    begin: Floats, finish: Floats, count: int, ready: float, length: float
) -> tuple[float, int]:
    """Earliest start >= ready on a lane, and its place among the ``count`` intervals (N,)."""
    if count == 0 or finish[count - 1] <= ready:
        return ready, count
    low, high = 0, count
    while low < high:  # the first interval that ends after ``ready``
        middle = (low + high) // 2
        if finish[middle] > ready:
            high = middle
        else:
            low = middle + 1
    at = ready
    for k in range(low, count):
        if begin[k] - at >= length:
            return at, k
        at = max(at, finish[k])
    return at, count


@kernel
def insert(begin: Floats, finish: Floats, count: int, place: int, start: float, end: float) -> None:
    """Put an interval at its place in a lane's timeline (N,)."""
    for k in range(count, place, -1):
        begin[k] = begin[k - 1]
        finish[k] = finish[k - 1]
    begin[place] = start
    finish[place] = end


@kernel(entry=False)
def data_ready(
    i: int,
    p: int,
    pred_ptr: Ints,
    pred: Ints,
    volume: Floats,
    slowness: Floats,
    lane: Ints,
    end: Floats,
    ticks: bool,
) -> float:
    """When all inputs of task i are on lane p; its predecessors are planned."""
    ready = 0.0
    for k in range(pred_ptr[i], pred_ptr[i + 1]):
        j = pred[k]
        time = transfer(volume[k], slowness[lane[j], p], ticks)
        ready = max(ready, end[j] + time)
    return ready
