"""Pilots of full length: what plain rules would make of each candidate, forward and backward.

Forward, a rule schedules all that is left after the candidate. Backward, it builds the rest of the
schedule from its end: jobs are read from their last operation on, and the candidate, which goes
first on its machine, comes last there. Either way a complete schedule that begins with the
candidate comes out, and its makespan is what the rule thinks of it. See `pilot` for the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.view.pilot import (
    DURATION,
    FAR,
    LOAD,
    SCALE,
    TAIL,
    _copy,
    _orders,
    _play,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State
    from graphsched.envs.jobshop.view.pilot import Rule, Scratch

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Mirror(NamedTuple):
    """What is left of an instance, read backwards. J jobs, O operations."""

    machine: Ints  # (O,) job by job from job_ptr on, last operation first
    duration: Ints  # (O,)
    tail: Ints  # (O,) time before the operation, from the job's readiness on
    stop: Ints  # (J,) end of each job's operations
    offset: Ints  # (J,) readiness of each job, in grains


def empty_mirror(jobs: int, operations: int) -> Mirror:
    """Room for that many jobs and operations."""
    sizes = (operations, operations, operations, jobs, jobs)
    return Mirror(*(np.empty(size, np.int64) for size in sizes))


@kernel
def mirrored(state: State, b: int, grain: np.int64, mirror: Mirror) -> None:
    """Fill the mirror with what is unscheduled."""
    for j in range(state.num_jobs[b]):
        first, last = state.next_operation[b, j], state.job_ptr[b, j + 1]
        place = state.job_ptr[b, j] + last - first
        mirror.stop[j] = place
        mirror.offset[j] = state.job_ready[b, j] * grain
        before = state.job_ready[b, j]
        for o in range(first, last):
            place -= 1
            mirror.machine[place] = state.machine[b, o]
            mirror.duration[place] = state.duration[b, o]
            mirror.tail[place] = before
            before += state.duration[b, o]


@kernel
def _begin_backward(state: State, b: int, rule: Rule, unit: int, mirror: Mirror, s: Scratch) -> int:
    """Fill the scratch with the situation at the end of time; returns the first job to go."""
    for m in range(state.num_machines[b]):
        s.ready[m] = 0
        s.load[m] = state.machine_load[b, m]
    least = FAR
    for j in range(state.num_jobs[b]):
        r = state.job_ptr[b, j]
        s.operation[j], s.key[j], s.order[j], s.place[j], s.ended[j] = r, FAR, 0, -1, 0
        if r < mirror.stop[j]:
            order = rule[DURATION] * mirror.duration[r] - rule[TAIL] * mirror.tail[r]
            if r + 1 < mirror.stop[j]:
                order -= rule[LOAD] * s.load[mirror.machine[r + 1]]
            s.place[j] = mirror.machine[r]
            s.order[j] = s.key[j] = order * unit + j
            least = min(least, s.key[j])
    return least & (unit - 1)


@kernel
def _backward(
    state: State, b: int, steps: int, rule: Rule, unit: int, mirror: Mirror, s: Scratch
) -> np.int64:
    """Schedule so many of the mirrored operations by the rule; returns the latest end with offsets."""
    if steps == 0:
        _begin_backward(state, b, rule, unit, mirror, s)
        return np.int64(0)
    first = _begin_backward(state, b, rule, unit, mirror, s)
    latest, _ = _play(
        first,
        steps - 1,
        state.num_jobs[b],
        unit,
        rule,
        mirror.stop,
        mirror.offset,
        s.ended,
        mirror.machine,
        mirror.duration,
        mirror.tail,
        s.operation,
        s.place,
        s.order,
        s.key,
        s.ready,
        s.load,
        0,
        0,
    )
    return latest


@kernel
def play_backward(
    state: State, b: int, rule: Rule, unit: int, mirror: Mirror, s: Scratch, outcome: Floats
) -> None:
    """Makespans, (C,) out, of schedules built backward in which each candidate goes first."""
    grain = SCALE * unit
    focus, left = state.focus[b], state.operations_left[b]
    for c in range(state.num_candidates[b]):
        j = state.candidate[b, c]
        duration = state.duration[b, state.next_operation[b, j]]
        mirror.stop[j] -= 1
        state.machine_load[b, focus] -= duration
        latest = _backward(state, b, left - 1, rule, unit, mirror, s)
        mirror.stop[j] += 1
        state.machine_load[b, focus] += duration
        end = max(s.ended[j], s.ready[focus]) + grain * duration
        start = max(state.job_ready[b, j], state.machine_ready[b, focus])
        latest = max(latest, end + start * grain)
        for m in range(state.num_machines[b]):
            if m != focus and s.ready[m] > 0:
                latest = max(latest, s.ready[m] + state.machine_ready[b, m] * grain)
        outcome[c] = latest // grain


@kernel
def play_freely(
    state: State, b: int, rule: Rule, unit: int, mirror: Mirror, s: Scratch, outcome: Floats
) -> None:
    """(C,) out: time from each candidate's start to the end, where no candidate must go first."""
    _backward(state, b, state.operations_left[b], rule, unit, mirror, s)
    for c in range(state.num_candidates[b]):
        outcome[c] = s.ended[state.candidate[b, c]] // (SCALE * unit)


@kernel
def play_forward(
    state: State,
    b: int,
    steps: int,
    rule: Rule,
    unit: int,
    orders: Ints,  # (J,) scratch
    s: Scratch,
    outcome: Floats,
) -> None:
    """Makespans, (C,) out, of what the rule makes of each candidate."""
    stop = state.job_ptr[b, 1:]
    _orders(state, b, rule, unit, orders)
    for c in range(state.num_candidates[b]):
        latest, total = _copy(state, b, orders, unit, s)
        latest, _ = _play(
            state.candidate[b, c],
            steps,
            state.num_jobs[b],
            unit,
            rule,
            stop,
            s.nothing,
            s.ended,
            state.machine[b],
            state.duration[b],
            state.tail[b],
            s.operation,
            s.place,
            s.order,
            s.key,
            s.ready,
            s.load,
            latest,
            total,
        )
        outcome[c] = latest // (SCALE * unit)
