"""Looking ahead in a stream: what plain rules would make of each candidate.

The pilots plan all unassigned tasks of the jobs in the system after each candidate, by mean
durations, as if no job came any more. Each takes the tasks in its own order and puts them on the PE
of earliest finish, one of them on that from which the job could end first. Their outcome is the sum of
the jobs' ends; where they stop before, each ready task counts with its finish and the rest after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import transfer
from graphsched.envs.soc.stream.state import FINISHED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.stream.state import StreamState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# the task that can finish first (as ETF does); of longest path; of the oldest job, by path; that
# whose least path could end first, on the PE for which that holds
SOONEST, LONGEST, OLDEST, STRAIGHT = 0, 1, 2, 3


class Sight(NamedTuple):
    """What doesn't change while one plays on. K jobs in the system, N tasks of each, E PEs.

    Tasks are numbered through: task i of the job at place k among those in the system is k * N + i.
    """

    counts: Ints  # (2,) jobs and PEs
    size: Ints  # (K,) tasks of each job
    duration: Floats  # (K * N, E)
    rest: Floats  # (K * N, E)
    path: Floats  # (K * N,)
    pred_ptr: Ints  # (K * N + 1,) of those that aren't planned
    pred: Ints  # (K * M,)
    volume: Floats  # (K * M,)
    succ_ptr: Ints  # (K * N + 1,) likewise
    succ: Ints  # (K * M,)
    first_lane: Ints  # (E + 1,) of each PE; its lanes stand side by side
    slowness: Floats  # (E, E)
    bound: Floats  # (K,) least end of each job, by what is left of it
    edges: Ints  # (2,) inputs and outputs laid out so far


class Outlook(NamedTuple):
    """A situation to play on from. P lanes."""

    pe: Ints  # (K * N,) -1 where nothing is planned
    end: Floats  # (K * N,)
    waits: Ints  # (K * N,) predecessors that are not planned
    arrival: Floats  # (K * N, E) of the data of tasks that wait for none
    latest: Floats  # (K,) end of each job so far
    free: Floats  # (P,)
    lane: Ints  # (E,) that is free first
    ready: Ints  # (1,) number of tasks that wait for no other
    task: Ints  # (K * N,) which those are
    value: Floats  # (K * N,) the least is planned first
    finish: Floats  # (K * N,) on the PE that is best for it
    where: Ints  # (K * N,) that PE


def empty_sight(live: int, tasks: int, edges: int, lanes: int) -> Sight:
    """Room for that many jobs, tasks and edges of each, and PEs."""
    every, links = live * tasks, live * edges
    return Sight(
        np.zeros(2, np.int64),
        np.empty(live, np.int64),
        np.empty((every, lanes)),
        np.empty((every, lanes)),
        np.empty(every),
        np.empty(every + 1, np.int64),
        np.empty(links, np.int64),
        np.empty(links),
        np.empty(every + 1, np.int64),
        np.empty(links, np.int64),
        np.empty(lanes + 1, np.int64),
        np.empty((lanes, lanes)),
        np.empty(live),
        np.zeros(2, np.int64),
    )


def empty_outlook(live: int, tasks: int, lanes: int) -> Outlook:
    """Room for that many jobs, tasks of each and lanes."""
    every = live * tasks
    return Outlook(
        np.empty(every, np.int64),
        np.empty(every),
        np.empty(every, np.int64),
        np.empty((every, lanes)),
        np.empty(live),
        np.empty(lanes),
        np.empty(lanes, np.int64),
        np.zeros(1, np.int64),
        np.empty(every, np.int64),
        np.empty(every),
        np.empty(every),
        np.empty(every, np.int64),
    )


# What runs millions of times a second takes the few arrays that it needs, and rows by number: to hand
# over a tuple of dozens of them, or to count references to views, would cost more than the work.


@kernel(entry=False, allocates=False)
def _soonest_lane(free: Floats, first: int, behind: int) -> int:
    """The lane among [first, behind) that is free first."""
    lane = first
    for p in range(first + 1, behind):
        if free[p] < free[lane]:
            lane = p
    return lane


@kernel(entry=False, allocates=False)
def _best_pe(
    straight: bool,
    pes: int,
    t: int,
    arrival: Floats,
    duration: Floats,
    rest: Floats,
    free: Floats,
    lane: Ints,
) -> tuple[int, float, float]:
    """The PE that task t goes to, its value there, and when it finishes."""
    best, ends, where = np.inf, np.inf, -1
    for e in range(pes):
        end = max(arrival[t, e], free[lane[e]]) + duration[t, e]
        value = end + rest[t, e] if straight else end
        if value < best:
            best, ends, where = value, end, e
    return where, best, ends


@kernel(entry=False, allocates=False)
def _arrive(
    t: int,
    pred_ptr: Ints,
    pred: Ints,
    volume: Floats,
    slowness: Floats,
    pes: int,
    clock: float,
    ticks: bool,
    pe: Ints,
    end: Floats,
    arrival: Floats,  # out
) -> None:
    """When the inputs of task t are on each PE."""
    for e in range(pes):
        arrival[t, e] = clock
    for n in range(pred_ptr[t], pred_ptr[t + 1]):
        source, sent, size = pe[pred[n]], end[pred[n]], volume[n]
        for e in range(pes):
            at = sent + transfer(size, slowness[source, e], ticks)
            arrival[t, e] = max(arrival[t, e], at)


@kernel(entry=False, allocates=False)
def _order(choice: int, path: float, value: float) -> float:
    """How soon a pilot plans a ready task: the least first."""
    return -path if choice in (LONGEST, OLDEST) else value


@kernel(entry=False, allocates=False)
def _first(ready: int, value: Floats, task: Ints, tasks: int, oldest: bool) -> int:
    """Place of the ready task that is planned next; of equals that with the lowest number."""
    best = 0
    for r in range(1, ready):
        sooner = value[r] < value[best] or (value[r] == value[best] and task[r] < task[best])
        if oldest and task[r] // tasks != task[best] // tasks:
            sooner = task[r] < task[best]
        if sooner:
            best = r
    return best


@kernel(entry=False, allocates=False)
def _expected_end(state: StreamState, b: int, n: int, i: int) -> float:
    """Of a task that has a lane, by its mean duration where it hasn't ended."""
    if state.status[b, n, i] == FINISHED:
        return float(state.end[b, n, i])
    p = state.lane[b, n, i]
    if state.running_job[b, p] == n and state.running_task[b, p] == i:
        return float(max(state.expected_end[b, p], state.clock[b]))
    # it queues: close enough to the end of all that its lane has to do
    mean = state.duration[b, state.kind[b, n], i, p]
    return float(max(state.data_at[b, n, i] + mean, state.free[b, p]))


