"""Following a schedule decides as it does: all of the simulator's own, most of any other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.generators import GENERATORS
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim
from graphsched.envs.jobshop.solution import JobShopSolution
from tests.envs import following


def followed(instance, solution, window):
    """Cost, and whether each decision was exact, under a window."""
    return following.followed(DOMAIN, instance, solution, JobShopOptions(window, 0))


@given(
    seed=st.integers(0, 2**32 - 1),
    generator=st.sampled_from(["irregular", "uniform", "mixed"]),
    window=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_own_schedules_are_followed_exactly(seed, generator, window):
    """Idle operations, revisits and release times included."""
    rng = np.random.default_rng(seed)
    instance = GENERATORS[generator](rng, "4x3" if generator == "irregular" else "4x4")
    sim = JobShopSim(1, JobShopOptions(window, 0))
    sim.reset([0], [instance], [0])
    while sim.waiting.any():
        sim.step(rng.integers(sim.state.num_candidates))
    solution = sim.solution(0)
    cost, exact = followed(instance, solution, window)
    assert cost == solution.makespan
    assert all(exact)


def test_an_operation_of_no_duration_goes_first():
    """Of two that start together; the other way round it would have to wait."""
    instance = JobShopInstance.from_jobs("idle", [[(0, 7)], [(0, 0), (1, 9)], [(1, 1)]])
    solution = JobShopSolution.from_starts(instance, np.array([0, 0, 0, 9]))
    assert DOMAIN.check(instance, solution) == []
    assert followed(instance, solution, 1.0) == (10, [True, True])


def test_what_is_not_on_offer_is_not_exact():
    """The schedule lets the machine wait for job 1, which no candidate does without delay."""
    jobs = [[(0, 9)], [(1, 1), (0, 1)], [(0, 9)]]
    instance = JobShopInstance.from_jobs("wait", jobs)
    solution = JobShopSolution.from_starts(instance, np.array([2, 0, 1, 11]))
    assert followed(instance, solution, 0.0) == (19, [False, True])
    sim = JobShopSim(1, JobShopOptions(1.0, 0))
    sim.reset([0], [instance], [0])
    assert sim.state.num_candidates[0] == 3  # here it is, and so it is taken
    assert followed(instance, solution, 1.0) == (20, [True, True])


@pytest.mark.parametrize("seed", range(2))
def test_a_wider_window_follows_closer(seed):
    """Tabu search's schedules: nearly all of them with all delays, less of them without."""
    rng = np.random.default_rng(seed)
    instances = [GENERATORS["uniform"](rng, "8x8") for _ in range(4)]
    solve = DOMAIN.improvers["tabu"].search
    excess: dict[float, list[float]] = {0.0: [], 1.0: []}
    for instance in instances:
        solution = solve(instance, [], 0.05, 0)
        for window, found in excess.items():
            found.append(followed(instance, solution, window)[0] / solution.makespan - 1)
    assert np.mean(excess[1.0]) < 0.03
    assert np.mean(excess[0.0]) > np.mean(excess[1.0])
