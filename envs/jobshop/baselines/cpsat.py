"""Exact solving with Google's CP-SAT, as a plain model of interval variables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import cpu_s, stopping
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.extras import require
from graphsched.envs.jobshop.solution import JobShopSolution

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from graphsched.envs.jobshop.instance import JobShopInstance


def _ortools() -> ModuleType:
    """OR-Tools' CP-SAT module; raises InputError if it isn't installed."""
    require("baseline 'cp-sat'", "ortools")
    from ortools.sat.python import cp_model

    return cp_model


def _model(cp_model: ModuleType, instance: JobShopInstance) -> tuple[Any, list[Any]]:
    """Minimise the makespan; returns the model and a start variable for each operation."""
    assert instance.release_time is not None
    model = cp_model.CpModel()
    horizon = int(instance.duration.sum() + instance.release_time.max())
    makespan = model.new_int_var(0, horizon, "makespan")
    starts: list[Any] = []
    intervals: list[list[Any]] = [[] for _ in range(instance.num_machines)]
    columns = (instance.job, instance.machine, instance.duration)
    for i, (job, machine, duration) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        start = model.new_int_var(int(instance.release_time[job]), horizon, f"start{i}")
        if i > instance.job_ptr[job]:
            model.add(start >= starts[-1] + int(instance.duration[i - 1]))
        if duration:  # without duration, an operation takes no time of its machine
            intervals[machine].append(
                model.new_fixed_size_interval_var(start, duration, f"interval{i}")
            )
        if i == instance.job_ptr[job + 1] - 1:
            model.add(makespan >= start + duration)
        starts.append(start)
    for tasks in intervals:
        model.add_no_overlap(tasks)
    model.minimize(makespan)
    return model, starts


def _in_rounds(instance: JobShopInstance) -> JobShopSolution:
    """Every job's first operation, then every job's second, and so on, each as early as it can."""
    assert instance.release_time is not None
    start = np.zeros(instance.num_operations, np.int64)
    job_ready = instance.release_time.copy()
    machine_ready = np.zeros(instance.num_machines, np.int64)
    position = np.arange(instance.num_operations) - instance.job_ptr[instance.job]
    for i in np.argsort(position, kind="stable"):
        job, machine = instance.job[i], instance.machine[i]
        start[i] = max(job_ready[job], machine_ready[machine])
        job_ready[job] = machine_ready[machine] = start[i] + instance.duration[i]
    return JobShopSolution.from_starts(instance, start)


def solve_with_bound(
    instance: JobShopInstance, options: SolverOptions
) -> tuple[JobShopSolution, float]:
    """Best schedule found in the time limit, and the proven lower bound on the makespan.

    The limit is processor time of each worker and includes building the model. The schedule is
    optimal if its makespan equals the bound. If CP-SAT finds none in time, the jobs are scheduled
    in rounds, which takes no search.

    Raises:
        InputError: OR-Tools is not installed.
    """
    cp_model = _ortools()
    began = cpu_s()
    model, starts = _model(cp_model, instance)
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = options.seed % 2**31
    solver.parameters.num_workers = max(options.workers, 1)
    limit = options.time_limit_s * solver.parameters.num_workers
    with stopping(solver.stop_search, limit - (cpu_s() - began)):
        status = solver.solve(model)
    bound = max(solver.best_objective_bound, 0.0)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return _in_rounds(instance), bound
    found = np.array([solver.value(start) for start in starts], np.int64)
    return JobShopSolution.from_starts(instance, found), bound


def _solve(instance: JobShopInstance, options: SolverOptions) -> JobShopSolution:
    return solve_with_bound(instance, options)[0]


def cp_sat(options: SolverOptions) -> Callable[[JobShopInstance], JobShopSolution]:
    """CP-SAT with the options' time limit, workers and seed.

    Raises:
        InputError: OR-Tools is not installed.
    """
    _ortools()
    return partial(_solve, options=options)


BASELINE: Baseline[JobShopInstance, JobShopSolution] = Baseline(
    make=cp_sat,
    summary="exact: Google OR-Tools CP-SAT, interval model, best schedule in the time limit",
    is_exact=True,
    is_anytime=True,
)
