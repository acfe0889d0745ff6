"""Fills the dynamic rows of plans, whose columns `features` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.soc.features import CAND, CTX, LEAST, LIMIT, NODE, RES, ROLE
from graphsched.envs.soc.physics.tasks import insert
from graphsched.envs.soc.plan.pilot import EFT, STAY, STRAIGHT, complete

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.plan.pilot import Scratch
    from graphsched.envs.soc.plan.state import PlanState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PILOTS = (
    (EFT, CAND.pilot_eft_over_best),
    (STRAIGHT, CAND.pilot_straight_over_best),
    (STAY, CAND.pilot_second_over_best),
)
COMPARED = (  # times, of which the best candidate's is taken off in the end
    CAND.eft_over_best,
    CAND.straight_over_best,
    CAND.pilot_eft_over_best,
    CAND.pilot_straight_over_best,
    CAND.pilot_second_over_best,
    CAND.pilot_over_best,
    CAND.pilot_mean_over_best,
)


@kernel(entry=False)
def _try(state: PlanState, b: int, c: int, choice: int, steps: int, scratch: Scratch) -> float:
    """What the pilot makes of the plan with candidate c."""
    size, lanes = state.size[b], state.lanes[b]
    scratch.lane[:size] = state.lane[b, :size]
    scratch.end[:size] = state.end[b, :size]
    scratch.filled[:lanes] = state.filled[b, :lanes]
    for p in range(lanes):
        for k in range(state.filled[b, p]):
            scratch.begin[p, k] = state.begin[b, p, k]
            scratch.finish[p, k] = state.finish[b, p, k]
    i, p, at = state.task[b, c], state.where[b, c], state.at[b, c]
    end = at + state.duration[b, i, p]
    insert(scratch.begin[p], scratch.finish[p], scratch.filled[p], state.place[b, c], at, end)
    scratch.filled[p] += 1
    scratch.lane[i], scratch.end[i] = p, end
    return complete(
        choice,
        p,
        steps,
        size,
        lanes,
        state.by_rank[b],
        state.duration[b],
        state.slowness[b],
        state.pred_ptr[b],
        state.pred[b],
        state.pred_volume[b],
        state.path[b],
        state.rest[b],
        state.ticks[b] != 0,
        scratch.lane,
        scratch.end,
        scratch.begin,
        scratch.finish,
        scratch.filled,
    )


@kernel(entry=False)
def _fill_candidate(state: PlanState, b: int, c: int, row: Floats) -> None:
    """A candidate's own quantities; times that are compared later stay raw."""
    i, p = state.task[b, c], state.where[b, c]
    unit, scale = state.unit[b], state.scale[b]
    at, length = state.at[b, c], state.duration[b, i, p]
    end, rest = at + length, state.rest[b, i, p]
    row[:] = 0.0
    row[CAND.duration] = np.log(max(length, LEAST) / max(state.least[b, i], LEAST))
    row[CAND.duration_share] = length / unit
    row[CAND.eft_over_best] = end
    row[CAND.lane_wait] = (at - state.ready_at[b, c]) / unit
    row[CAND.data_wait] = (state.ready_at[b, c] - state.now[b]) / unit
    row[CAND.path] = state.path[b, i] / scale
    row[CAND.path_below_best] = state.path[b, i]
    row[CAND.criticality] = (end + rest - state.now[b]) / scale
    row[CAND.straight_over_best] = end + rest
    row[CAND.head] = state.head[b, i] / scale
    count = state.filled[b, p]
    if state.place[b, c] == count:
        row[CAND.idle] = (at - (state.finish[b, p, count - 1] if count > 0 else 0.0)) / unit
    else:
        row[CAND.inserted] = 1.0
    row[CAND.lane_load] = state.load[b, p] / scale
    row[CAND.slowness] = length / max(state.least[b, i], LEAST) - 1.0
    local, total = 0.0, 0.0
    for e in range(state.pred_ptr[b, i], state.pred_ptr[b, i + 1]):
        total += state.pred_volume[b, e]
        if state.slowness[b, state.lane[b, state.pred[b, e]], p] == 0.0:
            local += state.pred_volume[b, e]
    row[CAND.local_inputs] = local / total if total > 0 else 1.0
    opens, longest = 0, 0.0
    for k in range(state.succ_ptr[b, i], state.succ_ptr[b, i + 1]):
        opens += state.waits[b, state.succ[b, k]] == 1
        longest = max(longest, state.path[b, state.succ[b, k]])
    row[CAND.output] = (rest - longest) / unit
    row[CAND.children] = np.log1p(state.succ_ptr[b, i + 1] - state.succ_ptr[b, i])
    row[CAND.opens] = np.log1p(opens)


