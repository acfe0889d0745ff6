"""Fills the dynamic rows of streams, whose columns `features` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.features import CAND, CTX, NODE, RES, ROLE
from graphsched.envs.soc.stream.pilot import RANKED, SOONEST, look, play_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.stream.pilot import Scratch
    from graphsched.envs.soc.stream.state import StreamState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LIMIT = 20.0
PILOTS = ((SOONEST, CAND.pilot_eft_over_best), (RANKED, CAND.pilot_second_over_best))
COMPARED = (CAND.eft_over_best, CAND.oct_over_best)  # times, of assignments only
COMPARED_WITH_WAITING = (
    CAND.pilot_eft_over_best,
    CAND.pilot_second_over_best,
    CAND.pilot_over_best,
)


@kernel(entry=False)
def _fill_candidate(state: StreamState, b: int, c: int, row: Floats) -> None:
    """A candidate's own quantities; times that are compared later stay raw."""
    n, i, p = state.job[b, c], state.task[b, c], state.where[b, c]
    unit, scale, clock = state.unit[b], state.scale[b], state.clock[b]
    row[:] = 0.0
    if n < 0:
        row[CAND.defer] = 1.0
        return
    q = state.kind[b, n]
    at, length = state.at[b, c], state.duration[b, q, i, p]
    end = at + length
    row[CAND.duration] = length / max(state.mean[b, q, i], 1e-9)
    row[CAND.duration_share] = length / unit
    row[CAND.eft_over_best] = end
    row[CAND.lane_wait] = (at - state.ready_at[b, c]) / unit
    row[CAND.data_wait] = (state.ready_at[b, c] - clock) / unit
    row[CAND.rank_up] = state.rank_up[b, q, i] / scale
    row[CAND.rank_up_below_best] = state.rank_up[b, q, i]
    row[CAND.criticality] = (end + state.rank_up[b, q, i] - state.mean[b, q, i] - clock) / scale
    row[CAND.oct_over_best] = end + state.oct[b, q, i, p]
    row[CAND.rank_down] = state.rank_down[b, q, i] / scale
    row[CAND.idle] = (at - state.free[b, p]) / unit
    row[CAND.lane_load] = (state.free[b, p] - clock) / scale
    row[CAND.slowness] = min(length / max(state.least[b, q, i], 1e-9) - 1.0, LIMIT)
    local, total = 0.0, 0.0
    for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
        total += state.pred_volume[b, q, e]
        if state.slowness[b, state.lane[b, n, state.pred[b, q, e]], p] == 0.0:
            local += state.pred_volume[b, q, e]
    row[CAND.local_inputs] = local / total if total > 0 else 1.0
    opens, most = 0, 0.0
    for k in range(state.succ_ptr[b, q, i], state.succ_ptr[b, q, i + 1]):
        opens += state.waits[b, n, state.succ[b, q, k]] == 1
        most = max(most, state.succ_volume[b, q, k])
    row[CAND.output] = most * state.mean_slowness[b] / unit
    row[CAND.children] = np.log1p(state.succ_ptr[b, q, i + 1] - state.succ_ptr[b, q, i])
    row[CAND.opens] = np.log1p(opens)
    row[CAND.job_age] = (clock - state.arrival[b, n]) / scale
    row[CAND.job_left] = state.unassigned[b, n] / state.size[b, q]
    elders = 0
    while state.live[b, elders] != n:
        elders += 1
    row[CAND.job_elders] = np.log1p(elders)
    row[CAND.queue] = np.log1p(state.queue[b, p])


