"""Each kind of change of a job shop touches what it says and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.jobshop.generators import uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.sources.perturb import KINDS, LONGEST

SEEDS = range(12)
DURATION, MACHINES, RELEASE = (kind for kind, _ in KINDS)


@pytest.fixture
def shop():
    return uniform(np.random.default_rng(0), "4x3")


@pytest.mark.parametrize("seed", SEEDS)
def test_one_duration_changes(shop, seed):
    found = DURATION(shop, np.random.default_rng(seed))
    differs = np.flatnonzero(found.duration != shop.duration)
    assert len(differs) == 1
    assert 1 <= found.duration[differs[0]] <= max(LONGEST, shop.duration.max())
    assert np.array_equal(found.machine, shop.machine)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_operations_of_a_job_change_machines(shop, seed):
    found = MACHINES(shop, np.random.default_rng(seed))
    differs = np.flatnonzero(found.machine != shop.machine)
    assert len(differs) == 2
    assert len(set(shop.job[differs])) == 1
    assert sorted(found.machine[differs]) == sorted(shop.machine[differs])
    assert np.array_equal(found.duration, shop.duration)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_release_time_changes(seed):
    jobs = [[(0, 5), (1, 5)], [(1, 5), (0, 5)]]
    shop = JobShopInstance.from_jobs("shop", jobs, release_time=[0, 7])
    found = RELEASE(shop, np.random.default_rng(seed))
    assert found.release_time is not None
    assert np.count_nonzero(found.release_time != shop.release_time) == 1
    assert found.release_time.max() <= 8
    assert np.array_equal(found.duration, shop.duration)


def test_without_release_times_or_further_operations_a_duration_changes(shop):
    """What a shop doesn't have isn't made up."""
    found = RELEASE(shop, np.random.default_rng(0))
    assert found.release_time is not None
    assert not found.release_time.any()
    single = JobShopInstance.from_jobs("single", [[(0, 5)], [(0, 6)]])
    for seed in SEEDS:
        other = MACHINES(single, np.random.default_rng(seed))
        assert np.count_nonzero(other.duration != single.duration) == 1