@kernel(entry=False)
def _compare_tasks(state: PlanState, b: int, rows: Floats) -> None:
    """Columns that compare a task's own candidates; they stand side by side."""
    first = 0
    unit, eft = state.unit[b], rows[:, CAND.eft_over_best]
    straight = rows[:, CAND.straight_over_best]
    for c in range(1, len(rows) + 1):
        if c == len(rows) or state.task[b, c] != state.task[b, first]:
            gain = eft[first + 1] - eft[first] if c - first > 1 else LIMIT * unit
            least = straight[first:c].min()
            for k in range(first, c):
                rows[k, CAND.eft_over_task_best] = (eft[k] - eft[first]) / unit
                rows[k, CAND.straight_over_task_best] = (straight[k] - least) / unit
                rows[k, CAND.sufferage] = gain / unit
            first = c


@kernel(entry=False)
def _compare(rows: Floats, unit: float, pilots: bool) -> None:
    """Turn the raw times of some columns into differences to the best candidate."""
    highest = rows[:, CAND.path_below_best].max()
    for c in range(len(rows)):
        rows[c, CAND.path_below_best] = (highest - rows[c, CAND.path_below_best]) / unit
    for f in COMPARED:
        least = rows[:, f].min()
        for c in range(len(rows)):
            rows[c, f] = (rows[c, f] - least) / unit
    for c in range(len(rows)):
        if pilots:
            for _, f in PILOTS:
                rows[c, CAND.pilot_wins] += (rows[c, f] <= 0.0) / len(PILOTS)
        for f in range(rows.shape[1]):
            rows[c, f] = min(max(rows[c, f], -LIMIT), LIMIT)


@kernel(entry=False)
def _fill_lane(state: PlanState, b: int, p: int, row: Floats) -> None:
    count = state.filled[b, p]
    free = state.finish[b, p, count - 1] if count > 0 else 0.0
    row[RES.free] = min(max((free - state.now[b]) / state.unit[b], -LIMIT), LIMIT)
    row[RES.load] = state.load[b, p] / state.scale[b]
    row[RES.idle] = 1.0 - state.load[b, p] / free if free > 0 else 1.0
    row[RES.slowness] = state.lane_slowness[b, p]
    row[RES.support] = state.support[b, p]


@kernel(entry=False)
def _fill_context(state: PlanState, b: int, row: Floats) -> None:
    row[:] = 0.0
    row[CTX.candidates] = np.log(state.num_candidates[b])
    row[CTX.ready] = np.log1p(state.num_ready[b])
    row[CTX.progress] = state.planned[b] / state.size[b]
    row[CTX.tasks_per_lane] = np.log(state.size[b] / state.lanes[b])
    row[CTX.lanes] = np.log(state.lanes[b]) / 4.0
    row[CTX.ccr] = state.ccr[b]
    row[CTX.spread] = state.spread[b]
    row[CTX.jobs] = 1.0  # the job is there
    row[CTX.noise] = state.noise[b]


@kernel(entry=False)
def _fill_pilots(
    state: PlanState, b: int, c: int, steps: int, scratch: Scratch, row: Floats
) -> None:
    """What each pilot makes of a candidate."""
    best, total = np.inf, 0.0
    for choice, column in PILOTS:
        outcome = _try(state, b, c, choice, steps, scratch)
        row[column] = outcome
        best, total = min(best, outcome), total + outcome
    row[CAND.pilot_over_best], row[CAND.pilot_mean_over_best] = best, total / len(PILOTS)
    row[CAND.pilot] = (best - state.now[b]) / state.scale[b]


@kernel
def fill_rows(
    state: PlanState,
    slots: Ints,  # (N,)
    pilot_steps: int,
    scratch: Scratch,
    first_row: Ints,  # (B,) node-table row of each slot's graph
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
    wide = np.empty((state.task.shape[1], candidate.shape[1]))
    for k in range(len(slots)):
        b = slots[k]
        _fill_context(state, b, context[k])
        for p in range(state.lanes[b]):
            r = resource_ptr[k] + p
            resource_node[r] = first_row[b] + state.size[b] + p
            resource[r] = 0.0
            _fill_lane(state, b, p, resource[r])
        num = state.num_candidates[b]
        rows = wide[:num]
        for c in range(num):
            _fill_candidate(state, b, c, rows[c])
            if pilot_steps > 0:
                _fill_pilots(state, b, c, pilot_steps, scratch, rows[c])
            row = candidate_ptr[k] + c
            candidate_node[row, NODE.task] = first_row[b] + state.task[b, c]
            candidate_node[row, NODE.pe] = first_row[b] + state.size[b] + state.where[b, c]
            candidate_resource[row, ROLE.lane] = state.where[b, c]
        _compare_tasks(state, b, rows)
        _compare(rows, state.unit[b], pilot_steps > 0)
        for c in range(num):
            for f in range(candidate.shape[1]):
                candidate[candidate_ptr[k] + c, f] = rows[c, f]
