"""Lower bounds never exceed what can be reached, and are no weaker than the obvious ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.jobshop.baselines.cpsat import solve_with_bound
from graphsched.envs.jobshop.bounds import cost, heads_and_tails, jackson, lower_bound
from graphsched.envs.jobshop.generators import irregular, uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.library import load
from graphsched.envs.jobshop.solution import JobShopSolution

Serial = Callable[[JobShopInstance, Sequence[int]], JobShopSolution]
TASKS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 5), st.integers(0, 12)), min_size=1, max_size=6
)


def _obvious(instance: JobShopInstance) -> int:
    """Longest job; on each machine, least head + load + least tail."""
    heads, tails = heads_and_tails(instance)
    bound = int((heads + instance.duration + tails).max())
    for machine in range(instance.num_machines):
        here = instance.machine == machine
        if here.any():
            load_ = instance.duration[here].sum()
            bound = max(bound, int(heads[here].min() + load_ + tails[here].min()))
    return bound


def _preemptive_optimum(tasks: Sequence[tuple[int, int, int]]) -> int:
    """Largest over subsets of least head + load + least tail, to which Jackson's bound is equal."""
    subsets = range(1, 2 ** len(tasks))
    chosen = [[t for i, t in enumerate(tasks) if s >> i & 1] for s in subsets]
    return max(
        min(r for r, _, _ in c) + sum(p for _, p, _ in c) + min(q for _, _, q in c) for c in chosen
    )


@given(tasks=TASKS)
def test_jackson_is_the_best_bound_over_subsets(tasks: list[tuple[int, int, int]]) -> None:
    heads, durations, tails = zip(*tasks, strict=True)
    assert jackson(heads, durations, tails) == _preemptive_optimum(tasks)


def test_a_machine_without_operations_bounds_nothing() -> None:
    assert jackson([], [], []) == 0


@pytest.mark.parametrize(("name", "bound"), [("ft06", 52), ("ft10", 808), ("la01", 666)])
def test_values_in_the_literature(name: str, bound: float) -> None:
    assert lower_bound(load(name)) == bound


def test_heads_and_tails_by_hand() -> None:
    instance = JobShopInstance.from_jobs("x", [[(0, 3), (1, 4), (0, 5)], [(1, 2)]], None, [10, 1])
    heads, tails = heads_and_tails(instance)
    assert heads.tolist() == [10, 13, 17, 1]
    assert tails.tolist() == [9, 5, 0, 0]


@given(seed=st.integers(0, 9999), turns=st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_every_schedule_costs_at_least_the_bound(
    serial: Serial, seed: int, turns: list[int]
) -> None:
    instance = irregular(np.random.default_rng(seed), "4x3")
    solution = serial(instance, turns)
    assert _obvious(instance) <= lower_bound(instance) <= cost(instance, solution)
    assert cost(instance, solution) == solution.makespan


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), regular=st.booleans())
def test_the_bound_never_exceeds_the_optimum(seed: int, regular: bool) -> None:
    rng = np.random.default_rng(seed)
    instance = uniform(rng, "4x4") if regular else irregular(rng, "4x3")
    solution, bound = solve_with_bound(instance, SolverOptions(time_limit_s=20))
    assert solution.makespan == bound
    assert lower_bound(instance) <= bound


@given(seed=st.integers(0, 9999), factor=st.integers(1, 50))
def test_scaling_times_scales_the_bound(seed: int, factor: int) -> None:
    instance = irregular(np.random.default_rng(seed))
    assert instance.release_time is not None
    scaled = replace(
        instance,
        duration=instance.duration * factor,
        release_time=instance.release_time * factor,
    )
    assert lower_bound(scaled) == factor * lower_bound(instance)


def test_cost_ignores_what_the_solution_claims() -> None:
    instance = JobShopInstance.from_jobs("x", [[(0, 3)]])
    claimed = JobShopSolution(np.array([2]), np.array([2]), np.array([0]), makespan=1)
    assert cost(instance, claimed) == 5
