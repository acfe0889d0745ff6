"""The cost of a schedule and a lower bound on it, both from the instance's numbers alone."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.solution import JobShopSolution


def cost(instance: JobShopInstance, solution: JobShopSolution) -> float:
    """Makespan, re-derived from the start times: the latest start + duration."""
    return float((np.asarray(solution.start) + instance.duration).max())


def heads_and_tails(instance: JobShopInstance) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Time that must pass before each operation starts, and after it ends.

    Returns:
        heads: (num_operations,) int64, release time plus the job's preceding durations.
        tails: (num_operations,) int64, the job's following durations.
    """
    assert instance.release_time is not None
    first, last = instance.job_ptr[:-1], instance.job_ptr[1:]
    upto = np.concatenate([[0], np.cumsum(instance.duration)])  # (num_operations + 1,)
    heads = upto[:-1] - upto[first][instance.job] + instance.release_time[instance.job]
    tails = upto[last][instance.job] - upto[1:]
    return heads, tails


def jackson(heads: Sequence[int], durations: Sequence[int], tails: Sequence[int]) -> int:
    """Least makespan of one machine with heads and tails if operations may be interrupted.

    Jackson's preemptive schedule: at any time, run the available operation with the longest tail.
    O(n log n). See Carlier (1982), "The one-machine sequencing problem", EJOR 11.
    """
    order = sorted(range(len(heads)), key=heads.__getitem__)
    waiting: list[tuple[int, int]] = []  # (-tail, time left): a heap by longest tail
    clock, bound, arrived = 0, 0, 0
    while waiting or arrived < len(order):
        if not waiting:
            clock = max(clock, heads[order[arrived]])
        while arrived < len(order) and heads[order[arrived]] <= clock:
            i = order[arrived]
            heapq.heappush(waiting, (-tails[i], durations[i]))
            arrived += 1
        tail, left = heapq.heappop(waiting)
        until = heads[order[arrived]] if arrived < len(order) else clock + left
        run = min(left, until - clock)
        clock += run
        if run < left:
            heapq.heappush(waiting, (tail, left - run))
        else:
            bound = max(bound, clock - tail)
    return bound


def lower_bound(instance: JobShopInstance) -> float:
    """The longest job, or the largest of the machines' preemptive one-machine bounds."""
    heads, tails = heads_and_tails(instance)
    bound = int((heads + instance.duration + tails).max())
    for machine in range(instance.num_machines):
        # operations without duration only restate their job's length
        here = np.flatnonzero((instance.machine == machine) & (instance.duration > 0))
        columns = (array[here].tolist() for array in (heads, instance.duration, tails))
        bound = max(bound, jackson(*columns))
    return float(bound)
