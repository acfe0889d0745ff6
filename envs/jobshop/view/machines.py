"""What running a candidate first does to every machine: one-machine bounds of them all.

A candidate's end delays the others of its machine, these their jobs' later operations, and so on
along the jobs (not yet along the machines). With these heads and the tails of the instance, every
machine is a one-machine problem of its own, and Jackson's preemptive schedule bounds its makespan:
at any time run the available operation with the longest tail (Carlier 1982, "The one-machine
sequencing problem").
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

FAR = np.int64(2**62)
MOST, MEAN, POWER = range(3)  # of an outcome, see `bound_machines`
OUTCOMES = 3


class Lists(NamedTuple):
    """Unscheduled operations by machine, each list by rising head. O operations, M machines."""

    operation: Ints  # (O,)
    stop: Ints  # (M,) end of each machine's list; it starts at machine_ptr
    head: Ints  # (O,) of each operation
    rest: Ints  # (J,) scratch: work left of the available operations, by rising tail
    tail: Ints  # (J,) scratch: their tails


def empty_lists(operations: int, machines: int) -> Lists:
    """Room for that many operations and machines; a machine may have all operations."""
    sizes = (operations, machines, operations, operations, operations)
    return Lists(*(np.empty(size, np.int64) for size in sizes))


@kernel(entry=False)
def _list(state: State, b: int, lists: Lists) -> None:
    """All unscheduled operations of every machine."""
    for m in range(state.num_machines[b]):
        end = state.machine_ptr[b, m]
        for at in range(state.least_tail_at[b, m], state.machine_ptr[b, m + 1]):
            o = state.by_tail[b, at]
            if o >= state.next_operation[b, state.job[b, o]]:
                lists.operation[end] = o
                end += 1
        lists.stop[m] = end


@kernel(entry=False)
def _push(state: State, b: int, j: int, end: np.int64, lists: Lists) -> None:
    """Heads of unscheduled operations once job j's next one ends at ``end``, itself apart."""
    focus = state.focus[b]
    for k in range(state.num_jobs[b]):
        clock, first = state.job_ready[b, k], state.next_operation[b, k]
        if k == j:
            clock, first = end, first + 1
        for o in range(first, state.job_ptr[b, k + 1]):
            m = state.machine[b, o]
            clock = max(clock, end if m == focus else state.machine_ready[b, m])
            lists.head[o] = clock
            clock += state.duration[b, o]


@kernel(entry=False)
def _jackson(state: State, b: int, m: int, skip: np.int64, lists: Lists) -> np.int64:
    """Preemptive bound of machine m without operation ``skip``; 0 if nothing is left."""
    operation, head, rest, tail = lists.operation, lists.head, lists.rest, lists.tail
    first, stop = state.machine_ptr[b, m], lists.stop[m]
    for i in range(first + 1, stop):  # heads have changed little since the last candidate's
        o = operation[i]
        at = i
        while at > first and head[operation[at - 1]] > head[o]:
            operation[at] = operation[at - 1]
            at -= 1
        operation[at] = o
    clock, bound, count, i = np.int64(0), np.int64(0), 0, first
    while i < stop or count > 0:
        if i < stop and operation[i] == skip:
            i += 1
            continue
        if count == 0:
            clock = max(clock, head[operation[i]])
        while i < stop and head[operation[i]] <= clock:
            o = operation[i]
            i += 1
            if o == skip:
                continue
            at = count
            while at > 0 and tail[at - 1] > state.tail[b, o]:
                rest[at], tail[at] = rest[at - 1], tail[at - 1]
                at -= 1
            rest[at], tail[at] = state.duration[b, o], state.tail[b, o]
            count += 1
        until = head[operation[i]] if i < stop else FAR
        while count > 0 and clock < until:
            run = min(rest[count - 1], until - clock)
            clock += run
            rest[count - 1] -= run
            if rest[count - 1] == 0:
                bound = max(bound, clock + tail[count - 1])
                count -= 1
    return bound


@kernel
def bound_machines(state: State, b: int, lists: Lists, outcome: Floats) -> None:
    """Bounds of all machines after each candidate, in one number of several kinds.

    outcome: (C, OUTCOMES) out: the largest, their mean, and their power mean of degree 16, which
        counts the large ones; times from the earliest start on the focus machine on.
    """
    now, machines = state.focus_start[b], state.num_machines[b]
    horizon = max(state.bound[b] - now, 1)
    _list(state, b, lists)
    for c in range(state.num_candidates[b]):
        j = state.candidate[b, c]
        o = state.next_operation[b, j]
        start = max(state.job_ready[b, j], state.machine_ready[b, state.focus[b]])
        end = start + state.duration[b, o]
        lists.head[o] = start
        _push(state, b, j, end, lists)
        most, total, power = end + state.tail[b, o] - now, 0.0, 0.0
        for m in range(machines):
            value = max(_jackson(state, b, m, o, lists), end if m == state.focus[b] else 0) - now
            value = max(value, 0)
            most = max(most, value)
            total += value
            share = (value / horizon) ** 2
            power += ((share**2) ** 2) ** 2
        outcome[c, MOST] = most
        outcome[c, MEAN] = total / machines
        outcome[c, POWER] = (power / machines) ** (1 / 16) * horizon
