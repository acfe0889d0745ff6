"""Schedules survive JSON, say what is wrong with it, and are measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Job, Platform, SocInstance
from graphsched.envs.soc.metrics import metrics
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim


@pytest.fixture(scope="module")
def world():
    instance = GENERATORS["ds3gym-mix"](np.random.default_rng(0), "0.5@400")
    return instance, DOMAIN.baseline("etf")(instance)


def test_documents_read_back_alike(world):
    instance, solution = world
    document = json.loads(json.dumps(solution.to_json()))
    again = DOMAIN.solution_from_json(instance, document)
    assert again.to_json() == solution.to_json()
    assert DOMAIN.check(instance, again) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tasks": None}, "tasks"),
        ({"tasks": [{"job": 0}]}, "tasks"),
        ({"tasks": [{"job": 0.5, "task": 0, "pe": 0, "start": 0, "end": 1}]}, "job"),
        ({"tasks": [{"job": 0, "task": 0, "pe": 0, "start": "x", "end": 1}]}, "start"),
        ({"jobs": [{}]}, "kind"),
        ({"jobs": 3}, "jobs"),
        ({"cost": "much"}, "cost"),
    ],
)
def test_bad_documents_are_refused_by_field(world, change, word):
    instance, solution = world
    with pytest.raises(InputError, match=word):
        DOMAIN.solution_from_json(instance, {**solution.to_json(), **change})


def test_energy_and_utilisation_of_a_plan():
    times = np.array([[4.0, np.inf], [np.inf, 6.0]])
    job = Job("pair", ("a", "b"), times, np.zeros((2, 0), np.int64), np.zeros(0))
    platform = Platform(
        "two",
        ("x", "y"),
        np.ones((2, 2)),
        busy_power=np.array([2.0, 3.0]),
        idle_power=np.array([1.0, 0.5]),
    )
    instance = SocInstance("pair", platform, (job,))
    found = metrics(instance, DOMAIN.baseline("heft")(instance))
    assert found["utilisation %"] == pytest.approx(100 * 10 / 12)
    assert found["energy"] == pytest.approx(4 * 2 + 2 * 1 + 6 * 3)
    only_busy = replace(instance, platform=replace(platform, idle_power=None))
    assert metrics(only_busy, DOMAIN.baseline("heft")(only_busy))["energy"] == 26.0


def test_measures_of_a_stream_count_jobs(world):
    instance, solution = world
    found = metrics(instance, solution)
    sizes = np.array([job.num_tasks for job in instance.jobs])[solution.kind]
    ended = np.bincount(solution.job[solution.end <= 400], minlength=len(sizes)) == sizes
    assert found["jobs completed"] == ended.sum()
    assert found["jobs per 1000"] == pytest.approx(ended.sum() / 0.4)
    assert found["oldest unfinished"] == 400 - solution.arrival[~ended].min()
    assert 0 < found["utilisation %"] <= 100
    assert "energy" not in found


def test_a_saved_simulator_goes_on_as_the_first():
    rng = np.random.default_rng(0)
    toy, world = GENERATORS["toy"](rng, ""), GENERATORS["ds3gym"](rng, "0@100")
    options = SocOptions(pilot_steps=2)
    sim = SocSim(4, options)
    sim.reset([0, 1, 2], [toy, toy, world], [0] * 3)
    for _ in range(3):
        sim.step(np.zeros(int(sim.waiting.sum()), np.int64))
    other = SocSim(4, options)
    other.load_state_dict(sim.state_dict())
    sim.fork([2, 0], [3, 1])
    other.fork([2, 0], [3, 1])
    while sim.waiting.any():
        for each in (sim, other):
            each.step(np.zeros(int(each.waiting.sum()), np.int64))
    assert not other.waiting.any()
    assert np.array_equal(sim.costs(), other.costs())
    assert sim.costs()[2] == sim.costs()[3]
    assert [sim.solution(s).to_json() for s in range(4)] == [
        other.solution(s).to_json() for s in range(4)
    ]


def test_bounds_hold_and_pictures_are_drawn(world):
    instance, solution = world
    exact = replace(instance, noise=replace(instance.noise, kind="none", std=0.0))
    assert 0 < DOMAIN.lower_bound(exact) <= DOMAIN.baseline("etf")(exact).cost
    assert DOMAIN.lower_bound(instance) == 0.0
    assert DOMAIN.render_rgb(instance, solution).shape[2] == 3
    empty = replace(exact, stream=replace(exact.stream, horizon=1.0))
    nothing = DOMAIN.baseline("etf")(empty)
    assert DOMAIN.cost(empty, nothing) == 1.0
    assert metrics(empty, nothing)["jobs completed"] == 0
