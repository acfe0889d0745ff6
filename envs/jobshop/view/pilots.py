"""Pilots of full length: what plain rules would make of each candidate, forward and backward.

Forward, a rule schedules all that is left after the candidate. Backward, it builds the rest of the
schedule from its end: jobs are read from their last operation on, and the candidate, which goes
first on its machine, comes last there. Either way a complete schedule that begins with the
candidate comes out, and its makespan is what the rule thinks of it. See `play` for the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.view.play import (
    DURATION,
    LANES,
    LOAD,
    SCALE,
    TAIL,
    clear,
    far,
    play,
    play_forward,
    set_orders,
    unit_of_slot,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State
    from graphsched.envs.jobshop.view.play import Rule, Scratch

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
def mirrored(state: State, b: int, mirror: Mirror) -> None:
    """Fill the mirror with what is unscheduled."""
    grain = SCALE * unit_of_slot(state, b)
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


@kernel(entry=False)
def _set_out_backward(
    state: State, b: int, c: int, unit: int, rule: Rule, mirror: Mirror, lane: int, s: Scratch
) -> None:
    """Fill a lane with the end of time, without candidate c's operation; with all if it is -1."""
    candidate = state.candidate[b, c] if c >= 0 else np.int64(-1)
    for m in range(state.num_machines[b]):
        s.ready[lane, m] = 0
        s.load[lane, m] = state.machine_load[b, m]
    if c >= 0:
        o = state.next_operation[b, candidate]
        s.load[lane, state.focus[b]] -= state.duration[b, o]
    clear(state, b, lane, s)
    least = far(s.key)
    for j in range(state.num_jobs[b]):
        r, stop = state.job_ptr[b, j], mirror.stop[j] - (j == candidate)
        s.operation[lane, j], s.stop[lane, j] = r, stop
        if r < stop:
            order = rule[DURATION] * mirror.duration[r] - rule[TAIL] * mirror.tail[r]
            if r + 1 < stop:
                order -= rule[LOAD] * s.load[lane, mirror.machine[r + 1]]
            order = order * unit + j
            s.place[lane, j] = mirror.machine[r]
            s.order[lane, j] = s.key[lane, j] = order
            least = min(least, order)
    s.chosen[lane] = least & (unit - 1)


@kernel(entry=False)
def _play_backward(
    state: State,
    b: int,
    first: int,
    lanes: int,
    steps: int,
    unit: int,
    rule: Rule,
    mirror: Mirror,
    s: Scratch,
) -> None:
    """Schedule so many of the mirrored operations by the rule, in lanes that have set out."""
    play(
        first,
        lanes,
        steps,
        state.num_jobs[b],
        unit,
        rule,
        mirror.machine,
        mirror.duration,
        mirror.tail,
        mirror.offset,
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


@kernel(entry=False)
def _makespan(state: State, b: int, c: int, unit: int, lane: int, s: Scratch) -> np.int64:
    """Of a lane's schedule put behind what is scheduled and candidate c."""
    grain, focus = SCALE * unit, state.focus[b]
    j = state.candidate[b, c]
    start = max(state.job_ready[b, j], state.machine_ready[b, focus])
    end = start + state.duration[b, state.next_operation[b, j]]
    after = max(np.int64(s.ended[lane, j]), np.int64(s.ready[lane, focus]))
    latest = max(np.int64(s.latest[lane]), after + end * grain)
    for m in range(state.num_machines[b]):
        if m != focus and s.ready[lane, m] > 0:
            latest = max(latest, s.ready[lane, m] + state.machine_ready[b, m] * grain)
    return np.int64(latest // grain)


@kernel
def backward(
    state: State, b: int, rule: Rule, mirror: Mirror, s: Scratch, makespan: Floats, free: Floats
) -> None:
    """Schedules built backward by the rule; `mirrored` comes first.

    makespan: (C,) out: of one in which each candidate goes first, jobs that are complete apart: they
        may end later only where next to nothing is left, and say nothing about candidates.
    free: (C,) out: time from each candidate's start to the end of one where none must.
    """
    unit, count, left = unit_of_slot(state, b), state.num_candidates[b], state.operations_left[b]
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        for lane in range(lanes):
            _set_out_backward(state, b, first + lane, unit, rule, mirror, lane, s)
        extra = first == 0
        if extra:
            _set_out_backward(state, b, -1, unit, rule, mirror, lanes, s)
        _play_backward(state, b, 0, lanes + extra, left - 1, unit, rule, mirror, s)
        for lane in range(lanes):
            makespan[first + lane] = _makespan(state, b, first + lane, unit, lane, s)
        if extra:
            _play_backward(state, b, lanes, lanes + 1, 1, unit, rule, mirror, s)
            for c in range(count):
                free[c] = s.ended[lanes, state.candidate[b, c]] // (SCALE * unit)


@kernel
def forward(state: State, b: int, rule: Rule, s: Scratch, makespan: Floats) -> None:
    """Makespans, (C,) out, of what the rule makes of each candidate."""
    unit, count, left = unit_of_slot(state, b), state.num_candidates[b], state.operations_left[b]
    set_orders(state, b, rule, unit, s.orders)
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        play_forward(state, b, first, lanes, left, unit, rule, s)
        for lane in range(lanes):
            makespan[first + lane] = s.latest[lane] // (SCALE * unit)
