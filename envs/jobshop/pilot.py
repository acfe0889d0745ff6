"""Looking ahead: what a plain rule would make of each candidate.

The pilot method (Duin & Voss 1999, "The pilot method: a strategy for heuristic repetition"): from
the situation after each candidate, the next operations are scheduled by a fixed rule and the
outcomes are compared. A look costs microseconds; it may be limited to a number of operations.

A rule runs the operation with the least ``start + a duration - b tail - c load``, where load is
the unscheduled work of the job's next machine: nearly non-delay, with a preference for short
operations of long jobs that feed busy machines. A random search over such rules on random
instances found the weights of the first; the others differ from it, to give several opinions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.state import State

    Ints = NDArray[np.int64]
    Rule = tuple[int, int, int]

FAR = np.int64(2**62)
SCALE = 100  # of the rules' weights, which are integers
RULES = ((20, 6, 1), (0, 2, 0), (35, 12, 2))  # of duration, tail and load


class Scratch(NamedTuple):
    """A partial schedule to play with. J jobs, M machines."""

    operation: Ints  # (J,) next operation
    place: Ints  # (J,) its machine, -1 once the job is complete
    order: Ints  # (J,) what the rule adds to the start, times SCALE
    key: Ints  # (J,) earliest start * SCALE + order; FAR once the job is complete
    job_ready: Ints  # (J,)
    machine_ready: Ints  # (M,)
    load: Ints  # (M,) unscheduled work
    least_tail: Ints  # (M,)


def empty_scratch(jobs: int, machines: int) -> Scratch:
    """Room for that many jobs and machines."""
    return Scratch(
        *(np.empty(jobs, np.int64) for _ in range(5)),
        *(np.empty(machines, np.int64) for _ in range(3)),
    )


@njit(cache=True, inline="always")
def _order(
    o: int, last: int, machine: Ints, duration: Ints, tail: Ints, load: Ints, rule: Rule
) -> np.int64:
    """What the rule adds to operation o's start; ``last`` ends its job."""
    order = np.int64(rule[0] * duration[o] - rule[1] * tail[o])
    if o + 1 < last:
        order -= rule[2] * load[machine[o + 1]]
    return order


@njit(cache=True)
def _copy(state: State, b: int, rule: Rule, scratch: Scratch) -> None:
    machine, duration, tail = state.machine[b], state.duration[b], state.tail[b]
    for m in range(state.num_machines[b]):
        scratch.machine_ready[m] = state.machine_ready[b, m]
        scratch.load[m] = state.machine_load[b, m]
    for j in range(state.num_jobs[b]):
        o, last = state.next_operation[b, j], state.job_ptr[b, j + 1]
        scratch.operation[j] = o
        scratch.job_ready[j] = state.job_ready[b, j]
        scratch.key[j] = FAR
        scratch.place[j] = -1
        if o < last:
            m = machine[o]
            start = max(state.job_ready[b, j], state.machine_ready[b, m])
            scratch.place[j] = m
            scratch.order[j] = _order(o, last, machine, duration, tail, scratch.load, rule)
            scratch.key[j] = SCALE * start + scratch.order[j]


@njit(cache=True)
def _play(
    first: int,
    steps: int,
    jobs: int,
    rule: Rule,
    last: Ints,  # (J + 1,) job_ptr
    machine: Ints,  # (O,)
    duration: Ints,  # (O,)
    tails: Ints,  # (O,)
    operation: Ints,  # the fields of Scratch
    place: Ints,
    order: Ints,
    key: Ints,
    job_ready: Ints,
    machine_ready: Ints,
    load: Ints,
) -> None:
    """Schedule job ``first``, then ``steps`` operations by the rule, in the scratch arrays.

    Plain arrays and one function: handing tuples of arrays to smaller ones made it six times
    slower. The next job is the lowest one with the least key.
    """
    chosen = first
    for _ in range(steps + 1):
        o, m = operation[chosen], place[chosen]
        end = (key[chosen] - order[chosen]) // SCALE + duration[o]
        operation[chosen] = o + 1
        job_ready[chosen] = end
        machine_ready[m] = end
        load[m] -= duration[o]
        key[chosen] = FAR
        place[chosen] = -1
        if o + 1 < last[chosen + 1]:
            following = machine[o + 1]
            place[chosen] = following
            order[chosen] = _order(o + 1, last[chosen + 1], machine, duration, tails, load, rule)
            key[chosen] = SCALE * max(end, machine_ready[following]) + order[chosen]
        earliest = SCALE * end  # of the jobs that wait for machine m
        least = FAR
        for j in range(jobs):
            value = max(key[j], earliest + order[j]) if place[j] == m else key[j]
            key[j] = value
            least = min(least, value)
        for j in range(jobs):
            if key[j] == least:
                chosen = j
                break


@njit(cache=True)
def _judge(state: State, b: int, scratch: Scratch) -> tuple[np.int64, float, float]:
    """Makespan bound of the scratch schedule; mean bounds of machines and of jobs."""
    jobs, machines = state.num_jobs[b], state.num_machines[b]
    bound, job_sum, machine_sum = np.int64(0), 0.0, 0.0
    scratch.least_tail[:machines] = FAR
    for j in range(jobs):
        need = scratch.job_ready[j]
        o = scratch.operation[j]
        if scratch.place[j] >= 0:
            start = max(need, scratch.machine_ready[scratch.place[j]])
            need = start + state.duration[b, o] + state.tail[b, o]
            for k in range(o, state.job_ptr[b, j + 1]):
                m = state.machine[b, k]
                scratch.least_tail[m] = min(scratch.least_tail[m], state.tail[b, k])
        bound = max(bound, need)
        job_sum += need
    for m in range(machines):
        need = scratch.machine_ready[m] + scratch.load[m]
        if scratch.least_tail[m] < FAR:
            need += scratch.least_tail[m]
        bound = max(bound, need)
        machine_sum += need
    return bound, machine_sum / machines, job_sum / jobs


@njit(cache=True)
def pilot(
    state: State, b: int, first: int, steps: int, rule: Rule, scratch: Scratch
) -> tuple[np.int64, float, float]:
    """Look from slot b after job ``first``'s next operation, ``steps`` operations ahead.

    Returns:
        The makespan bound after the look, and the mean bounds of machines and of jobs, which tell
        candidates apart where the bound does not.
    """
    _copy(state, b, rule, scratch)
    _play(
        first,
        min(steps, state.operations_left[b] - 1),
        state.num_jobs[b],
        rule,
        state.job_ptr[b],
        state.machine[b],
        state.duration[b],
        state.tail[b],
        scratch.operation,
        scratch.place,
        scratch.order,
        scratch.key,
        scratch.job_ready,
        scratch.machine_ready,
        scratch.load,
    )
    return _judge(state, b, scratch)