@kernel(entry=False, allocates=False)
def _look_at_pes(state: StreamState, b: int, sight: Sight, out: Outlook) -> None:
    pes = 0
    for p in range(state.lanes[b]):
        out.free[p] = max(state.free[b, p], state.clock[b])
        if state.lane_pe[b, p] == pes:
            sight.first_lane[pes] = p
            pes += 1
    sight.first_lane[pes] = state.lanes[b]
    sight.counts[0], sight.counts[1] = state.num_live[b], pes
    for e in range(pes):
        lane = sight.first_lane[e]
        out.lane[e] = _soonest_lane(out.free, lane, sight.first_lane[e + 1])
        for f in range(pes):
            sight.slowness[e, f] = state.slowness[b, lane, sight.first_lane[f]]


@kernel(entry=False, allocates=False)
def _look_at_job(
    state: StreamState, b: int, k: int, edges: Ints, sight: Sight, out: Outlook
) -> None:
    """Lay out the tasks of a job; edges: (2,) inputs and outputs laid out so far."""
    n, tasks, clock = state.live[b, k], state.status.shape[2], state.clock[b]
    q = state.kind[b, n]
    sight.size[k] = state.size[b, q]
    out.latest[k] = sight.bound[k] = clock
    for i in range(state.size[b, q]):
        t, p = k * tasks + i, state.lane[b, n, i]
        sight.path[t] = state.path[b, q, i]
        for e in range(sight.counts[1]):
            sight.duration[t, e] = state.duration[b, q, i, sight.first_lane[e]]
            sight.rest[t, e] = state.rest[b, q, i, sight.first_lane[e]]
        sight.pred_ptr[t], sight.succ_ptr[t] = edges[0], edges[1]
        out.pe[t], out.waits[t] = -1, 0
        if p >= 0:
            out.pe[t], out.end[t] = state.lane_pe[b, p], _expected_end(state, b, n, i)
            out.latest[k] = max(out.latest[k], out.end[t])
            if state.status[b, n, i] != FINISHED:
                sight.bound[k] = max(sight.bound[k], out.end[t] + sight.rest[t, out.pe[t]])
        else:
            for m in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
                j = state.pred[b, q, m]
                out.waits[t] += state.lane[b, n, j] < 0
                sight.pred[edges[0]] = k * tasks + j
                sight.volume[edges[0]] = state.pred_volume[b, q, m]
                edges[0] += 1
            for m in range(state.succ_ptr[b, q, i], state.succ_ptr[b, q, i + 1]):
                sight.succ[edges[1]] = k * tasks + state.succ[b, q, m]
                edges[1] += 1
        sight.pred_ptr[t + 1], sight.succ_ptr[t + 1] = edges[0], edges[1]