@kernel(entry=False)
def _compare(state: StreamState, b: int, rows: Floats) -> None:
    """Differences to the best candidate of the task, and of all."""
    unit, eft = state.unit[b], rows[:, CAND.eft_over_best]
    real = len(rows)
    if rows[real - 1, CAND.defer] > 0:
        real -= 1
    first = 0
    for c in range(1, real + 1):
        same = c < real and state.job[b, c] == state.job[b, first]
        if same and state.task[b, c] == state.task[b, first]:
            continue
        gain = eft[first + 1] - eft[first] if c - first > 1 else LIMIT * unit
        for k in range(first, c):
            rows[k, CAND.eft_over_task_best] = (eft[k] - eft[first]) / unit
            rows[k, CAND.sufferage] = gain / unit
        first = c
    highest = rows[:real, CAND.rank_up_below_best].max()
    for c in range(real):
        rows[c, CAND.rank_up_below_best] = (highest - rows[c, CAND.rank_up_below_best]) / unit
    for f in COMPARED:
        least = rows[:real, f].min()
        for c in range(real):
            rows[c, f] = (rows[c, f] - least) / unit
    for f in COMPARED_WITH_WAITING:
        least = rows[:, f].min()
        for c in range(len(rows)):
            rows[c, f] = (rows[c, f] - least) / unit
    for c in range(len(rows)):
        for f in range(rows.shape[1]):
            rows[c, f] = min(max(rows[c, f], -LIMIT), LIMIT)


@kernel(entry=False)
def _fill_slot(state: StreamState, b: int, context: Floats, lanes: Floats) -> None:
    unit, clock = state.unit[b], state.clock[b]
    context[CTX.candidates] = np.log(state.num_candidates[b])
    context[CTX.ready] = np.log1p(state.num_ready[b])
    context[CTX.progress] = clock / state.horizon[b]
    context[CTX.tasks_per_lane] = np.log(state.size[b, : state.kinds[b]].mean() / state.lanes[b])
    context[CTX.lanes] = np.log(state.lanes[b]) / 4.0
    context[CTX.ccr] = state.ccr[b]
    context[CTX.stream] = 1.0
    context[CTX.jobs] = state.num_live[b] / state.most_live[b]
    context[CTX.noise] = state.noise[b]
    for p in range(state.lanes[b]):
        lanes[p, RES.free] = min((state.free[b, p] - clock) / unit, LIMIT)
        lanes[p, RES.load] = min((state.free[b, p] - clock) / state.scale[b], LIMIT)
        lanes[p, RES.idle] = 1.0 - state.busy[b, p] / clock if clock > 0 else 1.0
        lanes[p, RES.slowness] = state.lane_slowness[b, p]
        lanes[p, RES.support] = state.support[b, p]
        lanes[p, RES.queue] = np.log1p(state.queue[b, p])


@kernel
def fill_rows(
    state: StreamState,
    slots: Ints,  # (N,)
    pilot_steps: int,
    base: Scratch,  # scratch
    outlook: Scratch,  # scratch
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
    wide = np.empty((state.job.shape[1], candidate.shape[1]))
    wide_context, wide_lanes = np.zeros(context.shape[1]), np.zeros((lanes, resource.shape[1]))
    for k in range(len(slots)):
        b = slots[k]
        _fill_slot(state, b, wide_context, wide_lanes)
        for f in range(context.shape[1]):
            context[k, f] = wide_context[f]
        for p in range(state.lanes[b]):
            r = resource_ptr[k] + p
            for f in range(resource.shape[1]):
                resource[r, f] = wide_lanes[p, f]
        if pilot_steps > 0:
            look(state, b, base)
        num = state.num_candidates[b]
        rows = wide[:num]
        for c in range(num):
            _fill_candidate(state, b, c, rows[c])
            best = np.inf
            for choice, column in PILOTS:
                outcome = 0.0
                if pilot_steps > 0:
                    outcome = play_on(state, b, c, choice, pilot_steps, base, outlook)
                rows[c, column] = outcome
                best = min(best, outcome)
            rows[c, CAND.pilot_over_best] = best
            mean_end = best / max(state.num_live[b], 1)
            rows[c, CAND.pilot] = (mean_end - state.clock[b]) / state.scale[b]
            if state.job[b, c] >= 0:
                row = candidate_ptr[k] + c
                q = state.kind[b, state.job[b, c]]
                task_row, lane = first_row[b, q], state.where[b, c]
                candidate_node[row, NODE.task] = task_row + state.task[b, c]
                candidate_node[row, NODE.pe] = task_row + state.size[b, q] + lane
                candidate_resource[row, ROLE.lane] = lane
        _compare(state, b, rows)
        for c in range(num):
            for f in range(candidate.shape[1]):
                candidate[candidate_ptr[k] + c, f] = rows[c, f]
