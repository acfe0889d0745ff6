"""Baselines: valid mappings, searches that never lose to their start, pictures, the library."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.baselines.search import improve_mappings
from graphsched.envs.memory.bench import measure
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.hardware.machine import MIB
from graphsched.envs.memory.solution import solution_from_json


@pytest.fixture(scope="module")
def instance():
    return GENERATORS["residual-training"](np.random.default_rng(2), "1@4")


@pytest.fixture(scope="module")
def best(instance):
    return DOMAIN.baseline("best-of-orders")(instance)


@pytest.mark.parametrize("name", sorted(DOMAIN.baselines))
def test_every_baseline_gives_a_valid_mapping(instance, name):
    solution = DOMAIN.baseline(name, SolverOptions(time_limit_s=0.2, samples=3))(instance)
    assert DOMAIN.check(instance, solution) == []
    assert DOMAIN.lower_bound(instance) <= solution.cost * (1 + 1e-9)


@pytest.mark.parametrize(
    ("power", "name"), [(0.0, "benefit"), (0.5, "benefit-root-size"), (1.0, "benefit-size")]
)
def test_powers_of_the_size_lead_from_one_order_to_another(instance, power, name):
    told = SolverOptions(settings={"power": power})
    found = DOMAIN.baseline("benefit-size", told)(instance)
    assert found.to_json() == DOMAIN.baseline(name)(instance).to_json()


def test_searches_start_from_the_best_order(instance, best):
    found = DOMAIN.baseline("local-search", SolverOptions(time_limit_s=0.3))(instance)
    assert found.cost <= best.cost
    many = DOMAIN.baseline("best-of-orders", SolverOptions(samples=40))(instance)
    assert many.cost <= best.cost


def test_solutions_survive_json(instance, best):
    again = solution_from_json(instance, json.loads(json.dumps(best.to_json())))
    assert again.to_json() == best.to_json()
    assert DOMAIN.check(instance, again) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"residencies": 3}, "residencies: expected a list"),
        ({"residencies": [{"storage": 0}]}, r"residencies\[0\].start: missing"),
        (
            {"residencies": [{"storage": 10**6, "start": 0, "end": 0, "offset": 0}]},
            r"residencies\[0\].storage: expected in",
        ),
        ({"order": [0, 0]}, "order: expected each"),
        ({"order": 3}, "order: expected a list"),
        ({"cost": None}, "cost: expected a number"),
    ],
)
def test_bad_solutions_are_named(instance, best, change, message):
    with pytest.raises(InputError, match=message):
        solution_from_json(instance, best.to_json() | change)


def test_pictures():
    instance = GENERATORS["residual-training"](np.random.default_rng(2), "2@4")
    best = DOMAIN.baseline("best-of-orders")(instance)
    text = DOMAIN.render_text(instance, best)
    assert "residual-training" in text
    assert len(text.splitlines()) == 1 + 20 + 2  # title, map and load, axis and note
    assert DOMAIN.render_rgb(instance, best).shape == (600, 1200, 3)
    assert "<svg" in DOMAIN.render_html(instance, best)


def test_metrics(instance, best):
    assert DOMAIN.metrics is not None
    found = DOMAIN.metrics(instance, best)
    assert found["speed-up"] > 1
    assert 0 < found["occupancy %"] <= 100
    assert 0 < found["fast accesses %"] <= 100


def test_library():
    assert DOMAIN.library.load("toy").name == "toy"
    with pytest.raises(InputError, match="not one of"):
        DOMAIN.library.load("gpt9-16mib")
    for name in ("real", "real-batch8", "real-train"):
        assert len(DOMAIN.library.sets[f"{name}-16"]) >= 6
    for name in DOMAIN.library.sets["real"] + DOMAIN.library.sets["real-train-8"]:
        program = DOMAIN.library.load(name)
        assert program.name == name
        assert program.machine.fast_capacity % MIB == 0


@pytest.mark.compiled
def test_measures():
    assert all(value > 0 for value in measure(0.01).values())


@pytest.mark.parametrize("name", ["all-slow", "benefit-size", "cem-linear"])
def test_any_mapping_can_be_improved(instance, name):
    """With its order or without, the search never ends worse than the mapping that it is given."""
    start = DOMAIN.baseline(name)(instance)
    for given in (start, replace(start, order=None)):
        found = improve_mappings(instance, [given], np.inf, 3, moves=30)
        assert DOMAIN.check(instance, found) == []
        assert found.cost <= start.cost * (1 + 1e-12)


def test_a_mapping_of_no_order_comes_back_if_the_search_finds_none_better(instance, best):
    """Half of what placing gives stands for a mapping from elsewhere."""
    given = replace(best, cost=best.cost * 0.5)
    assert improve_mappings(instance, [best, given], np.inf, 0, moves=3) is given


def test_a_seed_gives_the_same_moves(instance, best):
    runs = [improve_mappings(instance, [best], np.inf, 5, moves=40) for _ in range(2)]
    assert runs[0].to_json() == runs[1].to_json()


def test_local_search_goes_on_until_its_limit_and_proves_nothing():
    baseline = DOMAIN.baselines["local-search"]
    assert baseline.is_anytime
    assert not baseline.is_exact
