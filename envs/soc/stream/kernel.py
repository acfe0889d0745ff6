"""Streaming mode: an event-driven simulation that stops whenever a ready task has no PE yet.

At a moment, tasks end, jobs arrive, tasks are assigned one decision at a time, then idle PEs start:
each runs the first task in order of assignment whose data has arrived, without pre-emption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING
from graphsched.envs.soc.physics.tasks import transfer
from graphsched.envs.soc.sources import randomness
from graphsched.envs.soc.stream.state import ASSIGNED, BLOCKED, FINISHED, READY, RUNNING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.stream.state import StreamState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_duration, _gap, _kind = randomness.duration, randomness.gap, randomness.kind


@kernel(entry=False, allocates=False)
def _inject(state: StreamState, b: int) -> None:
    """A job enters the system."""
    n = state.jobs[b]
    q = _kind(state.seed[b], n, state.shares[b, : state.kinds[b]])
    state.jobs[b] = n + 1
    state.kind[b, n], state.arrival[b, n] = q, state.clock[b]
    state.left[b, n] = state.unassigned[b, n] = state.size[b, q]
    for i in range(state.size[b, q]):
        waits = state.pred_ptr[b, q, i + 1] - state.pred_ptr[b, q, i]
        state.waits[b, n, i] = waits
        state.status[b, n, i] = BLOCKED if waits else READY
        state.lane[b, n, i] = -1
    state.live[b, state.num_live[b]] = n
    state.num_live[b] += 1


@kernel(entry=False, allocates=False)
def _room(state: StreamState, b: int) -> bool:
    """Whether the arrays hold one job more; a future that was redrawn may bring too many."""
    return bool(state.jobs[b] < state.kind.shape[1])


@kernel(entry=False, allocates=False)
def _arrivals(state: StreamState, b: int) -> None:
    """Jobs that arrive now."""
    while state.next_arrival[b] <= state.clock[b]:
        pause = 0.0
        if state.num_live[b] < state.most_live[b] and _room(state, b):
            _inject(state, b)
        elif state.queues[b]:
            state.outside[b] += 1
        else:  # DS3Gym looks again a tick later before it draws the next gap
            state.lost[b] += 1
            pause = 1.0 if state.ticks[b] else 0.0
        gap = _gap(state.seed[b], state.draws[b], state.mean_gap[b], state.ticks[b] != 0)
        state.draws[b] += 1
        state.next_arrival[b] += pause + gap


@kernel(entry=False, allocates=False)
def _leave(state: StreamState, b: int, n: int) -> None:
    """A job is complete."""
    spot = 0
    while state.live[b, spot] != n:
        spot += 1
    for k in range(spot, state.num_live[b] - 1):
        state.live[b, k] = state.live[b, k + 1]
    state.num_live[b] -= 1
    state.completed[b] += 1
    state.latency[b] += state.clock[b] - state.arrival[b, n]
    if state.outside[b] > 0 and _room(state, b):
        state.outside[b] -= 1
        _inject(state, b)


@kernel(entry=False, allocates=False)
def _ends(state: StreamState, b: int) -> None:
    """Tasks that end now."""
    for p in range(state.lanes[b]):
        n, i = state.running_job[b, p], state.running_task[b, p]
        if n < 0 or state.busy_until[b, p] > state.clock[b]:
            continue
        q = state.kind[b, n]
        state.running_job[b, p] = -1
        state.busy[b, p] += state.end[b, n, i] - state.start[b, n, i]
        state.status[b, n, i] = FINISHED
        state.left[b, n] -= 1
        for k in range(state.succ_ptr[b, q, i], state.succ_ptr[b, q, i + 1]):
            j = state.succ[b, q, k]
            state.waits[b, n, j] -= 1
            if state.waits[b, n, j] == 0:
                state.status[b, n, j] = READY
        if state.left[b, n] == 0:
            _leave(state, b, n)


@kernel(entry=False, allocates=False)
def _starts(state: StreamState, b: int) -> bool:
    """Idle lanes begin; returns whether a task of no length did, which ends at once."""
    instant = False
    for p in range(state.lanes[b]):
        if state.running_job[b, p] >= 0 or state.queue[b, p] == 0:
            continue
        job, task, first = -1, -1, np.int64(2**62)
        for k in range(state.num_live[b]):
            n = state.live[b, k]
            for i in range(state.size[b, state.kind[b, n]]):
                if (
                    state.status[b, n, i] == ASSIGNED
                    and state.lane[b, n, i] == p
                    and state.data_at[b, n, i] <= state.clock[b]
                    and state.turn[b, n, i] < first
                ):
                    job, task, first = n, i, state.turn[b, n, i]
        if job < 0:
            continue
        mean = state.duration[b, state.kind[b, job], task, p]
        actual = _duration(state.seed[b], job, task, mean, state.noise_kind[b], state.noise[b])
        state.status[b, job, task] = RUNNING
        state.start[b, job, task] = state.clock[b]
        state.end[b, job, task] = state.clock[b] + actual
        state.running_job[b, p], state.running_task[b, p] = job, task
        state.busy_until[b, p] = state.clock[b] + actual
        state.expected_end[b, p] = state.clock[b] + mean
        state.queue[b, p] -= 1
        instant |= actual <= 0.0
    return instant


@kernel(entry=False, allocates=False)
def _next_event(state: StreamState, b: int) -> float:
    out = float(state.next_arrival[b])
    for p in range(state.lanes[b]):
        if state.running_job[b, p] >= 0:
            out = min(out, state.busy_until[b, p])
        elif state.queue[b, p] > 0:
            for k in range(state.num_live[b]):
                n = state.live[b, k]
                for i in range(state.size[b, state.kind[b, n]]):
                    if state.status[b, n, i] == ASSIGNED and state.lane[b, n, i] == p:
                        out = min(out, state.data_at[b, n, i])
    return out


@kernel(entry=False, allocates=False)
def _estimate_free(state: StreamState, b: int) -> None:
    """When each lane will be through with its assigned work, by mean durations."""
    clock = state.clock[b]
    for p in range(state.lanes[b]):
        state.free[b, p] = clock
        if state.running_job[b, p] >= 0:
            state.free[b, p] = max(clock, state.expected_end[b, p])
        turn = np.int64(-1)
        for _ in range(state.queue[b, p]):
            job, task, first = -1, -1, np.int64(2**62)
            for k in range(state.num_live[b]):
                n = state.live[b, k]
                for i in range(state.size[b, state.kind[b, n]]):
                    mine = state.status[b, n, i] == ASSIGNED and state.lane[b, n, i] == p
                    if mine and turn < state.turn[b, n, i] < first:
                        job, task, first = n, i, state.turn[b, n, i]
            turn = first
            start = max(state.free[b, p], state.data_at[b, job, task])
            state.free[b, p] = start + state.duration[b, state.kind[b, job], task, p]


@kernel(entry=False, allocates=False)
def arrival_of_data(state: StreamState, b: int, n: int, i: int, p: int) -> float:
    """When the inputs of a ready task could be on lane p."""
    q = state.kind[b, n]
    out = float(state.clock[b])
    for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
        j = state.pred[b, q, e]
        source = state.lane[b, n, j]
        time = transfer(state.pred_volume[b, q, e], state.slowness[b, source, p], state.ticks[b])
        begins = state.end[b, n, j]
        if state.contention[b] and time > 0:
            u, v = state.lane_pe[b, source], state.lane_pe[b, p]
            begins = max(begins, state.link_free[b, u, v])
        out = max(out, begins + time)
    return out


@kernel(entry=False, allocates=False)
def _occupy_links(state: StreamState, b: int, n: int, i: int, p: int) -> None:
    """Transfers of a task that was just assigned take their links, one after the other."""
    q = state.kind[b, n]
    last = state.clock[b]
    for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
        j = state.pred[b, q, e]
        source = state.lane[b, n, j]
        time = transfer(state.pred_volume[b, q, e], state.slowness[b, source, p], state.ticks[b])
        if time > 0:
            u, v = state.lane_pe[b, source], state.lane_pe[b, p]
            begins = max(state.end[b, n, j], state.link_free[b, u, v])
            state.link_free[b, u, v] = begins + time
            last = max(last, begins + time)
    state.data_at[b, n, i] = last


@kernel(entry=False, allocates=False)
def assign(state: StreamState, b: int, n: int, i: int, p: int) -> None:
    """Give a ready task to a lane."""
    state.data_at[b, n, i] = arrival_of_data(state, b, n, i, p)
    if state.contention[b]:
        _occupy_links(state, b, n, i, p)
    state.lane[b, n, i] = p
    state.status[b, n, i] = ASSIGNED
    state.turn[b, n, i] = state.turns[b]
    state.turns[b] += 1
    state.queue[b, p] += 1
    state.unassigned[b, n] -= 1
    length = state.duration[b, state.kind[b, n], i, p]
    state.promised[b, p] = max(state.promised[b, p], state.data_at[b, n, i]) + length
    state.free[b, p] = max(state.free[b, p], state.data_at[b, n, i]) + length


@kernel(entry=False, allocates=False)
def _add_task(state: StreamState, b: int, n: int, i: int, most: int, count: int) -> int:
    """Candidates of a task: of each PE its soonest lane, ``most`` of least finish."""
    q, first = state.kind[b, n], count
    for p in range(state.lanes[b]):
        length = state.duration[b, q, i, p]
        if length == np.inf:
            continue
        twin = False
        for other in range(state.lanes[b]):
            if state.lane_pe[b, other] == state.lane_pe[b, p] and other != p:
                sooner = state.free[b, other] < state.free[b, p]
                twin |= sooner or (state.free[b, other] == state.free[b, p] and other < p)
        if twin:
            continue
        ready = arrival_of_data(state, b, n, i, p)
        start = max(ready, state.free[b, p])
        at = count
        while at > first:
            before = state.at[b, at - 1] + state.duration[b, q, i, state.where[b, at - 1]]
            if before <= start + length:
                break
            at -= 1
        if at - first >= most:
            continue
        if count - first < most:
            count += 1
        for k in range(count - 1, at, -1):
            state.where[b, k], state.at[b, k] = state.where[b, k - 1], state.at[b, k - 1]
            state.ready_at[b, k] = state.ready_at[b, k - 1]
        state.where[b, at], state.at[b, at], state.ready_at[b, at] = p, start, ready
        state.job[b, count - 1], state.task[b, count - 1] = n, i
    return count


@kernel(entry=False, allocates=False)
def _find_candidates(
    state: StreamState, b: int, max_ready: int, max_lanes: int, defer: bool
) -> None:
    """Ready tasks, those of older jobs and longer path first, each on its best lanes."""
    count, ready, tasks = 0, 0, 0
    for k in range(state.num_live[b]):
        n = state.live[b, k]
        q = state.kind[b, n]
        before = np.inf
        last = -1
        while True:  # by falling path, lowest number on ties
            best = -1
            for i in range(state.size[b, q]):
                rank = state.path[b, q, i]
                if (
                    state.status[b, n, i] != READY
                    or rank > before
                    or (rank == before and i <= last)
                ):
                    continue
                if best < 0 or rank > state.path[b, q, best]:
                    best = i
            if best < 0:
                break
            before, last = state.path[b, q, best], best
            ready += 1
            if tasks < max_ready:
                count = _add_task(state, b, n, best, max_lanes, count)
                tasks += 1
    if defer and ready > 0:
        moving = False
        for p in range(state.lanes[b]):
            moving |= state.running_job[b, p] >= 0 or state.queue[b, p] > 0
        if moving:
            state.job[b, count], state.task[b, count], state.where[b, count] = -1, -1, -1
            state.at[b, count] = state.ready_at[b, count] = state.clock[b]
            count += 1
    state.num_ready[b], state.num_candidates[b] = ready, count


@kernel(entry=False, allocates=False)
def _advance(state: StreamState, b: int, max_ready: int, max_lanes: int, defer: bool) -> None:
    """Run on until there is a choice or the horizon is reached; forced choices are taken."""
    while True:
        _ends(state, b)
        _arrivals(state, b)
        if not state.deferred[b]:
            _estimate_free(state, b)
            _find_candidates(state, b, max_ready, max_lanes, defer)
            first = state.offer_first[b] != 0 and state.decisions[b] == 0
            if state.num_candidates[b] > 1 or (first and state.num_candidates[b] == 1):
                state.slot_status[b] = WAITING
                return
            if state.num_candidates[b] == 1:
                assign(state, b, state.job[b, 0], state.task[b, 0], state.where[b, 0])
                continue
        if _starts(state, b):
            continue
        at = _next_event(state, b)
        until = min(max(at, state.clock[b]), state.horizon[b])
        state.presence[b] += (until - state.clock[b]) * state.num_live[b]
        state.clock[b] = until
        state.deferred[b] = 0
        if at >= state.horizon[b]:
            _ends(state, b)
            state.slot_status[b] = DONE
            return


@kernel(entry=False, allocates=False)
def _worth(state: StreamState, b: int) -> float:
    """What rewards must sum to so far."""
    if state.slot_status[b] == DONE:
        mean = float(state.horizon[b])
        if state.completed[b] > 0:
            mean = float(state.latency[b] / state.completed[b])
        return 1.0 - mean / float(state.reference[b])
    worth = state.completed[b] - state.presence[b] / state.reference[b]
    return float(worth / state.expected[b])


@kernel
def begin_slots(
    state: StreamState, slots: Ints, fill: Ints, max_ready: int, max_lanes: int, defer: bool
) -> None:
    """First decisions of freshly loaded slots; fill: (S,) jobs at time 0."""
    for k in range(len(slots)):
        b = slots[k]
        for _ in range(min(fill[k], state.most_live[b])):
            _inject(state, b)
        _advance(state, b, max_ready, max_lanes, defer)


@kernel
def step_slots(
    state: StreamState,
    slots: Ints,  # (N,)
    actions: Ints,  # (N,) in range
    max_ready: int,
    max_lanes: int,
    defer: bool,
    rewards: Floats,  # (N,) out
    dones: NDArray[np.bool_],  # (N,) out
    elapsed: Floats,  # (N,) out
) -> None:
    """Act in all slots."""
    for k in range(len(slots)):
        b, c = slots[k], actions[k]
        clock = state.clock[b]
        if state.job[b, c] < 0:
            state.deferred[b] = 1
        else:
            assign(state, b, state.job[b, c], state.task[b, c], state.where[b, c])
        state.decisions[b] += 1
        _advance(state, b, max_ready, max_lanes, defer)
        worth = _worth(state, b)
        rewards[k] = worth - state.paid[b]
        state.paid[b] = worth
        dones[k] = state.slot_status[b] == DONE
        elapsed[k] = state.clock[b] - clock
