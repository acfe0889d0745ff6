"""Looking ahead: what plain rules would make of each candidate.

The pilot method (Duin & Voss 1999, "The pilot method: a strategy for heuristic repetition"): from
the situation after each candidate, the next operations are scheduled by a fixed rule and the
outcomes are compared. A look costs microseconds; it may be limited to a number of operations.

A rule runs the operation with the least ``start + a duration - b tail - c load``, where load is
the unscheduled work of the job's next machine: nearly non-delay, with a preference for short
operations of long jobs that feed busy machines. A random search over such rules on random
instances found the weights of the first; the others differ from it, to give several opinions.

Inside, times are multiplied by ``SCALE * unit``, with ``unit`` a power of two not below the number
of jobs, so that one integer holds a job's key and its number: the least key names its job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Rule = tuple[int, int, int]

FAR = np.int64(2**62)
SCALE = 100  # of the rules' weights, which are integers
RULES = ((20, 6, 1), (0, 2, 0), (35, 12, 2))
DURATION, TAIL, LOAD = range(3)  # what the weights of a rule are of
BOUND, MACHINES, JOBS = range(3)  # of an outcome, see `look_ahead`
OUTCOMES = 3


class Scratch(NamedTuple):
    """A partial schedule to play with. J jobs, M machines."""

    operation: Ints  # (J,) next operation
    place: Ints  # (J,) its machine, -1 once the job is complete
    order: Ints  # (J,) what the rule adds to the start, plus the job's number
    key: Ints  # (J,) earliest start + order; FAR once the job is complete
    ready: Ints  # (M,) end of the machine's last operation
    load: Ints  # (M,) unscheduled work
    ended: Ints  # (J,) end of each job that became complete
    nothing: Ints  # (J,) zeros


def empty_scratch(jobs: int, machines: int) -> Scratch:
    """Room for that many jobs and machines."""
    return Scratch(
        *(np.empty(jobs, np.int64) for _ in range(4)),
        *(np.empty(machines, np.int64) for _ in range(2)),
        np.zeros(jobs, np.int64),
        np.zeros(jobs, np.int64),
    )


@kernel(entry=False)
def _orders(state: State, b: int, rule: Rule, unit: int, orders: Ints) -> None:
    """What the rule adds to the start of each unfinished job's next operation, (J,)."""
    for j in range(state.num_jobs[b]):
        o, last = state.next_operation[b, j], state.job_ptr[b, j + 1]
        if o < last:
            order = rule[DURATION] * state.duration[b, o] - rule[TAIL] * state.tail[b, o]
            if o + 1 < last:
                order -= rule[LOAD] * state.machine_load[b, state.machine[b, o + 1]]
            orders[j] = order * unit + j


@kernel
def _copy(state: State, b: int, orders: Ints, unit: int, scratch: Scratch) -> tuple[int, int]:
    """Fill the scratch; returns the latest end and the sum of ends of complete jobs."""
    latest = total = 0
    for m in range(state.num_machines[b]):
        scratch.ready[m] = state.machine_ready[b, m] * SCALE * unit
        scratch.load[m] = state.machine_load[b, m]
    for j in range(state.num_jobs[b]):
        o = state.next_operation[b, j]
        scratch.operation[j] = o
        scratch.key[j] = FAR
        scratch.order[j] = 0
        scratch.place[j] = -1
        ready = state.job_ready[b, j] * SCALE * unit
        if o < state.job_ptr[b, j + 1]:
            m = state.machine[b, o]
            scratch.place[j] = m
            scratch.order[j] = orders[j]
            scratch.key[j] = max(ready, scratch.ready[m]) + orders[j]
        else:
            latest = max(latest, ready)
            total += ready
    return latest, total


