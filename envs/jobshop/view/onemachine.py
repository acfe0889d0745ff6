"""The focus machine on its own: what running one operation first does to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.features import CAND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

FAR = np.int64(2**62)


@kernel(entry=False)
def one_machine(state: State, b: int, owner: Ints, head: Ints, length: Ints, tail: Ints) -> int:
    """Unscheduled operations of the focus machine as a one-machine problem, longest tail first.

    Fills (n,) arrays: job, earliest start given its job's partial schedule, duration, tail; only
    the first open visit of each job counts.
    """
    m = state.focus[b]
    count = 0
    for j in range(state.num_jobs[b]):
        o = state.visit[b, j, m]
        if o < 0:
            continue
        first = state.next_operation[b, j]
        start = max(state.job_ready[b, j], state.machine_ready[b, state.machine[b, first]])
        work = state.tail[b, first] + state.duration[b, first]
        q = state.tail[b, o]
        place = count
        while place > 0 and tail[place - 1] < q:
            owner[place], head[place] = owner[place - 1], head[place - 1]
            length[place], tail[place] = length[place - 1], tail[place - 1]
            place -= 1
        owner[place] = j
        head[place] = max(start + work - q - state.duration[b, o], state.machine_ready[b, m])
        length[place] = state.duration[b, o]
        tail[place] = q
        count += 1
    return count


@kernel(entry=False)
def lookahead(
    clock: np.int64, skip: int, count: int, head: Ints, length: Ints, tail: Ints, done: Bools
) -> np.int64:
    """Makespan of Schrage's schedule of the operations but ``skip``, from ``clock`` on.

    Schrage (1971): whenever the machine is free, run the available operation with the longest
    tail. The arrays are sorted by falling tail, so the first available one is taken.
    """
    for i in range(count):
        done[i] = i == skip
    left = count - 1 if skip >= 0 else count
    end = clock
    lowest = 0
    while left > 0:
        soonest = FAR
        taken = -1
        while lowest < count and done[lowest]:
            lowest += 1
        for i in range(lowest, count):
            if not done[i]:
                if head[i] <= clock:
                    taken = i
                    break
                if head[i] < soonest:
                    soonest = head[i]
        if taken < 0:
            clock = soonest
            continue
        clock += length[taken]
        end = max(end, clock + tail[taken])
        done[taken] = True
        left -= 1
    return end


@kernel(entry=False)
def fill_conflict(
    state: State, b: int, place: int, count: int, head: Ints, length: Ints, tail: Ints, row: Floats
) -> None:
    """What choosing the operation at ``place`` of the one-machine problem does to the others."""
    now = state.focus_start[b]
    end = head[place] + length[place]
    push, load, arrival_push, arrivals = end + tail[place], 0, 0, 0
    least_head, least_tail = FAR, FAR
    for i in range(count):
        if i == place:
            continue
        pushed = max(head[i], end) + length[i] + tail[i]
        push = max(push, pushed)
        load += length[i]
        least_head = min(least_head, head[i])
        least_tail = min(least_tail, tail[i])
        if state.focus_end[b] <= head[i] < end or (now < head[i] < end):
            arrivals += 1
            arrival_push = max(arrival_push, pushed)
    horizon = max(state.bound[b] - now, 1)
    after = max(end, least_head) + load + least_tail if count > 1 else end + tail[place]
    row[CAND.push_criticality] = min((push - now) / horizon, 2.0)
    row[CAND.push_over_best] = push
    row[CAND.machine_criticality_after] = min((max(after, end + tail[place]) - now) / horizon, 2.0)
    row[CAND.arrivals] = np.log1p(arrivals)
    row[CAND.arrival_push] = min((arrival_push - now) / horizon, 2.0) if arrivals > 0 else 0.0
