"""Dispatching rules pick what their names say, and reproduce published results."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.linear import (
    linear_costs,
    linear_solver,
    load_weights,
    save_weights,
)
from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.baselines.dispatching import RULES
from graphsched.envs.jobshop.features import SCHEMA
from graphsched.envs.jobshop.generators import uniform
from graphsched.envs.jobshop.instance import JobShopInstance
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.simulator import JobShopSim

# Three jobs meet on machine 0. Durations 3, 5, 4; tails 10, 2, 6; operations left 2, 3, 2.
SHOP = JobShopInstance.from_jobs(
    "shop", [[(0, 3), (1, 10)], [(0, 5), (1, 1), (2, 1)], [(0, 4), (2, 6)]]
)
FIRST = {"spt": 0, "lpt": 1, "mwkr": 0, "lwkr": 1, "mopnr": 1, "tail": 0, "fifo": 0, "fdd-mwkr": 0}


@pytest.mark.parametrize("rule", FIRST)
def test_rule_starts_with_its_favourite(rule):
    solution = DOMAIN.baseline(rule)(SHOP)
    assert np.flatnonzero(solution.start[SHOP.job_ptr[:-1]] == 0).tolist() == [FIRST[rule]]


@pytest.mark.parametrize("rule", RULES)
def test_more_runs_never_hurt_and_repeat_with_their_seed(rule):
    instance = uniform(np.random.default_rng(0), "10x5")
    solve = DOMAIN.baseline(rule, SolverOptions(seed=1, samples=20))
    single = DOMAIN.baseline(rule, SolverOptions(seed=1))(instance)
    solution = solve(instance)
    assert solution.makespan <= single.makespan
    assert np.array_equal(solution.start, solve(instance).start)
    assert DOMAIN.check(instance, solution) == []


@pytest.mark.compiled
def test_perturbation_helps():
    instances = [uniform(np.random.default_rng(i), "10x10") for i in range(5)]
    one = sum(DOMAIN.baseline("tail")(i).makespan for i in instances)
    many = sum(DOMAIN.baseline("tail", SolverOptions(samples=64))(i).makespan for i in instances)
    assert many < 0.97 * one


# Mean gaps to the best known makespans that are published with the same instances; nondelay.
@pytest.mark.compiled
@pytest.mark.parametrize(
    ("rule", "group", "gap"),
    [
        ("spt", "15x15", 25.9),
        ("mwkr", "15x15", 19.2),
        ("mopnr", "20x15", 23.6),
        ("fdd-mwkr", "20x20", 19.9),
        ("tail", "30x15", 20.3),
    ],
)
def test_rules_reproduce_known_gaps_on_taillard(rule, group, gap):
    instances = [DOMAIN.library.load(n) for n in DOMAIN.library.sets[f"taillard:{group}"]]
    solve = DOMAIN.baseline(rule)
    gaps = []
    for instance in instances:
        best = DOMAIN.best_known(instance)
        assert best is not None
        gaps.append(100 * (solve(instance).makespan / best - 1))
    assert np.mean(gaps) == pytest.approx(gap, abs=0.5)


def test_linear_rule_on_one_feature_equals_the_dispatching_rule():
    """Weighing the tail alone is the rule ``tail``, up to ties."""
    instance = JobShopInstance(
        "distinct",
        np.array([0, 3, 6, 9, 12]),
        np.array([0, 1, 2, 0, 2, 1, 0, 1, 2, 1, 0, 2]),
        np.array([11, 23, 47, 13, 29, 59, 17, 31, 61, 19, 37, 67]),
        3,
    )
    weights = np.zeros(len(SCHEMA.candidate), np.float32)
    weights[[f.name for f in SCHEMA.candidate].index("tail")] = 1.0
    options = JobShopOptions(delay_window=0.0)
    linear = linear_solver(JobShopSim, options, weights, SolverOptions())(instance)
    assert linear.makespan == DOMAIN.baseline("tail")(instance).makespan
    costs = linear_costs(JobShopSim, options, [instance, instance], np.stack([weights, -weights]))
    assert costs[0].tolist() == [linear.makespan] * 2
    sampled = linear_solver(JobShopSim, options, weights, SolverOptions(samples=10, seed=3))(
        instance
    )
    assert sampled.makespan <= linear.makespan


def test_weights_survive_a_file_and_refuse_other_features(tmp_path):
    weights = np.arange(len(SCHEMA.candidate), dtype=np.float32)
    file = tmp_path / "weights.json"
    file.write_text(save_weights(SCHEMA, weights, seed=4))
    loaded, document = load_weights(SCHEMA, file)
    assert np.array_equal(loaded, weights)
    assert document["seed"] == 4
    for damage in ('"duration"', '"weights"'):
        file.write_text(save_weights(SCHEMA, weights).replace(damage, '"other"'))
        with pytest.raises(ValueError, match="weights"):
            load_weights(SCHEMA, file)
    pairs = [[f.name, 1] for f in SCHEMA.candidate]
    for more in ([["x" * 3000, 1]], [[7, 1], ["x", 1]]):
        file.write_text(json.dumps({"schema": 1, "weights": pairs + more}))
        with pytest.raises(InputError, match=r"weights.json: weights of unknown features .{1,60}$"):
            load_weights(SCHEMA, file)


def test_newer_features_weigh_nothing(tmp_path):
    """A file may lack the last features, which are newer than it; no others."""
    file, size = tmp_path / "weights.json", len(SCHEMA.candidate)
    known = {f.name: 1.0 for f in SCHEMA.candidate}
    for count in (1, 34, size):
        file.write_text(json.dumps({"weights": dict(list(known.items())[:count])}))
        weights, _ = load_weights(SCHEMA, file)
        assert weights.dtype == np.float32
        assert weights.tolist() == [1.0] * count + [0.0] * (size - count)
    lacking = [dict(list(known.items())[1:]), {k: 1.0 for k in known if k != "pilot"}, {}]
    for named in lacking:
        file.write_text(json.dumps({"weights": named}))
        with pytest.raises(InputError, match=r"weights.json: expected weights of the candidate"):
            load_weights(SCHEMA, file)
    file.write_text(json.dumps({"weights": {"duration": 1.0, "new": 1.0}}))
    with pytest.raises(InputError, match="unknown features"):
        load_weights(SCHEMA, file)


@pytest.mark.compiled
def test_shipped_linear_rule_beats_every_rule():
    instances = [uniform(np.random.default_rng(100 + i), "15x10") for i in range(8)]

    def total(name):
        solve = DOMAIN.baseline(name)
        return sum(solve(i).makespan for i in instances)

    assert total("cem-linear") < min(total(rule) for rule in RULES)
