"""The classic instances are all there, with bounds that hold and belong to their numbers."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop.bounds import lower_bound
from graphsched.envs.jobshop.generators import TOY_JOBS
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.library import (
    LIBRARY,
    best_known,
    content_hash,
    group,
    load,
    published,
)

COUNTS = {"ft": 3, "la": 40, "abz": 5, "orb": 10, "swv": 20, "yn": 4, "taillard": 80, "all": 162}


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_sets_are_complete(name: str, count: int) -> None:
    assert len(LIBRARY.sets[name]) == len(set(LIBRARY.sets[name])) == count


def test_sets_narrowed_by_size_partition_their_family() -> None:
    for size in ("15x15", "20x15", "20x20", "30x15", "30x20", "50x15", "50x20", "100x20"):
        assert len(LIBRARY.sets[f"taillard:{size}"]) == 10
    parts = [names for key, names in LIBRARY.sets.items() if key.startswith("la:")]
    assert sorted(sum(parts, ())) == sorted(LIBRARY.sets["la"])
    assert not any(key.startswith("orb:") for key in LIBRARY.sets)  # all of one size


def test_every_instance_loads_as_listed() -> None:
    digests = set()
    for name, facts in published().items():
        instance = load(name)
        assert instance.name == name
        assert group(instance) == facts.group
        assert instance.num_operations == facts.jobs * facts.machines
        digests.add(content_hash(instance))
    assert len(digests) == 162


def test_bounds_are_consistent() -> None:
    for name, facts in published().items():
        assert lower_bound(load(name)) <= facts.lower <= facts.upper, name
        assert (facts.source == "optimum") == (facts.lower == facts.upper), name


@pytest.mark.parametrize(
    ("name", "upper"),
    [("ft06", 55), ("ft10", 930), ("ft20", 1165), ("la01", 666), ("abz8", 667), ("ta01", 1231),
     ("ta26", 1643), ("ta33", 1791), ("ta45", 1997), ("ta80", 5183)],
)  # fmt: skip
def test_well_known_values(name: str, upper: float) -> None:
    assert best_known(load(name)) == upper


def test_ft06_is_what_every_textbook_prints() -> None:
    assert load("ft06").to_json()["jobs"][0] == [[2, 1], [0, 3], [1, 6], [3, 7], [5, 3], [4, 6]]


def test_bounds_belong_to_the_numbers_not_to_the_name() -> None:
    ft06 = load("ft06")
    assert best_known(JobShopInstance.from_jobs("ft06", TOY_JOBS)) is None
    assert best_known(replace(ft06, release_time=np.array([1, 0, 0, 0, 0, 0]))) is None
    assert best_known(replace(ft06, num_machines=7)) is None
    assert best_known(replace(ft06, name="mine")) == 55


@pytest.mark.parametrize(
    ("name", "hint"), [("ft6", "did you mean .*ft06"), ("FT06", "ft06"), ("zzz", "not one of all")]
)
def test_unknown_names_are_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        load(name)


def test_every_source_is_explained() -> None:
    data = files("graphsched.envs.jobshop.data")
    explained = (data / "SOURCES.md").read_text(encoding="utf-8")
    rows = csv.DictReader((data / "bounds.csv").read_text(encoding="utf-8").splitlines())
    keys = {key for row in rows for key in row["source"].split(" / ")}
    assert len(keys) > 5
    assert all(f"| {key} |" in explained for key in keys - {"optimum"})
