"""Generators make the instances they promise, and Taillard's make Taillard's."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.bounds import lower_bound
from graphsched.envs.jobshop.generators import GENERATORS, TOY_OPTIMUM, taillard
from graphsched.envs.jobshop.library import content_hash, load

if TYPE_CHECKING:
    from graphsched.envs.jobshop.instance import JobShopInstance

SEEDS = Path(__file__).parents[2] / "golden" / "taillard_seeds.csv"


def _make(name: str, size: str, seed: int = 0) -> JobShopInstance:
    return GENERATORS[name](np.random.default_rng(seed), size)


def _is_rectangular(instance: JobShopInstance, jobs: int, machines: int) -> bool:
    routes = np.sort(instance.machine.reshape(jobs, machines), axis=1)
    return bool((routes == np.arange(machines)).all()) and instance.num_machines == machines


def _all_makespans(instance: JobShopInstance) -> set[int]:
    """Makespans of all semi-active schedules, one of which is optimal."""
    turns = np.repeat(np.arange(instance.num_jobs), np.diff(instance.job_ptr)).tolist()
    found = set()
    for order in set(permutations(turns)):
        ready, free = [0] * instance.num_jobs, [0] * instance.num_machines
        upcoming = instance.job_ptr[:-1].tolist()
        for job in order:
            i = upcoming[job]
            machine = instance.machine[i]
            ready[job] = free[machine] = max(ready[job], free[machine]) + int(instance.duration[i])
            upcoming[job] += 1
        found.add(max(ready))
    return found


def test_published_seeds_reproduce_all_of_taillards_instances() -> None:
    with SEEDS.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 80
    for row in rows:
        published = load(row["name"])
        made = taillard(
            int(row["time_seed"]),
            int(row["machine_seed"]),
            published.num_jobs,
            published.num_machines,
        )
        assert content_hash(made) == content_hash(published), row["name"]


def test_ta01_begins_as_printed_in_the_paper() -> None:
    instance = taillard(840612802, 398197754, 15, 15)
    assert instance.duration[:5].tolist() == [94, 66, 10, 53, 26]
    assert instance.machine[:5].tolist() == [6, 12, 4, 7, 3]


@pytest.mark.parametrize("seeds", [(0, 1), (1, 2**31 - 1), (-5, 1)])
def test_taillard_refuses_seeds_outside_the_generators_period(seeds: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="seed"):
        taillard(*seeds, 2, 2)


@pytest.mark.parametrize("name", ["uniform", "random", "taillard"])
@pytest.mark.parametrize(("size", "jobs", "machines"), [("20x15", 20, 15), ("", 10, 10)])
def test_rectangular_generators_honour_the_size(
    name: str, size: str, jobs: int, machines: int
) -> None:
    instance = _make(name, size)
    assert _is_rectangular(instance, jobs, machines)
    assert instance.duration.min() >= 1
    assert instance.duration.max() <= 99


@pytest.mark.parametrize("name", ["uniform", "taillard"])
def test_durations_and_routes_are_uniform(name: str) -> None:
    instance = _make(name, "2000x5")
    times = np.bincount(instance.duration, minlength=100)[1:]
    assert times.min() > 50  # of 10,000 draws, 101 are expected of each of 1..99
    assert times.max() < 160
    first = np.bincount(instance.machine[::5], minlength=5)
    assert first.min() > 320  # of 2,000 jobs, 400 are expected to begin on each machine


@pytest.mark.parametrize("name", sorted(set(GENERATORS) - {"toy"}))
def test_the_seed_decides_everything(name: str) -> None:
    assert content_hash(_make(name, "", 1)) == content_hash(_make(name, "", 1))
    assert content_hash(_make(name, "", 1)) != content_hash(_make(name, "", 2))


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_two_sets_are_visited_one_after_the_other(seed: int) -> None:
    instance = _make("two-sets", "6x5", seed)
    machines = np.array([[operation[0] for operation in job] for job in instance.to_json()["jobs"]])
    assert (np.sort(machines[:, :2], axis=1) == [0, 1]).all()
    assert (np.sort(machines[:, 2:], axis=1) == [2, 3, 4]).all()
    assert len({tuple(row) for row in machines.tolist()}) > 1
    assert (_make("two-sets", "").num_jobs, _make("two-sets", "").num_machines) == (20, 10)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_mixed_stays_in_its_range(seed: int) -> None:
    instance = _make("mixed", "5x3-9x8", seed)
    assert 5 <= instance.num_jobs <= 9
    assert 3 <= instance.num_machines <= 8
    assert instance.num_jobs >= instance.num_machines
    assert _is_rectangular(instance, instance.num_jobs, instance.num_machines)


def test_mixed_reaches_every_admissible_size() -> None:
    sizes = Counter(_make("mixed", "2x2-4x4", seed).name for seed in range(300))
    assert len(sizes) == 6
    assert _make("mixed", "").num_jobs >= 10
    assert _make("mixed", "4x3").num_jobs == 4


@pytest.mark.parametrize("size", ["0x5", "5x0", "x", "5", "5x", "-5x5", "5x5x5", "9999999x9999999"])
@pytest.mark.parametrize("name", sorted(set(GENERATORS) - {"toy"}))
def test_bad_sizes_are_refused(name: str, size: str) -> None:
    with pytest.raises(InputError, match="expected"):
        _make(name, size)


@pytest.mark.parametrize("size", ["9x9-5x5", "5x9-9x5", "2x9-5x9", "5x5-", "-5x5"])
def test_mixed_refuses_impossible_ranges(size: str) -> None:
    with pytest.raises(InputError, match="expected"):
        _make("mixed", size)


def test_toy_has_the_documented_optimum() -> None:
    instance = _make("toy", "whatever")
    assert (instance.num_jobs, instance.num_machines) == (3, 3)
    assert min(_all_makespans(instance)) == TOY_OPTIMUM
    assert lower_bound(instance) < TOY_OPTIMUM


def test_irregular_has_all_that_a_job_shop_may_have() -> None:
    instances = [_make("irregular", "", seed) for seed in range(20)]
    assert any(len(set(np.diff(instance.job_ptr))) > 1 for instance in instances)
    assert any((instance.duration == 0).any() for instance in instances)
    assert any(instance.release_time is not None and instance.release_time.any()
               for instance in instances)  # fmt: skip
    revisits = [
        len(np.unique(np.stack([instance.job, instance.machine]), axis=1)[0])
        < instance.num_operations
        for instance in instances
    ]
    assert any(revisits)
