"""CP-SAT proves known optima, keeps to its limits, and says how to get it if it is missing."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.baselines.cpsat import BASELINE, cp_sat, solve_with_bound
from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.generators import TOY_OPTIMUM, irregular, toy
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.library import load


def test_ft06_is_proven_to_be_55() -> None:
    instance = load("ft06")
    solution, bound = solve_with_bound(instance, SolverOptions(time_limit_s=60))
    assert solution.makespan == bound == 55
    assert check(instance, solution) == []


def test_toy_is_solved_to_its_documented_optimum() -> None:
    instance = toy(np.random.default_rng(0))
    assert BASELINE.make(SolverOptions(time_limit_s=30))(instance).makespan == TOY_OPTIMUM
    assert BASELINE.is_exact


@pytest.mark.parametrize("seed", range(5))
def test_irregular_instances_are_solved_feasibly(seed: int) -> None:
    instance = irregular(np.random.default_rng(seed))
    solution, bound = solve_with_bound(instance, SolverOptions(time_limit_s=30))
    assert check(instance, solution) == []
    assert solution.makespan == bound


def test_release_times_are_honoured() -> None:
    instance = JobShopInstance.from_jobs("late", [[(0, 3)], [(0, 2)]], release_time=[4, 0])
    solution = cp_sat(SolverOptions(time_limit_s=30))(instance)
    assert solution.start.tolist()[0] == 4
    assert solution.makespan == 7


def test_without_time_there_is_still_a_feasible_schedule() -> None:
    for instance in (load("ta21"), irregular(np.random.default_rng(1))):
        solution, bound = solve_with_bound(instance, SolverOptions(time_limit_s=0))
        assert check(instance, solution) == []
        assert bound <= solution.makespan


def test_the_time_limit_is_kept() -> None:
    began = time.perf_counter()
    solution, bound = solve_with_bound(load("ta21"), SolverOptions(time_limit_s=1, workers=2))
    assert time.perf_counter() - began < 10  # generous: the machine may be busy
    assert bound < solution.makespan


def test_a_missing_ortools_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ortools", None)
    with pytest.raises(InputError, match=r"pip install 'graphsched\[solvers\]'"):
        cp_sat(SolverOptions())
