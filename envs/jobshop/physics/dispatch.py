"""Job shop physics: schedules are built one operation at a time, in numba, all slots in one call.

At each decision the simulator looks at the *focus machine*, that of the operation which could
complete first (Giffler & Thompson 1960, "Algorithms for solving production-scheduling
problems"). Candidates are the next operations of jobs on this machine that can start early
enough: with ``t`` the machine's earliest possible start and ``c`` the earliest completion, those
with start <= t + delay_window * (c - t). A window of 0 builds non-delay schedules; a window of 1
admits every start < c and builds active schedules, one of which is optimal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.sim import DONE, WAITING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State

NO_TAIL = np.int64(2**62)


@kernel
def pass_scheduled(state: State, b: int, m: int) -> None:
    """Move machine m's least tail on to an unscheduled operation."""
    at, stop = state.least_tail_at[b, m], state.machine_ptr[b, m + 1]
    while at < stop:
        o = state.by_tail[b, at]
        if o >= state.next_operation[b, state.job[b, o]]:
            break
        at += 1
    state.least_tail_at[b, m] = at
    state.machine_tail[b, m] = state.tail[b, state.by_tail[b, at]] if at < stop else NO_TAIL


@kernel(entry=False)
def _schedule(state: State, b: int, j: int) -> None:
    """Append job j's next operation to its machine at the earliest possible time."""
    o = state.next_operation[b, j]
    m = state.machine[b, o]
    start = max(state.job_ready[b, j], state.machine_ready[b, m])
    end = start + state.duration[b, o]
    state.start[b, o] = start
    state.next_operation[b, j] = o + 1
    state.job_ready[b, j] = end
    state.machine_ready[b, m] = end
    state.machine_load[b, m] -= state.duration[b, o]
    state.visit[b, j, m] = state.revisit[b, o]
    state.operations_left[b] -= 1
    pass_scheduled(state, b, m)
    bound = max(state.bound[b], end + state.tail[b, o])
    if state.machine_tail[b, m] < NO_TAIL:
        bound = max(bound, end + state.machine_load[b, m] + state.machine_tail[b, m])
    state.bound[b] = bound


@kernel(entry=False)
def _find_candidates(state: State, b: int, window: float) -> None:
    """Focus machine and its candidates, in order of job number."""
    focus_end, focus = NO_TAIL, -1
    for j in range(state.num_jobs[b]):
        o = state.next_operation[b, j]
        if o < state.job_ptr[b, j + 1]:
            m = state.machine[b, o]
            end = max(state.job_ready[b, j], state.machine_ready[b, m]) + state.duration[b, o]
            if end < focus_end:
                focus_end, focus = end, m
    ready = state.machine_ready[b, focus]
    focus_start = focus_end
    for j in range(state.num_jobs[b]):
        o = state.next_operation[b, j]
        if o < state.job_ptr[b, j + 1] and state.machine[b, o] == focus:
            focus_start = min(focus_start, max(state.job_ready[b, j], ready))
    latest = focus_start + window * (focus_end - focus_start)
    count = 0
    for j in range(state.num_jobs[b]):
        o = state.next_operation[b, j]
        if o < state.job_ptr[b, j + 1] and state.machine[b, o] == focus:
            start = max(state.job_ready[b, j], ready)
            if start == focus_start or (start <= latest and start < focus_end):
                state.candidate[b, count] = j
                count += 1
    state.focus[b] = focus
    state.focus_start[b] = focus_start
    state.focus_end[b] = focus_end
    state.num_candidates[b] = count


@kernel(entry=False)
def _advance(state: State, b: int, window: float) -> None:
    """Take forced moves until there is a choice or the schedule is complete."""
    while state.operations_left[b] > 0:
        _find_candidates(state, b, window)
        last_chance = state.decisions[b] == 0 and state.operations_left[b] == 1
        if state.num_candidates[b] > 1 or last_chance:
            state.status[b] = WAITING
            return
        _schedule(state, b, state.candidate[b, 0])
    state.status[b] = DONE


@kernel
def begin_slots(state: State, slots: NDArray[np.int64], window: float) -> None:
    """First decisions of freshly loaded slots. slots: (S,)."""
    for b in slots:
        state.paid_bound[b] = state.bound[b]
        _advance(state, b, window)


@kernel
def step_slots(
    state: State,
    slots: NDArray[np.int64],  # (N,)
    actions: NDArray[np.int64],  # (N,)
    window: float,
    rewards: NDArray[np.float64],  # (N,) out
    dones: NDArray[np.bool_],  # (N,) out
    elapsed: NDArray[np.float64],  # (N,) out
) -> None:
    """Act in all slots; the actions are in range."""
    for i in range(len(slots)):
        b = slots[i]
        clock = state.focus_start[b]
        _schedule(state, b, state.candidate[b, actions[i]])
        state.decisions[b] += 1
        _advance(state, b, window)
        rewards[i] = (state.paid_bound[b] - state.bound[b]) / state.first_bound[b]
        state.paid_bound[b] = state.bound[b]
        dones[i] = state.status[b] == DONE
        now = state.bound[b] if dones[i] else state.focus_start[b]
        elapsed[i] = max(now - clock, 0)


@kernel
def fill_visits(
    job_ptr: NDArray[np.int64],  # (J + 1,)
    machine: NDArray[np.int64],  # (O,)
    visit: NDArray[np.int64],  # (J, M) out
    revisit: NDArray[np.int64],  # (O,) out
) -> None:
    """Each job's first operation on each machine, and its next after each operation."""
    visit[:] = -1
    for j in range(len(job_ptr) - 1):
        for o in range(job_ptr[j + 1] - 1, job_ptr[j] - 1, -1):
            revisit[o] = visit[j, machine[o]]
            visit[j, machine[o]] = o
