"""Fills the dynamic rows whose columns `features` names, for all waiting slots in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.features import CAND, CTX, RES, SCHEMA
from graphsched.envs.jobshop.options import LOOKS
from graphsched.envs.jobshop.view.onemachine import fill_conflict, lookahead, one_machine
from graphsched.envs.jobshop.view.opinions import fill_bounds, fill_opinions, within_reach
from graphsched.envs.jobshop.view.pilot import (
    OUTCOMES,
    PILOT_BOUND,
    PILOT_MACHINES,
    fill_pilots,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State
    from graphsched.envs.jobshop.view.opinions import Desk

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

(OPERATION,) = range(len(SCHEMA.candidate_nodes))  # columns of candidate_node
FOCUS, NEXT = range(len(SCHEMA.candidate_resources))  # columns of candidate_resource
BOUNDS, PILOTS = LOOKS.index("bounds"), LOOKS.index("rules")
OVER_LEAST = (  # columns that are differences to the least of all candidates
    CAND.duration_above_least,
    CAND.push_over_best,
    CAND.lookahead_over_best,
    CAND.pilot_jobs_over_best,
    *PILOT_BOUND,
    *PILOT_MACHINES,
)


@kernel(entry=False)
def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@kernel(entry=False)
def _survey_machines(
    state: State, b: int, queue: Floats, queued: Floats, arrived: Floats, critical: Floats
) -> float:
    """Queues and criticality of all machines, (M,) each; returns the unfinished jobs' mean criticality."""
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    num_machines = state.num_machines[b]
    queue[:num_machines] = 0.0
    queued[:num_machines] = 0.0
    arrived[:num_machines] = 0.0
    total, unfinished = 0.0, 0
    for j in range(state.num_jobs[b]):
        o = state.next_operation[b, j]
        if o < state.job_ptr[b, j + 1]:
            m = state.machine[b, o]
            queue[m] += 1.0
            queued[m] += state.duration[b, o]
            arrived[m] += 1.0 if state.job_ready[b, j] <= now else 0.0
            unfinished += 1
            start = max(state.job_ready[b, j], state.machine_ready[b, m])
            total += (start + state.duration[b, o] + state.tail[b, o] - now) / horizon
    for m in range(num_machines):
        critical[m] = 0.0
        if queue[m] > 0 or state.machine_load[b, m] > 0:
            ready = max(state.machine_ready[b, m], now)
            need = ready + state.machine_load[b, m] + state.machine_tail[b, m] - now
            critical[m] = min(need / horizon, 2.0)
    return total / max(unfinished, 1)


