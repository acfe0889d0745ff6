"""CP-SAT (OR-Tools) with an optional interval for each task and lane.

A task that takes no time on a lane takes no room there: it may lie inside another's interval.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s, stopping
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.extras import require
from graphsched.envs.soc.baselines.offline import PLANNERS, Plan, plan
from graphsched.envs.soc.physics.tasks import transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from graphsched.envs.soc.instance import SocInstance
    from graphsched.envs.soc.physics.tasks import Tasks
    from graphsched.envs.soc.solution import SocSolution

GRAIN = 1_000_000  # integer steps in the makespan of the first solution, where times are fractions
MOST_STEPS = 2**40  # of a makespan


def _steps(tasks: Tasks, horizon: float) -> float:
    """Integer steps in a unit of time: 1 if every time is whole, and there are not too many."""
    times = tasks.duration[np.isfinite(tasks.duration)]
    moves = np.outer(tasks.succ_volume, tasks.slowness.ravel())
    whole = np.all(times == np.floor(times)) and (tasks.ticks or np.all(moves == np.floor(moves)))
    return 1.0 if whole and horizon < MOST_STEPS else GRAIN / horizon


def solve(tasks: Tasks, rng: np.random.Generator | None, options: SolverOptions) -> Plan:
    """Best plan within the time limit; HEFT's where nothing better is found."""
    del rng
    from ortools.sat.python import cp_model

    began = cpu_s()
    hint = PLANNERS["best3"][0](tasks, None)
    if hint.makespan <= 0:
        return hint
    grain = _steps(tasks, hint.makespan)
    model: Any = cp_model.CpModel()
    size, lanes = tasks.duration.shape
    # Every time is rounded up: along a path those of its tasks and of the transfers between them.
    horizon = int(np.ceil(hint.makespan * grain)) + 2 * size
    start = [model.new_int_var(0, horizon, "") for _ in range(size)]
    end = [model.new_int_var(0, horizon, "") for _ in range(size)]
    on: list[dict[int, Any]] = []
    intervals: list[list[Any]] = [[] for _ in range(lanes)]
    for i in range(size):
        choices = {}
        for p in np.flatnonzero(tasks.duration[i] * grain <= horizon).tolist():
            length = int(np.ceil(tasks.duration[i, p] * grain))
            chosen = model.new_bool_var("")
            choices[p] = chosen
            interval = model.new_optional_interval_var(start[i], length, end[i], chosen, "")
            if length:
                intervals[p].append(interval)
            model.add_hint(chosen, bool(hint.lane[i] == p))
        model.add_exactly_one(choices.values())
        model.add_hint(start[i], int(hint.start[i] * grain))
        on.append(choices)
    for lane in intervals:
        model.add_no_overlap(lane)
    _add_transfers(model, tasks, grain, horizon, start, end, on)
    makespan = model.new_int_var(0, horizon, "")
    model.add_max_equality(makespan, end)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = options.workers
    solver.parameters.random_seed = options.seed % 2**31
    limit = options.time_limit_s * options.workers
    with stopping(solver.stop_search, limit - (cpu_s() - began)):
        status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return hint
    taken = np.array([next(p for p, var in c.items() if solver.value(var)) for c in on])
    begins = np.array([solver.value(var) for var in start], np.float64)
    return min(_tidy(tasks, taken, begins), hint, key=lambda found: found.makespan)


def _add_transfers(
    model: Any,
    tasks: Tasks,
    grain: float,
    horizon: int,
    start: list[Any],
    end: list[Any],
    on: list[dict[int, Any]],
) -> None:
    """A task starts after its inputs have travelled between the lanes chosen."""
    for i in range(len(start)):
        for k in range(int(tasks.succ_ptr[i]), int(tasks.succ_ptr[i + 1])):
            j, volume = int(tasks.succ[k]), float(tasks.succ_volume[k])
            model.add(start[j] >= end[i])
            for p, here in on[i].items():
                for q, there in on[j].items():
                    time = float(transfer(volume, tasks.slowness[p, q], tasks.ticks))
                    if time * grain > horizon:
                        model.add_bool_or([~here, ~there])
                    elif time > 0:
                        wait = int(np.ceil(time * grain))
                        model.add(start[j] >= end[i] + wait).only_enforce_if([here, there])


def _tidy(tasks: Tasks, lane: NDArray[np.int64], begins: NDArray[np.float64]) -> Plan:
    """The same lanes and orders in exact times, everything as early as it can.

    Of tasks that begin together on a lane all but one take no time, and hold up none of the others.
    """
    size = len(lane)
    position = np.empty(size)
    position[tasks.order] = np.arange(size)
    start, end = np.zeros(size), np.zeros(size)
    free = np.zeros(tasks.duration.shape[1])
    for i in np.lexsort((position, begins)).tolist():
        p, length = lane[i], tasks.duration[i, lane[i]]
        ready = free[p] if length > 0 else 0.0
        for e in range(int(tasks.pred_ptr[i]), int(tasks.pred_ptr[i + 1])):
            j = tasks.pred[e]
            time = transfer(tasks.pred_volume[e], tasks.slowness[lane[j], p], tasks.ticks)
            ready = max(ready, end[j] + time)
        start[i], end[i] = ready, ready + length
        if length > 0:
            free[p] = end[i]
    return Plan(lane, start, end, float(end.max()))


def _make(options: SolverOptions) -> Callable[[SocInstance], SocSolution]:
    require("baseline 'cp-sat'", "ortools")
    from dataclasses import replace

    planner = partial(solve, options=options)
    return partial(plan, planner=planner, options=replace(options, samples=1))


BASELINE = Baseline(
    make=_make,
    summary="CP-SAT with optional intervals (OR-Tools)",
    is_exact=True,
    is_anytime=True,
)
