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

MOST, MEAN, POWER = range(3)  # of an outcome, see `bound_machines`
OUTCOMES = 3


class Lists(NamedTuple):
    """Unscheduled operations by machine, each list by falling tail. O operations, M machines."""

    operation: Ints  # (O,)
    duration: Ints  # (O,) in the lists' order
    tail: Ints  # (O,) likewise
    stop: Ints  # (M,) end of each machine's list; it starts at machine_ptr
    head: Ints  # (O,) of each operation
    begin: Ints  # (O,) scratch: when the machine is busy, times rising
    end: Ints  # (O,)


def empty_lists(operations: int, machines: int) -> Lists:
    """Room for that many operations and machines; a machine may have all operations."""
    sizes = (operations,) * 3 + (machines,) + (operations,) * 3
    return Lists(*(np.empty(size, np.int64) for size in sizes))


@kernel(entry=False)
def _list(state: State, b: int, lists: Lists) -> None:
    """All unscheduled operations of every machine."""
    for m in range(state.num_machines[b]):
        stop = state.machine_ptr[b, m]
        for at in range(state.machine_ptr[b, m + 1] - 1, state.least_tail_at[b, m] - 1, -1):
            o = state.by_tail[b, at]
            if o >= state.next_operation[b, state.job[b, o]]:
                lists.operation[stop] = o
                lists.duration[stop] = state.duration[b, o]
                lists.tail[stop] = state.tail[b, o]
                stop += 1
        lists.stop[m] = stop


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
def _jackson(first: np.int64, skip: np.int64, stop: np.int64, lists: Lists) -> np.int64:
    """Preemptive bound of a machine's list without operation ``skip``; 0 if nothing is left.

    The operation with the longest tail runs as if it were alone, the next one where that leaves the
    machine idle, and so on. A machine with much to do is busy in a few long stretches.
    """
    head, begin, end = lists.head, lists.begin, lists.end
    bound, count = np.int64(0), 0
    for at in range(first, stop):
        o = lists.operation[at]
        if o == skip:
            continue
        clock, left = head[o], lists.duration[at]
        low = count
        while low > 0 and end[low - 1] > clock:
            low -= 1
        opening, high = clock, low
        if low < count and begin[low] <= clock:
            opening, clock, high = begin[low], end[low], low + 1
        while high < count and clock + left > begin[high]:
            left -= begin[high] - clock
            clock = end[high]
            high += 1
        clock += left
        bound = max(bound, clock + lists.tail[at])
        if high == low:  # one stretch more
            for i in range(count, low, -1):
                begin[i], end[i] = begin[i - 1], end[i - 1]
        elif high > low + 1:  # several that became one
            for i in range(high, count):
                begin[low + 1 + i - high], end[low + 1 + i - high] = begin[i], end[i]
        count += 1 - (high - low)
        begin[low], end[low] = opening, clock
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
            value = _jackson(state.machine_ptr[b, m], o, lists.stop[m], lists)
            value = max(value, end if m == state.focus[b] else 0, now) - now
            most = max(most, value)
            total += value
            share = (value / horizon) ** 2
            power += ((share**2) ** 2) ** 2
        outcome[c, MOST] = most
        outcome[c, MEAN] = total / machines
        outcome[c, POWER] = (power / machines) ** (1 / 16) * horizon