@kernel
def _play(
    first: int,
    steps: int,
    jobs: int,
    unit: int,
    rule: Rule,
    stop: Ints,  # (J,) end of each job's operations
    offset: Ints,  # (J,) added to a complete job's end
    ended: Ints,  # (J,) out: end of each job that became complete
    machine: Ints,  # (O,)
    duration: Ints,  # (O,)
    tails: Ints,  # (O,)
    operation: Ints,  # the fields of Scratch
    place: Ints,
    order: Ints,
    key: Ints,
    ready: Ints,
    load: Ints,
    latest: int,
    total: int,
) -> tuple[int, int]:
    """Schedule job ``first``, then ``steps`` operations by the rule, in the scratch arrays.

    Plain arrays and one function: handing tuples of arrays to smaller ones made it six times
    slower. The next job is the lowest one with the least key.

    Returns:
        ``latest`` and ``total`` with the ends of the jobs that became complete.
    """
    chosen = np.int64(first)
    for _ in range(steps + 1):
        o, m = operation[chosen], place[chosen]
        end = key[chosen] - order[chosen] + SCALE * unit * duration[o]
        operation[chosen] = o + 1
        ready[m] = end
        load[m] -= duration[o]
        last = stop[chosen]
        if o + 1 < last:
            following = machine[o + 1]
            place[chosen] = following
            added = rule[DURATION] * duration[o + 1] - rule[TAIL] * tails[o + 1]
            if o + 2 < last:
                added -= rule[LOAD] * load[machine[o + 2]]
            order[chosen] = added * unit + chosen
            key[chosen] = max(end, ready[following]) + order[chosen]
        else:
            place[chosen] = -1
            key[chosen] = FAR
            ended[chosen] = end
            latest = max(latest, end + offset[chosen])
            total += end + offset[chosen]
        least = FAR
        for j in range(jobs):  # those that wait for machine m can't start before ``end``
            value = max(key[j], end + order[j]) if place[j] == m else key[j]
            key[j] = value
            least = min(least, value)
        chosen = least & (unit - 1)
    return latest, total


@kernel
def _judge(
    state: State, b: int, unit: int, latest: int, total: int, scratch: Scratch, outcome: Floats
) -> None:
    """Bounds of the scratch schedule; see `look_ahead`."""
    grain = SCALE * unit
    jobs, machines = state.num_jobs[b], state.num_machines[b]
    bound = latest
    job_sum = float(total)
    for j in range(jobs):
        if scratch.place[j] >= 0:
            o = scratch.operation[j]
            need = scratch.key[j] - scratch.order[j]
            need += grain * (state.duration[b, o] + state.tail[b, o])
            bound = max(bound, need)
            job_sum += need
    machine_sum = 0.0
    for m in range(machines):
        need = scratch.ready[m] + grain * scratch.load[m]
        for at in range(state.least_tail_at[b, m], state.machine_ptr[b, m + 1]):
            o = state.by_tail[b, at]
            if o >= scratch.operation[state.job[b, o]]:
                need += grain * state.tail[b, o]
                break
        bound = max(bound, need)
        machine_sum += need
    outcome[BOUND] = bound // grain
    outcome[MACHINES] = machine_sum / (machines * grain)
    outcome[JOBS] = job_sum / (jobs * grain)


@kernel
def look_ahead(
    state: State,
    b: int,
    steps: int,
    rule: Rule,
    orders: Ints,  # (J,) scratch
    scratch: Scratch,
    outcome: Floats,  # (C, OUTCOMES) out
) -> None:
    """Look from slot b after each of its C candidates, ``steps`` operations ahead by the rule.

    Outcomes are the makespan bound after the look, and the mean bounds of machines and of jobs,
    which tell candidates apart where the bound does not.
    """
    jobs = state.num_jobs[b]
    unit = 1
    while unit < jobs:
        unit *= 2
    steps = min(steps, state.operations_left[b] - 1)
    stop, machine = state.job_ptr[b, 1:], state.machine[b]
    duration, tail = state.duration[b], state.tail[b]
    _orders(state, b, rule, unit, orders)
    for c in range(state.num_candidates[b]):
        latest, total = _copy(state, b, orders, unit, scratch)
        latest, total = _play(
            state.candidate[b, c],
            steps,
            jobs,
            unit,
            rule,
            stop,
            scratch.nothing,
            scratch.ended,
            machine,
            duration,
            tail,
            scratch.operation,
            scratch.place,
            scratch.order,
            scratch.key,
            scratch.ready,
            scratch.load,
            latest,
            total,
        )
        _judge(state, b, unit, latest, total, scratch, outcome[c])
