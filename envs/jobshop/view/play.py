"""Playing on from a partial schedule by a rule, in several lanes side by side.

A rule runs the operation with the least ``start + a duration - b tail - c load``, where load is
the unscheduled work of the job's next machine: nearly non-delay, with a preference for short
operations of long jobs that feed busy machines.

Inside, times are multiplied by ``SCALE * unit``, with ``unit`` a power of two not below the number
of jobs, so that one integer holds a job's key and its number: the least key names its job. A lane
is a schedule of its own: a step waits for what the one before it has found, so a processor has time
for other lanes in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State

    Ints = NDArray[np.int64]
    Short = NDArray[np.int32] | NDArray[np.int64]
    Rule = tuple[int, int, int]

SCALE = 100  # of the rules' weights, which are integers below it
DURATION, TAIL, LOAD = range(3)  # what the weights of a rule are of
LANES = 8  # pilots side by side, and room for one more
BLOCK = 16  # jobs are filled up to a multiple of it by complete ones


class Scratch(NamedTuple):
    """Partial schedules to play with. L lanes, J jobs (a multiple of BLOCK), M machines."""

    # of 32 or 64 bits
    operation: Short  # (L, J) next operation
    stop: Short  # (L, J) end of each job's operations
    place: Short  # (L, J) machine of the next operation, -1 once the job is complete
    order: Short  # (L, J) what the rule adds to the start, plus the job's number
    key: Short  # (L, J) earliest start + order; the largest integer once the job is complete
    ended: Short  # (L, J) end of each job that became complete
    ready: Short  # (L, M) end of the machine's last operation
    load: Short  # (L, M) unscheduled work
    latest: Short  # (L,) end of the last job that is complete
    now: Short  # (L,) end of the operation that was scheduled last
    where: Short  # (L,) its machine
    # of 64 bits
    total: Ints  # (L,) sum of their ends
    chosen: Ints  # (L,) the job to go next
    orders: Ints  # (J,) what a rule adds to the start of each job's next operation
    nothing: Ints  # (J,) zeros


def unit_of(jobs: int) -> int:
    """The least power of two that isn't below the number of jobs."""
    return 1 << (jobs - 1).bit_length()


def is_narrow(jobs: int, work: int) -> bool:
    """Whether 32 bits hold all times of so many jobs that take so long one after the other."""
    return SCALE * unit_of(jobs) * (work + 1) < 2**31


