"""Fills the dynamic rows of streams, whose columns `features` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.features import CAND, CTX, LEAST, LIMIT, NODE, RES, ROLE
from graphsched.envs.soc.stream.pilot import LONGEST, OLDEST, SOONEST, STRAIGHT, look, play_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.stream.pilot import Outlook, Sight
    from graphsched.envs.soc.stream.state import StreamState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PILOTS = (
    (SOONEST, CAND.pilot_eft_over_best),
    (LONGEST, CAND.pilot_second_over_best),
    (STRAIGHT, CAND.pilot_straight_over_best),
    (OLDEST, CAND.pilot_oldest_over_best),
)
COMPARED = (CAND.eft_over_best, CAND.straight_over_best)  # times, of assignments only
COMPARED_WITH_WAITING = (
    CAND.pilot_eft_over_best,
    CAND.pilot_second_over_best,
    CAND.pilot_straight_over_best,
    CAND.pilot_oldest_over_best,
    CAND.pilot_over_best,
    CAND.pilot_mean_over_best,
)


@kernel(entry=False, allocates=False)
def _fill_candidate(
    state: StreamState, b: int, c: int, sight: Sight, base: Outlook, row: Floats
) -> None:
    """A candidate's own quantities; times that are compared later stay raw."""
    n, i, p = state.job[b, c], state.task[b, c], state.where[b, c]
    unit, scale, clock = state.unit[b], state.scale[b], state.clock[b]
    row[:] = 0.0
    if n < 0:
        row[CAND.defer] = 1.0
        row[CAND.next_end] = _next_end(state, b) / unit
        return
    q = state.kind[b, n]
    at, length = state.at[b, c], state.duration[b, q, i, p]
    end, rest = at + length, state.rest[b, q, i, p]
    row[CAND.duration] = np.log(max(length, LEAST) / max(state.least[b, q, i], LEAST))
    row[CAND.duration_share] = length / unit
    row[CAND.eft_over_best] = end
    row[CAND.lane_wait] = (at - state.ready_at[b, c]) / unit
    row[CAND.data_wait] = (state.ready_at[b, c] - clock) / unit
    row[CAND.path] = state.path[b, q, i] / scale
    row[CAND.path_below_best] = state.path[b, q, i]
    row[CAND.criticality] = (end + rest - clock) / scale
    row[CAND.straight_over_best] = end + rest
    row[CAND.head] = state.head[b, q, i] / scale
    row[CAND.idle] = (at - state.free[b, p]) / unit
    row[CAND.lane_load] = (state.free[b, p] - clock) / scale
    row[CAND.slowness] = length / max(state.least[b, q, i], LEAST) - 1.0
    local, total = 0.0, 0.0
    for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
        total += state.pred_volume[b, q, e]
        if state.slowness[b, state.lane[b, n, state.pred[b, q, e]], p] == 0.0:
            local += state.pred_volume[b, q, e]
    row[CAND.local_inputs] = local / total if total > 0 else 1.0
    opens, longest = 0, 0.0
    for k in range(state.succ_ptr[b, q, i], state.succ_ptr[b, q, i + 1]):
        opens += state.waits[b, n, state.succ[b, q, k]] == 1
        longest = max(longest, state.path[b, q, state.succ[b, q, k]])
    row[CAND.output] = (rest - longest) / unit
    row[CAND.children] = np.log1p(state.succ_ptr[b, q, i + 1] - state.succ_ptr[b, q, i])
    row[CAND.opens] = np.log1p(opens)
    row[CAND.harm] = _harm(state, b, sight, base, n, i, p, end) / unit
    row[CAND.queue] = np.log1p(state.queue[b, p])
    row[CAND.starts] = 1.0 if at <= clock else 0.0
    _fill_job(state, b, sight, n, row)
    row[CAND.job_slack] = (sight.bound[_place(state, b, n)] - end - rest) / unit


@kernel(entry=False, allocates=False)
def _place(state: StreamState, b: int, n: int) -> int:
    """Of a job among those in the system, which is how many are older."""
    k = 0
    while state.live[b, k] != n:
        k += 1
    return k


@kernel(entry=False, allocates=False)
def _fill_job(state: StreamState, b: int, sight: Sight, n: int, row: Floats) -> None:
    """What a candidate's job is like among those in the system."""
    q, k, scale = state.kind[b, n], _place(state, b, n), state.scale[b]
    row[CAND.job_age] = (state.clock[b] - state.arrival[b, n]) / scale
    row[CAND.job_left] = state.unassigned[b, n] / state.size[b, q]
    row[CAND.job_elders] = np.log1p(k)
    row[CAND.job_latency] = (sight.bound[k] - state.arrival[b, n]) / scale
    first = np.inf
    for other in range(state.num_live[b]):
        first = min(first, sight.bound[other])
    row[CAND.job_rest] = (sight.bound[k] - first) / scale
    work = 0.0
    for i in range(state.size[b, q]):
        if state.lane[b, n, i] < 0:
            work += state.least[b, q, i]
    row[CAND.job_work] = np.log1p(work / state.unit[b])


