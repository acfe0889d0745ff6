"""Tabu search returns feasible schedules, never worse than its start, and reaches known optima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.generators import irregular
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.library import best_known, load
from graphsched.envs.jobshop.search.solver import improve


@pytest.mark.parametrize("name", ["ft06", "la01", "la02", "la03", "la04", "la05"])
def test_small_classics_are_solved(name: str) -> None:
    instance = load(name)
    solution = DOMAIN.baseline("tabu", SolverOptions(time_limit_s=5))(instance)
    assert check(instance, solution) == []
    assert solution.makespan == best_known(instance)


@pytest.mark.parametrize("seed", range(8))
def test_irregular_instances_stay_feasible_and_get_no_worse(seed: int, serial: Any) -> None:
    instance = irregular(np.random.default_rng(seed))
    start = serial(instance, [seed, 1, 5, 2])
    found = improve(instance, [start], 0.05, seed)
    assert check(instance, found) == []
    assert found.makespan <= start.makespan


def test_one_operation_is_an_instance() -> None:
    instance = JobShopInstance.from_jobs("one", [[(0, 3)]], release_time=[2])
    assert improve(instance, [], 0.1, 0).makespan == 5
