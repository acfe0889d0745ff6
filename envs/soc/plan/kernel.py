"""Static mode: a plan is built task by task, each placed into the first gap that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING
from graphsched.envs.soc.physics.tasks import find_gap, insert, transfer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.soc.plan.state import PlanState

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@kernel(entry=False)
def _place(state: PlanState, b: int, c: int) -> None:
    """Plan candidate c."""
    i, p = state.task[b, c], state.where[b, c]
    at = state.at[b, c]
    end = at + state.duration[b, i, p]
    insert(state.begin[b, p], state.finish[b, p], state.filled[b, p], state.place[b, c], at, end)
    state.filled[b, p] += 1
    state.load[b, p] += end - at
    state.lane[b, i], state.start[b, i], state.end[b, i] = p, at, end
    state.planned[b] += 1
    state.num_ready[b] -= 1
    state.bound[b] = max(state.bound[b], end + state.tail[b, i])
    for k in range(state.succ_ptr[b, i], state.succ_ptr[b, i + 1]):
        state.waits[b, state.succ[b, k]] -= 1
        state.num_ready[b] += state.waits[b, state.succ[b, k]] == 0
    while state.front[b] < state.size[b] and state.lane[b, state.by_rank[b, state.front[b]]] >= 0:
        state.front[b] += 1


@kernel(entry=False)
def _add_task(state: PlanState, b: int, i: int, most: int, eft: Floats, count: int) -> int:
    """Candidates of task i: the lanes of earliest finish, ``most`` at most; returns their number.

    The home lane takes the last place if it has none, so that all in one place is always on offer.
    """
    lanes, home = state.lanes[b], state.home[b]
    first = count
    home_ready, home_start, home_place, home_listed = -1.0, 0.0, 0, False
    pred_ptr, pred, volume = state.pred_ptr[b], state.pred[b], state.pred_volume[b]
    slowness, ends, lane = state.slowness[b], state.end[b], state.lane[b]
    ticks = state.ticks[b] != 0
    for p in range(lanes):
        length = state.duration[b, i, p]
        if length == np.inf:
            continue
        ready = 0.0
        for e in range(pred_ptr[i], pred_ptr[i + 1]):
            time = transfer(volume[e], slowness[lane[pred[e]], p], ticks)
            ready = max(ready, ends[pred[e]] + time)
        start, place = find_gap(
            state.begin[b, p], state.finish[b, p], state.filled[b, p], ready, length
        )
        if p == home:
            home_ready, home_start, home_place = ready, start, place
        value = start + length
        at = count
        while at > first and eft[at - 1] > value:
            at -= 1
        if at - first >= most:
            continue
        if count - first < most:
            count += 1
        for k in range(count - 1, at, -1):
            eft[k] = eft[k - 1]
            state.where[b, k], state.ready_at[b, k] = (
                state.where[b, k - 1],
                state.ready_at[b, k - 1],
            )
            state.at[b, k], state.place[b, k] = state.at[b, k - 1], state.place[b, k - 1]
        eft[at] = value
        state.task[b, count - 1] = i
        state.where[b, at], state.ready_at[b, at] = p, ready
        state.at[b, at], state.place[b, at] = start, place
    for k in range(first, count):
        home_listed |= state.where[b, k] == home
    if home_ready >= 0 and not home_listed:
        state.where[b, count - 1], state.ready_at[b, count - 1] = home, home_ready
        state.at[b, count - 1], state.place[b, count - 1] = home_start, home_place
    return count


@kernel(entry=False)
def _find_candidates(state: PlanState, b: int, max_ready: int, max_lanes: int) -> None:
    """The ready tasks of highest upward rank, each on its best lanes."""
    eft = np.empty(state.task.shape[1])
    count, tasks = 0, 0
    most = min(max_ready, state.num_ready[b])
    for at in range(state.front[b], state.size[b]):
        i = state.by_rank[b, at]
        if state.lane[b, i] < 0 and state.waits[b, i] == 0:
            count = _add_task(state, b, i, max_lanes, eft, count)
            tasks += 1
            if tasks == most:
                break
    now = np.inf
    for c in range(count):
        now = min(now, state.at[b, c])
    state.now[b] = now
    state.num_candidates[b] = count


@kernel(entry=False)
def _advance(state: PlanState, b: int, max_ready: int, max_lanes: int) -> None:
    """Take forced moves until there is a choice or the plan is complete."""
    while state.planned[b] < state.size[b]:
        _find_candidates(state, b, max_ready, max_lanes)
        last_chance = state.decisions[b] == 0 and state.planned[b] == state.size[b] - 1
        if state.num_candidates[b] > 1 or last_chance:
            state.status[b] = WAITING
            return
        _place(state, b, 0)
    state.status[b] = DONE


@kernel
def begin_slots(state: PlanState, slots: Ints, max_ready: int, max_lanes: int) -> None:
    """First decisions of freshly loaded slots. slots: (S,)."""
    for b in slots:
        state.paid_bound[b] = state.bound[b]
        _advance(state, b, max_ready, max_lanes)


@kernel
def step_slots(
    state: PlanState,
    slots: Ints,  # (N,)
    actions: Ints,  # (N,) in range
    max_ready: int,
    max_lanes: int,
    rewards: Floats,  # (N,) out
    dones: NDArray[np.bool_],  # (N,) out
    elapsed: Floats,  # (N,) out
) -> None:
    """Act in all slots."""
    for k in range(len(slots)):
        b = slots[k]
        clock = state.now[b]
        _place(state, b, actions[k])
        state.decisions[b] += 1
        _advance(state, b, max_ready, max_lanes)
        rewards[k] = (state.paid_bound[b] - state.bound[b]) / state.first_bound[b]
        state.paid_bound[b] = state.bound[b]
        dones[k] = state.status[b] == DONE
        elapsed[k] = max((state.bound[b] if dones[k] else state.now[b]) - clock, 0.0)


@kernel
def execute(
    lane: Ints,  # (N,)
    planned: Floats,  # (N,) planned starts, which give each lane's order
    actual: Floats,  # (N,) execution times
    pred_ptr: Ints,
    pred: Ints,
    volume: Floats,
    slowness: Floats,  # (P, P)
    ticks: bool,
    start: Floats,  # (N,) out
    end: Floats,  # (N,) out
) -> None:
    """Run a plan with other execution times: same lanes and orders, everything as early as it can."""
    free = np.zeros(len(slowness))
    for i in np.argsort(planned, kind="mergesort"):
        ready = free[lane[i]]
        for e in range(pred_ptr[i], pred_ptr[i + 1]):
            time = transfer(volume[e], slowness[lane[pred[e]], lane[i]], ticks)
            ready = max(ready, end[pred[e]] + time)
        start[i] = ready
        end[i] = ready + actual[i]
        free[lane[i]] = end[i]
