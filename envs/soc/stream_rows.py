"""Fills the dynamic rows of the streaming mode, whose columns `features` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.jit import kernel
from graphsched.envs.soc.stream_pilot import RANKED, SOONEST, look, play_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.stream_pilot import Outlook
    from graphsched.envs.soc.stream_state import StreamState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LIMIT = 20.0


@kernel(entry=False)
def _fill_candidate(state: StreamState, b: int, c: int, row: Floats) -> None:
    """A candidate's own quantities; times that are compared later stay raw."""
    n, i, p = state.job[b, c], state.task[b, c], state.where[b, c]
    unit, scale, clock = state.unit[b], state.scale[b], state.clock[b]
    row[:] = 0.0
    if n < 0:
        row[29] = 1.0
        return
    q = state.kind[b, n]
    at, length = state.at[b, c], state.duration[b, q, i, p]
    end = at + length
    row[0] = length / max(state.mean[b, q, i], 1e-9)
    row[1] = length / unit
    row[2] = end
    row[4] = (at - state.ready_at[b, c]) / unit
    row[5] = (state.ready_at[b, c] - clock) / unit
    row[6] = state.rank_up[b, q, i] / scale
    row[7] = state.rank_up[b, q, i]
    row[8] = (end + state.rank_up[b, q, i] - state.mean[b, q, i] - clock) / scale
    row[9] = end + state.oct[b, q, i, p]
    row[10] = state.rank_down[b, q, i] / scale
    row[11] = (at - state.free[b, p]) / unit
    row[13] = (state.free[b, p] - clock) / scale
    row[14] = min(length / max(state.least[b, q, i], 1e-9) - 1.0, LIMIT)
    local, total = 0.0, 0.0
    for e in range(state.pred_ptr[b, q, i], state.pred_ptr[b, q, i + 1]):
        total += state.pred_volume[b, q, e]
        if state.slowness[b, state.lane[b, n, state.pred[b, q, e]], p] == 0.0:
            local += state.pred_volume[b, q, e]
    row[15] = local / total if total > 0 else 1.0
    opens, most = 0, 0.0
    for k in range(state.succ_ptr[b, q, i], state.succ_ptr[b, q, i + 1]):
        opens += state.waits[b, n, state.succ[b, q, k]] == 1
        most = max(most, state.succ_volume[b, q, k])
    row[16] = most * state.mean_slowness[b] / unit
    row[17] = np.log1p(state.succ_ptr[b, q, i + 1] - state.succ_ptr[b, q, i])
    row[18] = np.log1p(opens)
    row[25] = (clock - state.arrival[b, n]) / scale
    row[26] = state.unassigned[b, n] / state.size[b, q]
    elders = 0
    while state.live[b, elders] != n:
        elders += 1
    row[27] = np.log1p(elders)
    row[28] = np.log1p(state.queue[b, p])


@kernel(entry=False)
def _compare(state: StreamState, b: int, rows: Floats) -> None:
    """Differences to the best candidate of the task, and of all."""
    unit = state.unit[b]
    real = len(rows)
    if rows[real - 1, 29] > 0:
        real -= 1
    first = 0
    for c in range(1, real + 1):
        same = c < real and state.job[b, c] == state.job[b, first]
        if same and state.task[b, c] == state.task[b, first]:
            continue
        gain = rows[first + 1, 2] - rows[first, 2] if c - first > 1 else LIMIT * unit
        for k in range(first, c):
            rows[k, 3] = (rows[k, 2] - rows[first, 2]) / unit
            rows[k, 19] = gain / unit
        first = c
    highest = rows[:real, 7].max()
    for c in range(real):
        rows[c, 7] = (highest - rows[c, 7]) / unit
    for f in (2, 9):
        least = rows[:real, f].min()
        for c in range(real):
            rows[c, f] = (rows[c, f] - least) / unit
    for f in (20, 21, 23):  # waiting is compared as well
        least = rows[:, f].min()
        for c in range(len(rows)):
            rows[c, f] = (rows[c, f] - least) / unit
    for c in range(len(rows)):
        for f in range(rows.shape[1]):
            rows[c, f] = min(max(rows[c, f], -LIMIT), LIMIT)


@kernel(entry=False)
def _fill_slot(state: StreamState, b: int, context: Floats, lanes: Floats) -> None:
    unit, clock = state.unit[b], state.clock[b]
    context[0] = np.log(state.num_candidates[b])
    context[1] = np.log1p(state.num_ready[b])
    context[2] = clock / state.horizon[b]
    context[3] = np.log(state.size[b, : state.kinds[b]].mean() / state.lanes[b])
    context[4] = np.log(state.lanes[b]) / 4.0
    context[5] = state.ccr[b]
    context[6] = 1.0
    context[7] = state.num_live[b] / state.most_live[b]
    context[8] = state.noise[b]
    for p in range(state.lanes[b]):
        lanes[p, 0] = min((state.free[b, p] - clock) / unit, LIMIT)
        lanes[p, 1] = min((state.free[b, p] - clock) / state.scale[b], LIMIT)
        lanes[p, 2] = 1.0 - state.busy[b, p] / clock if clock > 0 else 1.0
        lanes[p, 3] = state.lane_slowness[b, p]
        lanes[p, 4] = state.support[b, p]
        lanes[p, 5] = np.log1p(state.queue[b, p])


@kernel
def fill_stream_rows(
    state: StreamState,
    slots: Ints,  # (N,)
    pilot_steps: int,
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
            for choice in (SOONEST, RANKED):
                outcome = 0.0
                if pilot_steps > 0:
                    outcome = play_on(state, b, c, choice, pilot_steps, base, outlook)
                rows[c, 20 + choice] = outcome
                best = min(best, outcome)
            rows[c, 23] = best
            rows[c, 24] = (best / max(state.num_live[b], 1) - state.clock[b]) / state.scale[b]
            if state.job[b, c] >= 0:
                row = candidate_ptr[k] + c
                q = state.kind[b, state.job[b, c]]
                candidate_node[row, 0] = first_row[b, q] + state.task[b, c]
                candidate_node[row, 1] = first_row[b, q] + state.size[b, q] + state.where[b, c]
                candidate_resource[row, 0] = state.where[b, c]
        _compare(state, b, rows)
        for c in range(num):
            for f in range(candidate.shape[1]):
                candidate[candidate_ptr[k] + c, f] = rows[c, f]