def empty_scratch(jobs: int, machines: int, narrow: bool) -> Scratch:
    """Room for that many jobs and machines; see `is_narrow`."""
    lanes, width = LANES + 1, -(-jobs // BLOCK) * BLOCK
    short = [(lanes, width)] * 6 + [(lanes, machines)] * 2 + [(lanes,)] * 3
    kinds = [np.int32 if narrow else np.int64] * len(short) + [np.int64] * 4
    shapes = [*short, (lanes,), (lanes,), (jobs,), (jobs,)]
    return Scratch(*(np.zeros(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)))


@kernel(entry=False)
def far(key: Short) -> int:
    """The key of a complete job, above all others."""
    return 2**31 - 1 if key.itemsize == 4 else 2**62


@kernel(entry=False)
def padded(jobs: int) -> int:
    """The jobs with those that fill them up."""
    return (jobs + BLOCK - 1) // BLOCK * BLOCK


@kernel(entry=False)
def clear(state: State, b: int, lane: int, s: Scratch) -> None:
    """Make all jobs of a lane complete, and their ends 0."""
    s.latest[lane] = s.total[lane] = 0
    for j in range(padded(state.num_jobs[b])):
        s.place[lane, j], s.order[lane, j], s.key[lane, j] = -1, 0, far(s.key)
        s.operation[lane, j] = s.stop[lane, j] = s.ended[lane, j] = 0


@kernel(entry=False)
def unit_of_slot(state: State, b: int) -> int:
    """See `unit_of`."""
    unit = 1
    while unit < state.num_jobs[b]:
        unit *= 2
    return unit


@kernel(entry=False)
def set_orders(state: State, b: int, rule: Rule, unit: int, orders: Ints) -> None:
    """What the rule adds to the start of each unfinished job's next operation, (J,)."""
    for j in range(state.num_jobs[b]):
        o, last = state.next_operation[b, j], state.job_ptr[b, j + 1]
        if o < last:
            order = rule[DURATION] * state.duration[b, o] - rule[TAIL] * state.tail[b, o]
            if o + 1 < last:
                order -= rule[LOAD] * state.machine_load[b, state.machine[b, o + 1]]
            orders[j] = order * unit + j


@kernel(entry=False)
def _set_out(state: State, b: int, unit: int, lane: int, s: Scratch) -> None:
    """Fill a lane with the slot's schedule; `set_orders` comes first."""
    clear(state, b, lane, s)
    for m in range(state.num_machines[b]):
        s.ready[lane, m] = state.machine_ready[b, m] * SCALE * unit
        s.load[lane, m] = state.machine_load[b, m]
    for j in range(state.num_jobs[b]):
        o, last = state.next_operation[b, j], state.job_ptr[b, j + 1]
        ready = state.job_ready[b, j] * SCALE * unit
        s.operation[lane, j], s.stop[lane, j] = o, last
        if o < last:
            m = state.machine[b, o]
            s.place[lane, j], s.order[lane, j] = m, s.orders[j]
            s.key[lane, j] = max(ready, np.int64(s.ready[lane, m])) + s.orders[j]
        else:
            s.latest[lane] = max(np.int64(s.latest[lane]), ready)
            s.total[lane] += ready


@kernel
def play(
    first: int,
    lanes: int,
    steps: int,
    jobs: int,
    unit: int,
    rule: Rule,
    machine: Ints,  # (O,)
    duration: Ints,  # (O,)
    tails: Ints,  # (O,)
    offset: Ints,  # (J,) added to a complete job's end
    operation: Short,  # the fields of Scratch
    stop: Short,
    place: Short,
    order: Short,
    key: Short,
    ended: Short,
    ready: Short,
    load: Short,
    latest: Short,
    total: Ints,
    chosen: Ints,
    now: Short,
    where: Short,
) -> None:
    """Schedule so many operations by the rule in the lanes from ``first`` to ``lanes``.

    Plain arrays and one function: handing tuples of arrays to smaller ones made it six times
    slower. The next job is the lowest one with the least key. Keys are written whether they change
    or not, which is what makes vectors of the loop over jobs.
    """
    most, never = key.dtype.type(far(key)), key.dtype.type(0)
    width = padded(jobs)
    for _ in range(steps):
        for lane in range(first, lanes):
            c = chosen[lane]
            o, m = operation[lane, c], place[lane, c]
            end = key.dtype.type(key[lane, c] - order[lane, c] + SCALE * unit * duration[o])
            now[lane], where[lane] = end, m
            operation[lane, c] = o + 1
            ready[lane, m] = end
            load[lane, m] -= duration[o]
            last = stop[lane, c]
            if o + 1 < last:
                following = machine[o + 1]
                place[lane, c] = following
                added = rule[DURATION] * duration[o + 1] - rule[TAIL] * tails[o + 1]
                if o + 2 < last:
                    added -= rule[LOAD] * load[lane, machine[o + 2]]
                order[lane, c] = added * unit + c
                key[lane, c] = max(end, ready[lane, following]) + order[lane, c]
            else:
                place[lane, c] = -1
                key[lane, c] = most
                ended[lane, c] = end
                latest[lane] = max(latest[lane], key.dtype.type(end + offset[c]))
                total[lane] += end + offset[c]
        for lane in range(first, lanes):
            least, end, m = most, now[lane], where[lane]
            for j in range(width):  # those that wait for machine m can't start before ``end``
                start = end if place[lane, j] == m else never
                value = max(key[lane, j], key.dtype.type(start + order[lane, j]))
                key[lane, j] = value
                least = min(least, value)
            chosen[lane] = least & (unit - 1)


@kernel(entry=False)
def play_forward(
    state: State, b: int, first: int, lanes: int, steps: int, unit: int, rule: Rule, s: Scratch
) -> None:
    """Schedule a candidate from ``first`` on in each lane, then go on by the rule."""
    for lane in range(lanes):
        _set_out(state, b, unit, lane, s)
        s.chosen[lane] = state.candidate[b, first + lane]
    play(
        0,
        lanes,
        steps,
        state.num_jobs[b],
        unit,
        rule,
        state.machine[b],
        state.duration[b],
        state.tail[b],
        s.nothing,
        s.operation,
        s.stop,
        s.place,
        s.order,
        s.key,
        s.ended,
        s.ready,
        s.load,
        s.latest,
        s.total,
        s.chosen,
        s.now,
        s.where,
    )