@kernel(entry=False, allocates=False)
def look(state: StreamState, b: int, sight: Sight, out: Outlook) -> None:
    """The situation as it is, to be played on from by earliest finish."""
    _look_at_pes(state, b, sight, out)
    tasks, pes, ready, edges = state.status.shape[2], sight.counts[1], 0, sight.edges
    edges[:] = 0
    for k in range(state.num_live[b]):
        _look_at_job(state, b, k, edges, sight, out)
    for k in range(state.num_live[b]):
        for t in range(k * tasks, k * tasks + sight.size[k]):
            if out.pe[t] >= 0 or out.waits[t] > 0:
                continue
            _arrive(
                t,
                sight.pred_ptr,
                sight.pred,
                sight.volume,
                sight.slowness,
                pes,
                state.clock[b],
                state.ticks[b] != 0,
                out.pe,
                out.end,
                out.arrival,
            )
            lanes = sight.duration, sight.rest, out.free, out.lane
            pe, value, finish = _best_pe(False, pes, t, out.arrival, *lanes)
            _, least, _ = _best_pe(True, pes, t, out.arrival, *lanes)
            out.task[ready], out.where[ready] = t, pe
            out.value[ready], out.finish[ready] = value, finish
            sight.bound[k] = max(sight.bound[k], least)
            ready += 1
    out.ready[0] = ready


@kernel(entry=False, allocates=False)
def _restart(choice: int, tasks: int, sight: Sight, base: Outlook, out: Outlook) -> None:
    """Set out from the situation as it is, in the order of a pilot."""
    jobs, pes, ready = sight.counts[0], sight.counts[1], base.ready[0]
    for p in range(sight.first_lane[pes]):
        out.free[p] = base.free[p]
    for e in range(pes):
        out.lane[e] = base.lane[e]
    for k in range(jobs):
        out.latest[k] = base.latest[k]
        for t in range(k * tasks, k * tasks + sight.size[k]):
            out.pe[t], out.end[t], out.waits[t] = base.pe[t], base.end[t], base.waits[t]
    lanes = sight.duration, sight.rest, out.free, out.lane
    for r in range(ready):
        t = base.task[r]
        pe, value, finish = base.where[r], base.value[r], base.finish[r]
        for e in range(pes):
            out.arrival[t, e] = base.arrival[t, e]
        if choice == STRAIGHT:
            pe, value, finish = _best_pe(True, pes, t, out.arrival, *lanes)
        out.task[r], out.where[r], out.finish[r] = t, pe, finish
        out.value[r] = _order(choice, sight.path[t], value)