@kernel
def list_machines(state: State, slots: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Machines that a decision concerns: the focus first, then the candidates' next machines.

    Returns:
        ptr (N + 1,) and the machines of block i, at [ptr[i], ptr[i + 1]).
    """
    ptr = np.zeros(len(slots) + 1, np.int64)
    machines = np.empty(len(slots) + state.num_candidates[slots].sum(), np.int64)
    seen = np.full(state.visit.shape[2], -1)
    count = 0
    for i in range(len(slots)):
        b = slots[i]
        machines[count] = state.focus[b]
        seen[state.focus[b]] = i
        count += 1
        for c in range(state.num_candidates[b]):
            j = state.candidate[b, c]
            following = state.next_operation[b, j] + 1
            if following < state.job_ptr[b, j + 1] and seen[state.machine[b, following]] != i:
                machines[count] = state.machine[b, following]
                seen[machines[count]] = i
                count += 1
        ptr[i + 1] = count
    return ptr, machines[:count]


@kernel(entry=False)
def _fill_machine(
    state: State,
    b: int,
    m: int,
    queue: Floats,
    queued: Floats,
    arrived: Floats,
    critical: Floats,
    row: Floats,
) -> None:
    """Resource row of machine m."""
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    mean = state.mean_duration[b]
    load = state.machine_load[b, m]
    row[RES.ready] = _clip((state.machine_ready[b, m] - now) / mean, -3.0, 6.0)
    row[RES.load] = load / horizon
    row[RES.criticality] = critical[m]
    row[RES.queue] = np.log1p(queue[m])
    row[RES.queued_work] = np.log1p(queued[m] / mean)
    row[RES.arrived] = arrived[m] / max(queue[m], 1.0)
    row[RES.least_tail] = min(state.machine_tail[b, m] / horizon, 1.0) if load > 0 else 1.0
    row[RES.focus] = 1.0 if m == state.focus[b] else 0.0


@kernel(entry=False)
def _fill_route(state: State, b: int, o: int, last: int, critical: Floats, row: Floats) -> None:
    """Criticality of the machines on the route after operation o."""
    work, weighted, peak = 0.0, 0.0, 0.0
    for k in range(o + 1, last):
        m = state.machine[b, k]
        work += state.duration[b, k]
        weighted += state.duration[b, k] * critical[m]
        peak = max(peak, critical[m])
    row[CAND.route_criticality] = weighted / work if work > 0 else 0.0
    row[CAND.route_peak] = peak


@kernel(entry=False)
def _fill_candidate(
    state: State,
    b: int,
    j: int,
    queue: Floats,
    queued: Floats,
    critical: Floats,
    most_left: int,
    row: Floats,
) -> int:
    """A candidate's own quantities; returns the machine of its next operation, or -1."""
    o = state.next_operation[b, j]
    first, last = state.job_ptr[b, j], state.job_ptr[b, j + 1]
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    mean = state.mean_duration[b]
    start = max(state.job_ready[b, j], state.machine_ready[b, state.focus[b]])
    duration, tail = state.duration[b, o], state.tail[b, o]
    end = start + duration
    row[:] = 0.0
    row[CAND.duration] = duration / mean
    row[CAND.start_delay] = (start - now) / mean
    row[CAND.window_position] = (start - now) / max(state.focus_end[b] - now, 1)
    row[CAND.tail] = tail / horizon
    row[CAND.criticality] = (end + tail - now) / horizon
    row[CAND.tail_behind_best] = tail
    row[CAND.duration_above_least] = duration
    row[CAND.log_tail] = np.log1p(tail / mean)
    row[CAND.operations_left] = (last - o) / (last - first)
    row[CAND.operations_left_relative] = (last - o) / most_left
    row[CAND.waiting] = _clip((now - state.job_ready[b, j]) / mean, 0.0, 10.0)
    if o + 1 == last:
        row[CAND.last_operation] = 1.0
        return -1
    m = state.machine[b, o + 1]
    row[CAND.next_slack] = _clip((state.machine_ready[b, m] - end) / mean, -3.0, 6.0)
    row[CAND.next_criticality] = critical[m]
    row[CAND.next_queue] = np.log1p(queue[m])
    row[CAND.next_queued_work] = np.log1p(queued[m] / mean)
    row[CAND.next_duration] = state.duration[b, o + 1] / mean
    _fill_route(state, b, o, last, critical, row)
    return int(m)


@kernel
def _compare(rows: Floats, mean: float) -> None:
    """Turn the raw times of some columns into differences to the best candidate."""
    longest = rows[:, CAND.tail_behind_best].max()
    for i in range(len(rows)):
        rows[i, CAND.tail_behind_best] = (longest - rows[i, CAND.tail_behind_best]) / mean
    for f in OVER_LEAST:
        least = rows[:, f].min()
        for i in range(len(rows)):
            rows[i, f] = (rows[i, f] - least) / mean


@kernel(entry=False)
def _fill_context(state: State, b: int, critical: Floats, mean_job: float, row: Floats) -> None:
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    mean = state.mean_duration[b]
    jobs, machines, m = state.num_jobs[b], state.num_machines[b], state.focus[b]
    unfinished = 0
    for j in range(jobs):
        unfinished += state.next_operation[b, j] < state.job_ptr[b, j + 1]
    row[CTX.candidates] = np.log(state.num_candidates[b])
    row[CTX.window] = (state.focus_end[b] - now) / mean
    row[CTX.horizon] = np.log1p(horizon / mean)
    row[CTX.progress] = 1.0 - state.operations_left[b] / state.num_operations[b]
    row[CTX.jobs_left] = unfinished / jobs
    row[CTX.machine_criticality] = critical[m]
    row[CTX.machine_load] = state.machine_load[b, m] / horizon
    row[CTX.mean_machine_criticality] = critical[:machines].mean()
    row[CTX.mean_job_criticality] = mean_job
    row[CTX.jobs_per_machine] = np.log(jobs / machines)
    row[CTX.machines] = np.log(machines) / 4.0


@kernel
def fill_rows(
    state: State,
    slots: NDArray[np.int64],  # (N,)
    pilot_steps: int,
    look: int,  # place in `LOOKS`
    rules: int,
    desk: Desk,
    first_row: NDArray[np.int64],  # (B,) node-table row of each slot's first operation
    candidate_ptr: NDArray[np.int64],  # (N + 1,)
    resource_ptr: NDArray[np.int64],  # (N + 1,)
    machine: NDArray[np.int64],  # (R,) machine of each resource row
    context: NDArray[np.float32],  # (N, len(CONTEXT)) out
    candidate: NDArray[np.float32],  # (C, len(CANDIDATE)) out
    candidate_node: NDArray[np.int64],  # (C, 1) out
    candidate_resource: NDArray[np.int64],  # (C, 2) out
    resource: NDArray[np.float32],  # (R, len(RESOURCE)) out
    resource_node: NDArray[np.int64],  # (R,) out
) -> None:
    """Dynamic rows of all waiting slots."""
    jobs, machines = state.visit.shape[1], state.visit.shape[2]
    queue, queued = np.empty(machines), np.empty(machines)
    arrived, critical = np.empty(machines), np.empty(machines)
    place_of = np.empty(machines, np.int64)
    owner, head = np.empty(jobs, np.int64), np.empty(jobs, np.int64)
    length, tail = np.empty(jobs, np.int64), np.empty(jobs, np.int64)
    done = np.empty(jobs, np.bool_)
    place = np.empty(jobs, np.int64)
    wide = np.empty((jobs, candidate.shape[1]))
    outcome = np.empty((jobs, OUTCOMES))
    for i in range(len(slots)):
        b = slots[i]
        mean = state.mean_duration[b]
        horizon = max(state.bound[b] - state.focus_start[b], 1)
        mean_job = _survey_machines(state, b, queue, queued, arrived, critical)
        _fill_context(state, b, critical, mean_job, context[i])
        for r in range(resource_ptr[i], resource_ptr[i + 1]):
            m = machine[r]
            place_of[m] = r - resource_ptr[i]
            resource_node[r] = first_row[b] + state.num_operations[b] + m
            _fill_machine(state, b, m, queue, queued, arrived, critical, resource[r])
        count = one_machine(state, b, owner, head, length, tail)
        for k in range(count):
            place[owner[k]] = k
        most_left = 1
        for j in range(state.num_jobs[b]):
            most_left = max(most_left, state.job_ptr[b, j + 1] - state.next_operation[b, j])
        num = state.num_candidates[b]
        for c in range(num):
            j = state.candidate[b, c]
            k = place[j]
            row = candidate_ptr[i] + c
            following = _fill_candidate(state, b, j, queue, queued, critical, most_left, wide[c])
            fill_conflict(state, b, k, count, head, length, tail, wide[c])
            end = head[k] + length[k]
            ahead = max(lookahead(end, k, count, head, length, tail, done), end + tail[k])
            wide[c, CAND.lookahead] = min((ahead - state.focus_start[b]) / horizon, 2.0)
            wide[c, CAND.lookahead_over_best] = ahead
            candidate_node[row, OPERATION] = first_row[b] + state.next_operation[b, j]
            candidate_resource[row, FOCUS] = 0
            candidate_resource[row, NEXT] = place_of[following] if following >= 0 else -1
        if look >= BOUNDS:
            fill_bounds(state, b, desk, wide)
        if look >= PILOTS and within_reach(state, b):
            fill_opinions(state, b, rules, desk, wide)
        else:
            fill_pilots(state, b, pilot_steps, desk.scratch, outcome, wide)
        _compare(wide[:num], mean)
        candidate[candidate_ptr[i] : candidate_ptr[i] + num] = wide[:num]
