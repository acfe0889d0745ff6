"""A schedule of the reversed instance, read backwards, is one of the original, equally long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.bounds import lower_bound
from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.generators import irregular
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.library import content_hash, load
from graphsched.envs.jobshop.solution import JobShopSolution
from graphsched.envs.jobshop.view.symmetry import REVERSE

Serial = Callable[[JobShopInstance, Sequence[int]], JobShopSolution]


@given(seed=st.integers(0, 9999), turns=st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_round_trip_is_feasible_and_equally_long(
    serial: Serial, seed: int, turns: list[int]
) -> None:
    instance = replace(irregular(np.random.default_rng(seed)), release_time=None)
    backwards = REVERSE.apply(instance)
    solution = serial(backwards, turns)
    restored = REVERSE.restore(instance, solution)
    assert check(instance, restored) == []
    assert restored.makespan == solution.makespan


def test_reversing_turns_jobs_round_and_twice_is_nothing() -> None:
    instance = JobShopInstance.from_jobs("x", [[(0, 3), (1, 4)], [(1, 2), (2, 1), (1, 6)]])
    reversed_ = REVERSE.apply(instance)
    assert reversed_.to_json()["jobs"] == [[[1, 4], [0, 3]], [[1, 6], [2, 1], [1, 2]]]
    assert content_hash(REVERSE.apply(reversed_)) == content_hash(instance)


def test_reversal_keeps_the_bound_of_ft10() -> None:
    assert lower_bound(REVERSE.apply(load("ft10"))) == lower_bound(load("ft10"))


def test_release_times_cannot_be_reversed() -> None:
    instance = replace(load("ft06"), release_time=np.array([0, 0, 7, 0, 0, 0]))
    with pytest.raises(InputError, match="job 2 is released at 7"):
        REVERSE.apply(instance)