@kernel(entry=False, allocates=False)
def _harm(
    state: StreamState,
    b: int,
    sight: Sight,
    base: Outlook,
    n: int,
    i: int,
    p: int,
    end: float,
) -> float:
    """What earliest finishes of other ready tasks lose in sum if lane p is taken until ``end``."""
    lost, tasks, pe = 0.0, state.status.shape[2], state.lane_pe[b, p]
    free = end
    for lane in range(sight.first_lane[pe], sight.first_lane[pe + 1]):
        if lane != p:
            free = min(free, base.free[lane])
    for r in range(base.ready[0]):
        t = base.task[r]
        if base.where[r] != pe or (t % tasks == i and state.live[b, t // tasks] == n):
            continue
        finish = np.inf
        for e in range(sight.counts[1]):
            at = free if e == pe else base.free[base.lane[e]]
            finish = min(finish, max(base.arrival[t, e], at) + sight.duration[t, e])
        lost += finish - base.finish[r]
    return lost


@kernel(entry=False, allocates=False)
def _next_end(state: StreamState, b: int) -> float:
    """Until the first running task ends by its mean duration."""
    least = np.inf
    for p in range(state.lanes[b]):
        if state.running_job[b, p] >= 0:
            least = min(least, state.expected_end[b, p])
    return float(max(least - state.clock[b], 0.0)) if least < np.inf else 0.0


@kernel(entry=False, allocates=False)
def _demands(state: StreamState, b: int, out: Floats) -> float:
    """Least work of unassigned tasks for each lane of the PE that is quickest, (P,); their sum."""
    total = 0.0
    out[: state.lanes[b]] = 0.0
    for k in range(state.num_live[b]):
        n = state.live[b, k]
        q = state.kind[b, n]
        for i in range(state.size[b, q]):
            if state.lane[b, n, i] < 0:
                total += state.least[b, q, i]
                out[state.home[b, q, i]] += state.least[b, q, i]
    for p in range(state.lanes[b] - 1, -1, -1):  # downward: a PE's number is never above its lanes
        pe, lanes = state.lane_pe[b, p], 0
        for other in range(state.lanes[b]):
            lanes += state.lane_pe[b, other] == pe
        out[p] = out[pe] / lanes
    return total


@kernel(entry=False, allocates=False)
def _least(rows: Floats, f: int, begin: int, behind: int) -> float:
    """Of a column, over some rows."""
    out = np.inf
    for c in range(begin, behind):
        out = min(out, rows[c, f])
    return out


@kernel(entry=False, allocates=False)
def _compare(state: StreamState, b: int, pilots: bool, rows: Floats) -> None:
    """Differences to the best candidate of the task, and of all."""
    unit, eft = state.unit[b], rows[:, CAND.eft_over_best]
    straight = rows[:, CAND.straight_over_best]
    real = len(rows)
    if rows[real - 1, CAND.defer] > 0:
        real -= 1
    first = 0
    for c in range(1, real + 1):
        same = c < real and state.job[b, c] == state.job[b, first]
        if same and state.task[b, c] == state.task[b, first]:
            continue
        gain = eft[first + 1] - eft[first] if c - first > 1 else LIMIT * unit
        least = _least(rows, CAND.straight_over_best, first, c)
        for k in range(first, c):
            rows[k, CAND.eft_over_task_best] = (eft[k] - eft[first]) / unit
            rows[k, CAND.straight_over_task_best] = (straight[k] - least) / unit
            rows[k, CAND.sufferage] = gain / unit
        first = c
    highest = 0.0
    for c in range(real):
        highest = max(highest, rows[c, CAND.path_below_best])
    for c in range(real):
        rows[c, CAND.path_below_best] = (highest - rows[c, CAND.path_below_best]) / unit
    for f in COMPARED:
        least = _least(rows, f, 0, real)
        for c in range(real):
            rows[c, f] = (rows[c, f] - least) / unit
    for f in COMPARED_WITH_WAITING:
        least = _least(rows, f, 0, len(rows))
        for c in range(len(rows)):
            rows[c, f] = (rows[c, f] - least) / unit
    for c in range(len(rows)):
        if pilots:
            for _, f in PILOTS:
                rows[c, CAND.pilot_wins] += (rows[c, f] <= 0.0) / len(PILOTS)
        for f in range(rows.shape[1]):
            rows[c, f] = min(max(rows[c, f], -LIMIT), LIMIT)


@kernel(entry=False, allocates=False)
def _mean_size(state: StreamState, b: int) -> float:
    total = 0.0
    for q in range(state.kinds[b]):
        total += state.size[b, q]
    return total / float(state.kinds[b])


@kernel(entry=False, allocates=False)
def _fill_slot(state: StreamState, b: int, work: float, context: Floats, lanes: Floats) -> None:
    unit, clock = state.unit[b], state.clock[b]
    context[CTX.candidates] = np.log(state.num_candidates[b])
    context[CTX.ready] = np.log1p(state.num_ready[b])
    context[CTX.progress] = clock / state.horizon[b]
    context[CTX.tasks_per_lane] = np.log(_mean_size(state, b) / state.lanes[b])
    context[CTX.lanes] = np.log(state.lanes[b]) / 4.0
    context[CTX.ccr] = state.ccr[b]
    context[CTX.spread] = state.spread[b]
    context[CTX.stream] = 1.0
    context[CTX.jobs] = state.num_live[b] / state.most_live[b]
    context[CTX.noise] = state.noise[b]
    context[CTX.work] = np.log1p(work / state.lanes[b] / unit)
    context[CTX.gap] = min(
        max(np.log(max(state.mean_gap[b], LEAST) / state.scale[b]), -LIMIT), LIMIT
    )
    context[CTX.turned_away] = 1.0 - state.queues[b]
    for p in range(state.lanes[b]):
        lanes[p, RES.free] = min((state.free[b, p] - clock) / unit, LIMIT)
        lanes[p, RES.load] = min((state.free[b, p] - clock) / state.scale[b], LIMIT)
        lanes[p, RES.idle] = 1.0 - state.busy[b, p] / clock if clock > 0 else 1.0
        lanes[p, RES.slowness] = state.lane_slowness[b, p]
        lanes[p, RES.support] = state.support[b, p]
        lanes[p, RES.queue] = np.log1p(state.queue[b, p])


@kernel(entry=False, allocates=False)
def _fill_pilots(
    state: StreamState,
    b: int,
    c: int,
    steps: int,
    sight: Sight,
    base: Outlook,
    outlook: Outlook,
    row: Floats,
) -> None:
    """What each pilot makes of a candidate."""
    best, total, tasks = np.inf, 0.0, state.status.shape[2]
    t, p, end = -1, -1, 0.0
    if state.job[b, c] >= 0:
        n, i, p = state.job[b, c], state.task[b, c], state.where[b, c]
        t = _place(state, b, n) * tasks + i
        end = state.at[b, c] + state.duration[b, state.kind[b, n], i, p]
    clock, ticks = state.clock[b], state.ticks[b] != 0
    for choice, column in PILOTS:
        candidate = t, p, end
        outcome = play_on(candidate, choice, steps, tasks, clock, ticks, sight, base, outlook)
        row[column] = outcome
        best, total = min(best, outcome), total + outcome
    row[CAND.pilot_over_best], row[CAND.pilot_mean_over_best] = best, total / len(PILOTS)
    mean_end = best / max(state.num_live[b], 1)
    row[CAND.pilot] = (mean_end - state.clock[b]) / state.scale[b]


@kernel
def fill_rows(
    state: StreamState,
    slots: Ints,  # (N,)
    pilot_steps: int,
    sight: Sight,  # scratch
    base: Outlook,  # scratch
    outlook: Outlook,  # scratch
    first_row: Ints,  # (B, kinds) node-table rows of each slot's graphs
    candidate_ptr: Ints,  # (N + 1,)
    resource_ptr: Ints,  # (N + 1,)
    context: NDArray[np.float32],  # out
    candidate: NDArray[np.float32],  # out
    candidate_node: Ints,  # (C, 2) out
    candidate_resource: Ints,  # (C, 1) out
    resource: NDArray[np.float32],  # out
    resource_node: Ints,  # (R,) out
) -> None:
    """Dynamic rows of all waiting slots."""
    lanes = state.free.shape[1]
    wide, demand = np.empty((state.job.shape[1], candidate.shape[1])), np.empty(lanes)
    wide_context, wide_lanes = np.zeros(context.shape[1]), np.zeros((lanes, resource.shape[1]))
    for k in range(len(slots)):
        b = slots[k]
        _fill_slot(state, b, _demands(state, b, demand), wide_context, wide_lanes)
        for f in range(context.shape[1]):
            context[k, f] = wide_context[f]
        for p in range(state.lanes[b]):
            r = resource_ptr[k] + p
            for f in range(resource.shape[1]):
                resource[r, f] = wide_lanes[p, f]
        look(state, b, sight, base)
        num = state.num_candidates[b]
        rows = wide[:num]
        for c in range(num):
            _fill_candidate(state, b, c, sight, base, rows[c])
            if pilot_steps > 0:
                _fill_pilots(state, b, c, pilot_steps, sight, base, outlook, rows[c])
            if state.job[b, c] >= 0:
                row = candidate_ptr[k] + c
                q = state.kind[b, state.job[b, c]]
                task_row, lane = first_row[b, q], state.where[b, c]
                rows[c, CAND.demand] = np.log1p(demand[lane] / state.unit[b])
                candidate_node[row, NODE.task] = task_row + state.task[b, c]
                candidate_node[row, NODE.pe] = task_row + state.size[b, q] + lane
                candidate_resource[row, ROLE.lane] = lane
        _compare(state, b, pilot_steps > 0, rows)
        for c in range(num):
            for f in range(candidate.shape[1]):
                candidate[candidate_ptr[k] + c, f] = rows[c, f]
