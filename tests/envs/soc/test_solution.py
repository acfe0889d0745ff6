"""Schedules survive JSON, say what is wrong with it, and are measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc import DOMAIN
from graphsched.envs.soc.bounds import completions
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import Job, Platform, SocInstance, Stream
from graphsched.envs.soc.metrics import metrics
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.simulator import SocSim
from graphsched.envs.soc.solution import SocSolution


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


def hand_stream():
    """Two tasks at once on x, one on y, up to 20; a pair of tasks each job, in no order."""
    job = Job("pair", ("a", "b"), np.full((2, 2), 4.0), np.zeros((2, 0), np.int64), np.zeros(0))
    platform = Platform(
        "two",
        ("x", "y"),
        np.ones((2, 2)),
        capacity=np.array([2, 1]),
        busy_power=np.array([2.0, 3.0]),
        idle_power=np.array([1.0, 0.5]),
    )
    instance = SocInstance("world", platform, (job,), Stream(20.0, mean_gap=1e5))
    # Of four jobs the first takes 4 and the second 8; of the third one task misses the end by 1;
    # of the fourth one task has run.
    rows = [  # job, task, PE, start, end
        (0, 0, 0, 0, 4),
        (0, 1, 0, 0, 4),
        (1, 0, 1, 4, 8),
        (1, 1, 1, 8, 12),
        (2, 0, 0, 10, 14),
        (2, 1, 1, 17, 21),
        (3, 0, 0, 16, 20),
    ]
    job_, task, pe, start, end = (np.array(column) for column in zip(*rows, strict=True))
    arrival = np.array([0.0, 4.0, 9.0, 15.0])
    floats = start.astype(float), end.astype(float)
    return instance, SocSolution(np.zeros(4, np.int64), arrival, job_, task, pe, *floats, 6.0)


def test_measures_of_a_stream_by_hand():
    found = metrics(*hand_stream())
    assert found == {
        # x works 16, y 8 + 3 until 20, where three lanes could have worked 60
        "utilisation %": pytest.approx(100 * 27 / 60),
        # x is idle as if its lanes had shared the work: 20 - 16 / 2; y 20 - 11
        "energy": pytest.approx(16 * 2 + 11 * 3 + 12 * 1 + 9 * 0.5),
        "jobs completed": 2,
        "jobs per 1000": 100,
        "latency p95": pytest.approx(4 + 0.95 * 4),  # between 4 and 8
        "oldest unfinished": 20 - 9,
    }


def test_a_job_that_ends_at_the_horizon_is_complete():
    instance, solution = hand_stream()
    assert completions(instance, solution).tolist() == [4, 12, np.inf, np.inf]
    assert DOMAIN.cost(instance, solution) == (4 + 8) / 2
    later = replace(solution, end=np.where(solution.end == 21, 20.0, solution.end))
    assert completions(instance, later).tolist() == [4, 12, 20, np.inf]
    assert DOMAIN.cost(instance, later) == (4 + 8 + 11) / 3