@kernel(entry=False, allocates=False)
def _fitting_lane(free: Floats, first: int, behind: int, ready: float) -> int:
    """The lane that idles least before it begins what is ready at a time."""
    lane = first
    for p in range(first + 1, behind):
        late, best = free[p] > ready, free[lane] > ready
        if (late == best and (free[p] < free[lane]) == late and free[p] != free[lane]) or (
            best and not late
        ):
            lane = p
    return lane


@kernel(entry=False, allocates=False)
def play_on(
    candidate: tuple[int, int, float],  # its task, or -1 if it waits, its lane and its finish
    choice: int,
    steps: int,
    tasks: int,
    clock: float,
    ticks: bool,
    sight: Sight,
    base: Outlook,
    out: Outlook,
) -> float:
    """Sum over the jobs in the system of their ends after a candidate, as a pilot sees them."""
    _restart(choice, tasks, sight, base, out)
    (t, p, end), straight, r = candidate, choice == STRAIGHT, 0
    pes, ready, left = sight.counts[1], base.ready[0], steps
    path, first_lane, succ_ptr, succ = sight.path, sight.first_lane, sight.succ_ptr, sight.succ
    pred_ptr, pred, volume, slowness = sight.pred_ptr, sight.pred, sight.volume, sight.slowness
    duration, rest, free, lane = sight.duration, sight.rest, out.free, out.lane
    pe_of, end_of, waits, arrival, latest = out.pe, out.end, out.waits, out.arrival, out.latest
    task, value, finish, where = out.task, out.value, out.finish, out.where
    if t >= 0:
        left += 1
        while task[r] != t:
            r += 1
    while ready > 0 and left > 0:
        if t < 0:
            r = _first(ready, value, task, tasks, choice == OLDEST)
            t, end, pe = task[r], finish[r], where[r]
            p = _fitting_lane(free, first_lane[pe], first_lane[pe + 1], arrival[t, pe])
        pe, k = 0, t // tasks
        while first_lane[pe + 1] <= p:
            pe += 1
        pe_of[t], end_of[t], latest[k] = pe, end, max(latest[k], end)
        left -= 1
        ready -= 1
        task[r], value[r] = task[ready], value[ready]
        finish[r], where[r] = finish[ready], where[ready]
        before = free[lane[pe]]
        free[p] = max(free[p], end)
        lane[pe] = _soonest_lane(free, first_lane[pe], first_lane[pe + 1])
        if free[lane[pe]] > before:  # other PEs are as they were
            for other in range(ready):
                if where[other] == pe:
                    j = task[other]
                    to, worth, at = _best_pe(straight, pes, j, arrival, duration, rest, free, lane)
                    where[other], finish[other] = to, at
                    value[other] = _order(choice, path[j], worth)
        for n in range(succ_ptr[t], succ_ptr[t + 1]):
            j = succ[n]
            waits[j] -= 1
            if waits[j] > 0:
                continue
            inputs = pred_ptr, pred, volume, slowness
            _arrive(j, *inputs, pes, clock, ticks, pe_of, end_of, arrival)
            to, worth, at = _best_pe(straight, pes, j, arrival, duration, rest, free, lane)
            task[ready], where[ready], finish[ready] = j, to, at
            value[ready] = _order(choice, path[j], worth)
            ready += 1
        t = -1
    for r in range(ready):  # what there was no time for: the path that is left
        j = task[r]
        k = j // tasks
        latest[k] = max(latest[k], finish[r] + rest[j, where[r]])
    total = 0.0
    for k in range(sight.counts[0]):
        total += latest[k]
    return total
