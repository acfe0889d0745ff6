"""Looking ahead: what plain rules would make of each candidate.

The pilot method (Duin & Voss 1999, "The pilot method: a strategy for heuristic repetition"): from
the situation after each candidate, the next operations are scheduled by a fixed rule (see `play`)
and the outcomes are compared. A look costs microseconds; it may be limited to a number of
operations. A random search over rules on random instances found the weights of the first; the
others differ from it, to give several opinions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.jobshop.features import CAND
from graphsched.envs.jobshop.view.play import LANES, SCALE, play_forward, set_orders, unit_of_slot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.jobshop.physics.state import State
    from graphsched.envs.jobshop.view.play import Rule, Scratch

    Floats = NDArray[np.float64]

RULES = ((20, 6, 1), (0, 2, 0), (35, 12, 2))  # weights of duration, tail and load, / SCALE
BOUND, MACHINES, JOBS = range(3)  # of an outcome, see `look_ahead`
OUTCOMES = 3
PILOT_BOUND = (CAND.pilot_over_best_1, CAND.pilot_over_best_2, CAND.pilot_over_best_3)  # by rule
PILOT_MACHINES = (
    CAND.pilot_machines_over_best_1,
    CAND.pilot_machines_over_best_2,
    CAND.pilot_machines_over_best_3,
)


@kernel
def _judge(state: State, b: int, unit: int, lane: int, s: Scratch, outcome: Floats) -> None:
    """Bounds of a lane's schedule; see `look_ahead`."""
    grain = SCALE * unit
    jobs, machines = state.num_jobs[b], state.num_machines[b]
    bound = np.int64(s.latest[lane])
    job_sum = float(s.total[lane])
    for j in range(jobs):
        if s.place[lane, j] >= 0:
            o = s.operation[lane, j]
            need = np.int64(s.key[lane, j]) - s.order[lane, j]
            need += grain * (state.duration[b, o] + state.tail[b, o])
            bound = max(bound, need)
            job_sum += need
    machine_sum = 0.0
    for m in range(machines):
        need = s.ready[lane, m] + grain * np.int64(s.load[lane, m])
        for at in range(state.least_tail_at[b, m], state.machine_ptr[b, m + 1]):
            o = state.by_tail[b, at]
            if o >= s.operation[lane, state.job[b, o]]:
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
    s: Scratch,
    outcome: Floats,  # (C, OUTCOMES) out
) -> None:
    """Look from slot b after each of its C candidates, ``steps`` operations ahead by the rule.

    Outcomes are the makespan bound after the look, and the mean bounds of machines and of jobs,
    which tell candidates apart where the bound does not.
    """
    unit, count = unit_of_slot(state, b), state.num_candidates[b]
    steps = min(steps + 1, state.operations_left[b])
    set_orders(state, b, rule, unit, s.orders)
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        play_forward(state, b, first, lanes, steps, unit, rule, s)
        for lane in range(lanes):
            _judge(state, b, unit, lane, s, outcome[first + lane])


@kernel(entry=False)
def fill_pilots(
    state: State, b: int, steps: int, s: Scratch, outcome: Floats, rows: Floats
) -> None:
    """Columns of all candidates, some still as times; outcome: (C, OUTCOMES) scratch."""
    now = state.focus_start[b]
    horizon = max(state.bound[b] - now, 1)
    for rule in range(len(RULES)):
        look_ahead(state, b, steps, RULES[rule], s, outcome)
        for c in range(state.num_candidates[b]):
            rows[c, PILOT_BOUND[rule]] = outcome[c, BOUND]
            rows[c, PILOT_MACHINES[rule]] = outcome[c, MACHINES]
            if rule == 0:
                rows[c, CAND.pilot] = min((outcome[c, BOUND] - now) / horizon, 2.0)
                rows[c, CAND.pilot_jobs_over_best] = outcome[c, JOBS]
