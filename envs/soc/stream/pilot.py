"""Looking ahead in a stream: what plain rules would make of each candidate.

The pilots plan all unassigned tasks of the jobs in the system after each candidate, by mean
durations, as if no job came any more: always the task that can finish first (as ETF does), or that
of highest upward rank, on the lane of earliest finish. Their outcome is the sum of the jobs' ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.physics.tasks import transfer
from graphsched.envs.soc.stream.state import FINISHED, READY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.stream.state import StreamState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SOONEST, RANKED = 0, 1


class Scratch(NamedTuple):
    """A situation to play on from. K jobs in the system, N tasks, P lanes."""

    lane: Ints  # (K, N) -1 where nothing is planned
    end: Floats  # (K, N)
    waits: Ints  # (K, N) predecessors that are not planned
    arrival: Floats  # (K, N, P) of the data of tasks that wait for none
    latest: Floats  # (K,) end of each job so far
    free: Floats  # (P,)
    job: Ints  # (K * N,) tasks that wait for no other: place of the job among the live ones
    task: Ints  # (K * N,)
    finish: Floats  # (K * N,) earliest finish
    where: Ints  # (K * N,) lane for it
    ready: Ints  # (1,) number of tasks that wait for no other


def empty_scratch(live: int, tasks: int, lanes: int) -> Scratch:
    """Room for that many jobs, tasks and lanes."""
    return Scratch(
        np.empty((live, tasks), np.int64),
        np.empty((live, tasks)),
        np.empty((live, tasks), np.int64),
        np.empty((live, tasks, lanes)),
        np.empty(live),
        np.empty(lanes),
        np.empty(live * tasks, np.int64),
        np.empty(live * tasks, np.int64),
        np.empty(live * tasks),
        np.empty(live * tasks, np.int64),
        np.zeros(1, np.int64),
    )


@kernel(entry=False)
def _find_soonest(state: StreamState, b: int, out: Scratch, r: int) -> None:
    """Earliest finish of a ready task as lanes stand."""
    k, i = out.job[r], out.task[r]
    q = state.kind[b, state.live[b, k]]
    best, where = np.inf, -1
    for p in range(state.lanes[b]):
        finish = max(out.arrival[k, i, p], out.free[p]) + state.duration[b, q, i, p]
        if finish < best:
            best, where = finish, p
    out.finish[r], out.where[r] = best, where


@kernel(entry=False)
def _open(state: StreamState, b: int, out: Scratch, k: int, i: int) -> None:
    """A task waits for no other any more."""
    q = state.kind[b, state.live[b, k]]
    lanes, ticks = state.lanes[b], state.ticks[b] != 0
    for p in range(lanes):
        out.arrival[k, i, p] = state.clock[b]
    for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
        j = state.pred[b, q, e]
        for p in range(lanes):
            time = transfer(state.pred_volume[b, q, e], state.slowness[b, out.lane[k, j], p], ticks)
            out.arrival[k, i, p] = max(out.arrival[k, i, p], out.end[k, j] + time)
    r = out.ready[0]
    out.job[r], out.task[r] = k, i
    out.ready[0] = r + 1
    _find_soonest(state, b, out, r)


@kernel(entry=False)
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


@kernel(entry=False)
def look(state: StreamState, b: int, out: Scratch) -> None:
    """The situation as it is."""
    out.ready[0] = 0
    for p in range(state.lanes[b]):
        out.free[p] = max(state.free[b, p], state.clock[b])
    for k in range(state.num_live[b]):
        n = state.live[b, k]
        q = state.kind[b, n]
        out.latest[k] = state.clock[b]
        for i in range(state.size[b, q]):
            out.lane[k, i] = state.lane[b, n, i]
            out.waits[k, i] = 0
            if state.status[b, n, i] > READY:
                out.end[k, i] = _expected_end(state, b, n, i)
                out.latest[k] = max(out.latest[k], out.end[k, i])
        for i in range(state.size[b, q]):
            if out.lane[k, i] < 0:
                for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
                    out.waits[k, i] += out.lane[k, state.pred[b, q, e]] < 0
                if out.waits[k, i] == 0:
                    _open(state, b, out, k, i)


@kernel(entry=False)
def _restart(state: StreamState, b: int, base: Scratch, out: Scratch) -> None:
    live, lanes, ready = state.num_live[b], state.lanes[b], base.ready[0]
    out.ready[0] = ready
    for p in range(lanes):
        out.free[p] = base.free[p]
    for r in range(ready):
        k, i = base.job[r], base.task[r]
        out.job[r], out.task[r] = k, i
        out.finish[r], out.where[r] = base.finish[r], base.where[r]
        for p in range(lanes):
            out.arrival[k, i, p] = base.arrival[k, i, p]
    for k in range(live):
        out.latest[k] = base.latest[k]
        for i in range(state.size[b, state.kind[b, state.live[b, k]]]):
            out.lane[k, i], out.end[k, i] = base.lane[k, i], base.end[k, i]
            out.waits[k, i] = base.waits[k, i]


@kernel(entry=False)
def _plan(state: StreamState, b: int, out: Scratch, r: int, p: int, end: float) -> None:
    """The ready task at place r ends on a lane at a time."""
    k, i = out.job[r], out.task[r]
    q = state.kind[b, state.live[b, k]]
    out.lane[k, i], out.end[k, i] = p, end
    out.latest[k] = max(out.latest[k], end)
    out.free[p] = max(out.free[p], end)
    out.ready[0] -= 1
    for later in range(r, out.ready[0]):
        out.job[later], out.task[later] = out.job[later + 1], out.task[later + 1]
        out.finish[later], out.where[later] = out.finish[later + 1], out.where[later + 1]
    for other in range(out.ready[0]):
        if out.where[other] == p:  # other lanes are as they were
            _find_soonest(state, b, out, other)
    for e in range(state.succ_ptr[b, q, i], state.succ_ptr[b, q, i + 1]):
        j = state.succ[b, q, e]
        out.waits[k, j] -= 1
        if out.waits[k, j] == 0:
            _open(state, b, out, k, j)


@kernel(entry=False)
def _first(state: StreamState, b: int, out: Scratch, choice: int) -> int:
    """Place of the ready task that a rule plans next."""
    best, least = 0, np.inf
    for r in range(out.ready[0]):
        value = out.finish[r]
        if choice == RANKED:
            q = state.kind[b, state.live[b, out.job[r]]]
            value = -state.rank_up[b, q, out.task[r]]
        if value < least:
            best, least = r, value
    return best


@kernel(entry=False)
def play_on(
    state: StreamState, b: int, c: int, choice: int, steps: int, base: Scratch, out: Scratch
) -> float:
    """Sum over the jobs in the system of their ends after candidate c, as a pilot sees them."""
    _restart(state, b, base, out)
    if state.job[b, c] >= 0:
        i, p, r = state.task[b, c], state.where[b, c], 0
        while state.live[b, out.job[r]] != state.job[b, c] or out.task[r] != i:
            r += 1
        length = state.duration[b, state.kind[b, state.job[b, c]], i, p]
        _plan(state, b, out, r, p, state.at[b, c] + length)
    for _ in range(steps):
        if out.ready[0] == 0:
            break
        r = _first(state, b, out, choice)
        _plan(state, b, out, r, out.where[r], out.finish[r])
    total = 0.0
    for k in range(state.num_live[b]):
        latest = out.latest[k]
        for r in range(out.ready[0]):  # what there was no time for: the path that is left
            if out.job[r] == k:
                i, q = out.task[r], state.kind[b, state.live[b, k]]
                rest = state.rank_up[b, q, i] - state.mean[b, q, i]
                latest = max(latest, out.finish[r] + rest)
        total += latest
    return total
