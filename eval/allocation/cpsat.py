"""Exact static allocation with Google's CP-SAT: rectangles of time and addresses don't overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.errors import InputError
from graphsched.eval.allocation.fits import best_fit_of_orders
from graphsched.eval.allocation.solution import Placement, placement

if TYPE_CHECKING:
    from types import ModuleType

    from graphsched.eval.allocation.instance import Allocation


def _ortools() -> ModuleType:
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise InputError(
            "allocator 'cp-sat'", "needs OR-Tools: pip install graphsched[solvers]"
        ) from None
    return cp_model


def _model(
    cp_model: ModuleType, problem: Allocation, start: Placement, low: int
) -> tuple[Any, list[Any], int]:
    """Minimise the height from `low` to that of `start`; returns model, offsets and their unit.

    Pushed down, every buffer begins at a sum of sizes, so offsets are multiples of their common
    divisor.
    """
    model = cp_model.CpModel()
    unit = max(int(np.gcd.reduce(problem.size)), 1)
    most = start.height // unit
    height = model.new_int_var(min(-(-low // unit), most), most, "height")
    columns = (problem.lower, problem.upper, problem.size // unit, start.offset // unit)
    offsets, wide, tall = [], [], []
    for i, (lower, upper, size, hint) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        offset = model.new_int_var(0, most - size, f"offset{i}")
        model.add(offset + size <= height)
        model.add_hint(offset, hint)
        offsets.append(offset)
        if size:
            wide.append(model.new_fixed_size_interval_var(lower, upper - lower, f"life{i}"))
            tall.append(model.new_fixed_size_interval_var(offset, size, f"room{i}"))
    model.add_no_overlap_2d(wide, tall)
    model.minimize(height)
    return model, offsets, unit


def by_cp_sat(
    problem: Allocation, time_limit_s: float, workers: int = 1, seed: int = 0
) -> Placement:
    """Best placement in the time limit, at most as high as the lowest fit, which it starts from.

    Stops at the capacity where there is one.

    Raises:
        InputError: OR-Tools is not installed.
    """
    cp_model = _ortools()
    began = wall_s()
    start = best_fit_of_orders(problem)
    low = max(problem.max_load, problem.capacity or 0)
    if start.height <= low:
        return start
    model, offsets, unit = _model(cp_model, problem, start, low)
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.num_workers = max(workers, 1)
    left = time_limit_s - (wall_s() - began)
    solver.parameters.max_time_in_seconds = max(left, 0.0)
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return start
    proven = int(np.ceil(max(solver.best_objective_bound, 0.0) - 1e-6)) * unit
    found = np.array([solver.value(offset) * unit for offset in offsets], np.int64)
    # The model knows nothing of heights below the capacity, so its bound counts above it only.
    return placement(problem, found, proven if proven > low else 0)
