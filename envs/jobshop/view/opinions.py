"""What several pilots think of each candidate, in a few columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.features import CAND
from graphsched.envs.jobshop.options import NUM_RULES
from graphsched.envs.jobshop.view.machines import (
    MEAN,
    MOST,
    OUTCOMES,
    POWER,
    Lists,
    bound_machines,
    empty_lists,
)
from graphsched.envs.jobshop.view.pilots import Mirror, backward, empty_mirror, forward, mirrored
from graphsched.envs.jobshop.view.play import Scratch, empty_scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Weights of duration, tail and load, / SCALE: sets of which some rule does well wherever others
# don't, taken greedily from 150 random ones on 100 random situations.
FORWARD = (
    (20, 6, 1),
    (25, 17, 0),
    (11, 12, 4),
    (0, 13, 1),
    (25, 5, 3),
    (46, 27, 1),
    (15, 13, 0),
    (37, 5, 1),
    (0, 18, 4),
    (35, 12, 2),
    (22, 9, -1),
    (49, 17, 0),
)
BACKWARD = (
    (25, 5, 3),
    (11, 12, 4),
    (55, 3, 4),
    (29, 3, 4),
    (20, 6, 1),
    (16, 0, 1),
    (25, 17, 0),
    (0, 5, 4),
    (15, 24, 3),
    (30, 3, -1),
    (0, 0, 3),
    (53, 0, 3),
)
LEAST, QUARTILE, AVERAGE, WINS, FIRST_RULE = range(5)  # places of a direction's columns

# Operations left x jobs up to which pilots go to the end. One takes time in proportion to it, and it
# is the large shops' many decisions that have many candidates: without a limit a schedule of 100x20
# takes 10 to 20 s, with it less than one. Up to 30x20 and 50x20 the limit changes nothing.
REACH = 50_000


class Desk(NamedTuple):
    """Scratch space for looking ahead. J jobs."""

    scratch: Scratch
    mirror: Mirror
    lists: Lists
    bounds: Floats  # (J, OUTCOMES)
    free: Floats  # (J,)
    makespan: Floats  # (NUM_RULES, J)
    sorted: Floats  # (NUM_RULES,)


def empty_desk(jobs: int, machines: int, operations: int, narrow: bool) -> Desk:
    """Room for that many jobs, machines and operations; see `play.is_narrow`."""
    return Desk(
        empty_scratch(jobs, machines, narrow),
        empty_mirror(jobs, operations),
        empty_lists(operations, machines),
        np.empty((jobs, OUTCOMES)),
        np.empty(jobs),
        np.empty((NUM_RULES, jobs)),
        np.empty(NUM_RULES),
    )


@kernel(entry=False)
def within_reach(state: State, b: int) -> bool:
    """Whether pilots go to the end of slot b's schedule; beyond reach the short ones look instead."""
    return bool(state.operations_left[b] * state.num_jobs[b] <= REACH)


@kernel(entry=False)
def fill_bounds(state: State, b: int, desk: Desk, rows: Floats) -> None:
    """Columns of the one-machine bounds, of all candidates."""
    bound_machines(state, b, desk.lists, desk.bounds)
    mean = state.mean_duration[b]
    horizon = max(state.bound[b] - state.focus_start[b], 1)
    kinds = (MOST, MEAN, POWER)
    columns = (CAND.bounds, CAND.bounds_mean, CAND.bounds_power)
    excess = (CAND.bounds_over_best, CAND.bounds_mean_over_best, CAND.bounds_power_over_best)
    count = state.num_candidates[b]
    for k in range(3):
        values = desk.bounds[:count, kinds[k]]
        least = values.min()
        for c in range(count):
            rows[c, columns[k]] = min(values[c] / horizon, 2.0)
            rows[c, excess[k]] = (values[c] - least) / mean


@kernel(entry=False)
def _summarise(
    count: int, rules: int, mean: float, makespan: Floats, ordered: Floats, rows: Floats
) -> None:
    """Columns of a direction, rows (C, 4 + NUM_RULES) out, from makespans (rules, C)."""
    quarter = max(rules // 4, 1)
    rows[:] = 0.0
    for r in range(rules):
        least = makespan[r, :count].min()
        for c in range(count):
            rows[c, FIRST_RULE + r] = (makespan[r, c] - least) / mean
            rows[c, WINS] += (makespan[r, c] == least) / rules
    for c in range(count):
        for r in range(rules):
            at = r
            while at > 0 and ordered[at - 1] > makespan[r, c]:
                ordered[at] = ordered[at - 1]
                at -= 1
            ordered[at] = makespan[r, c]
        rows[c, LEAST] = ordered[0]
        rows[c, QUARTILE] = ordered[:quarter].mean()
        rows[c, AVERAGE] = ordered[:rules].mean()
    for f in (LEAST, QUARTILE, AVERAGE):
        best = rows[:count, f].min()
        for c in range(count):
            rows[c, f] = (rows[c, f] - best) / mean


@kernel(entry=False)
def fill_opinions(state: State, b: int, rules: int, desk: Desk, rows: Floats) -> None:
    """Columns of so many rules of each direction, of all candidates."""
    count, mean = state.num_candidates[b], state.mean_duration[b]
    for r in range(rules):
        forward(state, b, FORWARD[r], desk.scratch, desk.makespan[r])
    first = CAND.forward_least
    wide = rows[:count, first : first + FIRST_RULE + NUM_RULES]
    _summarise(count, rules, mean, desk.makespan, desk.sorted, wide)
    mirrored(state, b, desk.mirror)
    rows[:count, CAND.backward_behind] = 0.0
    for r in range(rules):
        backward(state, b, BACKWARD[r], desk.mirror, desk.scratch, desk.makespan[r], desk.free)
        most = desk.free[:count].max()
        for c in range(count):
            rows[c, CAND.backward_behind] += (most - desk.free[c]) / mean / rules
    first = CAND.backward_least
    wide = rows[:count, first : first + FIRST_RULE + NUM_RULES]
    _summarise(count, rules, mean, desk.makespan, desk.sorted, wide)
