"""What a policy sees of a job shop.

Every feature is scale-free: times are divided by the instance's mean duration, or by the
*horizon*, the time from now to the makespan bound of the partial schedule. Criticality is the
fraction of the horizon that a job or machine is known to need: at 1 it drives the bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from graphsched.envs.core.graph import EdgeType, GraphSchema, NodeType, StaticGraph, features
from graphsched.envs.jobshop.pilot import RULES, pilot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.pilot import Scratch
    from graphsched.envs.jobshop.state import State

CANDIDATE = features(
    "duration",  # / mean duration
    "start_delay",  # start - earliest start on the machine, / mean duration
    "window_position",  # the same as a fraction of the window
    "tail",  # / horizon
    "criticality",  # of the job: (start + duration + tail - now) / horizon
    "tail_behind_best",  # longest competing tail - tail, / mean duration
    "duration_above_least",  # duration - shortest competing duration, / mean duration
    "log_tail",  # log(1 + tail / mean duration)
    "operations_left",  # of the job, as a fraction of its operations
    "operations_left_relative",  # / most operations left of any job
    "waiting",  # how long the job has been ready, / mean duration
    "next_slack",  # next machine's ready time - completion here, / mean duration
    "next_criticality",  # of the next machine
    "next_queue",  # log(1 + jobs whose next operation is on the next machine)
    "next_queued_work",  # their work / mean duration, log(1 + x)
    "next_duration",  # / mean duration
    "route_criticality",  # machines' criticality averaged over the remaining route by duration
    "route_peak",  # largest criticality of a machine on the remaining route
    "last_operation",  # 1 on the job's last operation
    "push_criticality",  # largest criticality of another job on this machine if this one goes first
    "push_over_best",  # the same minus its least value among the candidates, / mean duration
    "machine_criticality_after",  # machine bound if this one goes first, / horizon
    "arrivals",  # log(1 + jobs that arrive at the machine during this operation)
    "arrival_push",  # largest criticality of such an arrival if it must wait for this one
    "lookahead",  # one-machine schedule bound if this goes first (longest tail first), / horizon
    "lookahead_over_best",  # the same minus its least value among the candidates, / mean duration
    "pilot",  # makespan bound after the first pilot's look / horizon
    "pilot_jobs_over_best",  # mean job bound after it minus the least among the candidates
    "pilot_over_best_1",  # bound after each pilot's look minus the least, / mean duration
    "pilot_machines_over_best_1",  # mean machine bound after it, likewise
    "pilot_over_best_2",
    "pilot_machines_over_best_2",
    "pilot_over_best_3",
    "pilot_machines_over_best_3",
)
RESOURCE = features(
    "ready",  # machine ready - now, / mean duration, clipped
    "load",  # unscheduled work / horizon
    "criticality",  # (ready + load + least tail - now) / horizon
    "queue",  # log(1 + jobs whose next operation is here)
    "queued_work",  # log(1 + their work / mean duration)
    "arrived",  # fraction of the queue that is ready now
    "least_tail",  # / horizon
    "focus",  # 1 for the machine to decide on
)
CONTEXT = features(
    "candidates",  # log
    "window",  # earliest completion - earliest start, / mean duration
    "horizon",  # log(1 + horizon / mean duration)
    "progress",  # fraction of operations scheduled
    "jobs_left",  # fraction of jobs unfinished
    "machine_criticality",  # of the focus machine
    "machine_load",  # unscheduled work of the focus machine / horizon
    "mean_machine_criticality",
    "mean_job_criticality",
    "jobs_per_machine",  # log ratio
    "machines",  # log / 4
)
SCHEMA = GraphSchema(
    nodes=(
        NodeType(
            "operation",
            features("duration", "head", "tail", "position", "machine_share", "job_share"),
        ),
        NodeType("machine", features("load", "visits", "least_head", "least_tail")),
        NodeType("job", features("work", "operations")),
    ),
    edges=(
        EdgeType("precedes", "operation", "operation"),
        EdgeType("follows", "operation", "operation"),
        EdgeType("runs_on", "operation", "machine"),
        EdgeType("hosts", "machine", "operation"),
        EdgeType("part_of", "operation", "job"),
        EdgeType("has", "job", "operation"),
    ),
    candidate=CANDIDATE,
    candidate_nodes=("operation",),
    resource=RESOURCE,
    resource_node="machine",
    candidate_resources=("machine", "next_machine"),
    context=CONTEXT,
    kinds=("dispatch",),
)


def static_graph(instance: JobShopInstance) -> StaticGraph:
    """The instance as a graph of operations, machines and jobs; times / longest job or machine."""
    size, job, machine = instance.num_operations, instance.job, instance.machine
    duration = instance.duration.astype(np.float64)
    running = np.cumsum(duration)
    total = np.add.reduceat(duration, instance.job_ptr[:-1])
    head = running - duration - (np.cumsum(total) - total)[job]
    tail = total[job] - head - duration
    load = np.bincount(machine, duration, instance.num_machines)
    visits = np.bincount(machine, minlength=instance.num_machines)
    scale = max(float(total.max()), float(load.max()), 1e-9)
    lengths = np.diff(instance.job_ptr)
    position = np.arange(size) - instance.job_ptr[job]
    least_head = np.full(instance.num_machines, scale)
    least_tail = np.full(instance.num_machines, scale)
    np.minimum.at(least_head, machine, head)
    np.minimum.at(least_tail, machine, tail)
    operations = np.stack(
        [
            duration / max(float(duration.mean()), 1e-9),
            head / scale,
            tail / scale,
            position / lengths[job],
            duration / np.maximum(load[machine], 1e-9) * instance.num_jobs,
            duration / np.maximum(total[job], 1e-9) * lengths[job],
        ],
        axis=1,
    )
    machines = [load / scale, visits / instance.num_jobs, least_head / scale, least_tail / scale]
    jobs = [total / scale, lengths / max(int(lengths.max()), 1)]
    operation = np.arange(size)
    inner = operation[position > 0]
    return StaticGraph(
        nodes={
            "operation": operations.astype(np.float32),
            "machine": np.stack(machines, axis=1).astype(np.float32),
            "job": np.stack(jobs, axis=1).astype(np.float32),
        },
        edges={
            "precedes": np.stack([inner - 1, inner]),
            "follows": np.stack([inner, inner - 1]),
            "runs_on": np.stack([operation, machine]),
            "hosts": np.stack([machine, operation]),
            "part_of": np.stack([operation, job]),
            "has": np.stack([job, operation]),
        },
    )


@njit(cache=True)
def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@njit(cache=True)
def _survey_machines(state: State, b: int, queue, queued, arrived, critical) -> float:  # type: ignore[no-untyped-def]
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


@njit(cache=True)
def list_machines(state: State, slots: NDArray[np.int64]) -> tuple[Any, Any]:
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


@njit(cache=True)
def _fill_machine(state: State, b: int, m: int, queue, queued, arrived, critical, row) -> None:  # type: ignore[no-untyped-def]
    """Resource row of machine m."""
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    mean = state.mean_duration[b]
    load = state.machine_load[b, m]
    row[0] = _clip((state.machine_ready[b, m] - now) / mean, -3.0, 6.0)
    row[1] = load / horizon
    row[2] = critical[m]
    row[3] = np.log1p(queue[m])
    row[4] = np.log1p(queued[m] / mean)
    row[5] = arrived[m] / max(queue[m], 1.0)
    row[6] = min(state.machine_tail[b, m] / horizon, 1.0) if load > 0 else 1.0
    row[7] = 1.0 if m == state.focus[b] else 0.0


@njit(cache=True)
def _one_machine(state: State, b: int, owner, head, length, tail) -> int:  # type: ignore[no-untyped-def]
    """Unscheduled operations of the focus machine as a one-machine problem, longest tail first.

    Fills (n,) arrays: job, earliest start given its job's partial schedule, duration, tail; only
    the first open visit of each job counts.
    """
    m = state.focus[b]
    count = 0
    for j in range(state.num_jobs[b]):
        o = state.visit[b, j, m]
        if o < 0:
            continue
        first = state.next_operation[b, j]
        start = max(state.job_ready[b, j], state.machine_ready[b, state.machine[b, first]])
        work = state.tail[b, first] + state.duration[b, first]
        q = state.tail[b, o]
        place = count
        while place > 0 and tail[place - 1] < q:
            owner[place], head[place] = owner[place - 1], head[place - 1]
            length[place], tail[place] = length[place - 1], tail[place - 1]
            place -= 1
        owner[place] = j
        head[place] = max(start + work - q - state.duration[b, o], state.machine_ready[b, m])
        length[place] = state.duration[b, o]
        tail[place] = q
        count += 1
    return count


@njit(cache=True)
def _lookahead(clock: int, skip: int, count: int, head, length, tail, done) -> int:  # type: ignore[no-untyped-def]
    """Makespan of Schrage's schedule of the operations but ``skip``, from ``clock`` on.

    Schrage (1971): whenever the machine is free, run the available operation with the longest
    tail. The arrays are sorted by falling tail, so the first available one is taken.
    """
    for i in range(count):
        done[i] = i == skip
    left = count - 1 if skip >= 0 else count
    end = 0
    lowest = 0
    while left > 0:
        soonest = np.int64(2**62)
        taken = -1
        while lowest < count and done[lowest]:
            lowest += 1
        for i in range(lowest, count):
            if not done[i]:
                if head[i] <= clock:
                    taken = i
                    break
                if head[i] < soonest:
                    soonest = head[i]
        if taken < 0:
            clock = soonest
            continue
        clock += length[taken]
        end = max(end, clock + tail[taken])
        done[taken] = True
        left -= 1
    return end


@njit(cache=True)
def _fill_route(state: State, b: int, o: int, last: int, critical, row) -> None:  # type: ignore[no-untyped-def]
    """Criticality of the machines on the route after operation o."""
    work, weighted, peak = 0.0, 0.0, 0.0
    for k in range(o + 1, last):
        m = state.machine[b, k]
        work += state.duration[b, k]
        weighted += state.duration[b, k] * critical[m]
        peak = max(peak, critical[m])
    row[16] = weighted / work if work > 0 else 0.0
    row[17] = peak


@njit(cache=True)
def _fill_conflict(state: State, b: int, place: int, count: int, head, length, tail, row) -> None:  # type: ignore[no-untyped-def]
    """What choosing the operation at ``place`` of the one-machine problem does to the others."""
    now = state.focus_start[b]
    end = head[place] + length[place]
    push, load, arrival_push, arrivals = end + tail[place], 0, 0, 0
    least_head, least_tail = np.int64(2**62), np.int64(2**62)
    for i in range(count):
        if i == place:
            continue
        pushed = max(head[i], end) + length[i] + tail[i]
        push = max(push, pushed)
        load += length[i]
        least_head = min(least_head, head[i])
        least_tail = min(least_tail, tail[i])
        if state.focus_end[b] <= head[i] < end or (now < head[i] < end):
            arrivals += 1
            arrival_push = max(arrival_push, pushed)
    horizon = max(state.bound[b] - now, 1)
    after = max(end, least_head) + load + least_tail if count > 1 else end + tail[place]
    row[19] = min((push - now) / horizon, 2.0)
    row[20] = push
    row[21] = min((max(after, end + tail[place]) - now) / horizon, 2.0)
    row[22] = np.log1p(arrivals)
    row[23] = min((arrival_push - now) / horizon, 2.0) if arrivals > 0 else 0.0


@njit(cache=True)
def _fill_candidate(state: State, b: int, j: int, queue, queued, critical, most_left: int, row) -> int:  # type: ignore[no-untyped-def]
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
    row[0] = duration / mean
    row[1] = (start - now) / mean
    row[2] = (start - now) / max(state.focus_end[b] - now, 1)
    row[3] = tail / horizon
    row[4] = (end + tail - now) / horizon
    row[5] = tail
    row[6] = duration
    row[7] = np.log1p(tail / mean)
    row[8] = (last - o) / (last - first)
    row[9] = (last - o) / most_left
    row[10] = _clip((now - state.job_ready[b, j]) / mean, 0.0, 10.0)
    if o + 1 == last:
        row[18] = 1.0
        return -1
    m = state.machine[b, o + 1]
    row[11] = _clip((state.machine_ready[b, m] - end) / mean, -3.0, 6.0)
    row[12] = critical[m]
    row[13] = np.log1p(queue[m])
    row[14] = np.log1p(queued[m] / mean)
    row[15] = state.duration[b, o + 1] / mean
    _fill_route(state, b, o, last, critical, row)
    return m


@njit(cache=True)
def _compare(rows, mean: float) -> None:  # type: ignore[no-untyped-def]
    """Turn the raw times of some columns into differences to the best candidate."""
    longest = rows[:, 5].max()
    for i in range(len(rows)):
        rows[i, 5] = (longest - rows[i, 5]) / mean
    for f in (6, 20, 25, 27, 28, 29, 30, 31, 32, 33):
        least = rows[:, f].min()
        for i in range(len(rows)):
            rows[i, f] = (rows[i, f] - least) / mean


@njit(cache=True)
def _fill_context(state: State, b: int, critical, mean_job: float, row) -> None:  # type: ignore[no-untyped-def]
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    mean = state.mean_duration[b]
    jobs, machines, m = state.num_jobs[b], state.num_machines[b], state.focus[b]
    unfinished = 0
    for j in range(jobs):
        unfinished += state.next_operation[b, j] < state.job_ptr[b, j + 1]
    row[0] = np.log(state.num_candidates[b])
    row[1] = (state.focus_end[b] - now) / mean
    row[2] = np.log1p(horizon / mean)
    row[3] = 1.0 - state.operations_left[b] / state.num_operations[b]
    row[4] = unfinished / jobs
    row[5] = critical[m]
    row[6] = state.machine_load[b, m] / horizon
    row[7] = critical[:machines].mean()
    row[8] = mean_job
    row[9] = np.log(jobs / machines)
    row[10] = np.log(machines) / 4.0


@njit(cache=True)
def fill_rows(
    state: State,
    slots: NDArray[np.int64],  # (N,)
    pilot_steps: int,
    scratch: Scratch,
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
        count = _one_machine(state, b, owner, head, length, tail)
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
            following = _fill_candidate(
                state, b, j, queue, queued, critical, most_left, wide[c]
            )
            _fill_conflict(state, b, k, count, head, length, tail, wide[c])
            end = head[k] + length[k]
            ahead = max(_lookahead(end, k, count, head, length, tail, done), end + tail[k])
            wide[c, 24] = min((ahead - state.focus_start[b]) / horizon, 2.0)
            wide[c, 25] = ahead
            for rule in range(len(RULES)):
                bound, by_machine, by_job = pilot(state, b, j, pilot_steps, RULES[rule], scratch)
                wide[c, 28 + 2 * rule] = bound
                wide[c, 29 + 2 * rule] = by_machine
                if rule == 0:
                    wide[c, 26] = min((bound - state.focus_start[b]) / horizon, 2.0)
                    wide[c, 27] = by_job
            candidate_node[row, 0] = first_row[b] + state.next_operation[b, j]
            candidate_resource[row, 0] = 0
            candidate_resource[row, 1] = place_of[following] if following >= 0 else -1
        _compare(wide[:num], mean)
        for c in range(num):
            for f in range(candidate.shape[1]):
                candidate[candidate_ptr[i] + c, f] = wide[c, f]
