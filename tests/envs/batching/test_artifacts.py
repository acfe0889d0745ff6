"""Every kind of instance is served, bounded, written, read back and drawn; slots can be copied."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.catalogue import GPUS, MODELS
from graphsched.envs.batching.hardware.iteration_time import linear_table
from graphsched.envs.batching.instance import instance_from_json
from graphsched.envs.batching.library import load
from graphsched.envs.batching.options import BatchingOptions, Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.batching.solution import solution_from_json
from graphsched.envs.core.errors import InputError


def made(kind, size="12@4"):
    return GENERATORS[kind](np.random.default_rng(3), size)


def again(document):
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("kind", sorted(set(GENERATORS) - {"toy"}))
def test_a_generated_instance_is_served_and_written(kind):
    instance = made(kind)
    assert instance_from_json(again(instance.to_json())).to_json() == instance.to_json()
    solution = serve(instance, Scheduler(prefix_cache=True))
    assert DOMAIN.check(instance, solution) == []
    assert 0.0 <= DOMAIN.lower_bound(instance) <= solution.cost + 1e-9
    assert solution_from_json(instance, again(solution.to_json())).to_json() == solution.to_json()


def test_pictures_show_every_request():
    instance = made("tight")
    solution = serve(instance, Scheduler())
    assert DOMAIN.render_text(instance, solution)
    rgb = DOMAIN.render_rgb(instance, solution)
    assert rgb.dtype == np.uint8
    assert rgb.std() > 0
    assert "<svg" in DOMAIN.render_html(instance, solution)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cost": None}, "cost"),
        ({"home": [0]}, "home"),
        ({"home": [9] * 12}, r"home\[0\]"),
        ({"begin_s": [float("nan")]}, r"begin_s\[0\]"),
        ({"span": [[1, 2], [3]]}, "span"),
        ({"span": [[1, 2]]}, "span"),
        ({"replica": []}, "begin_s"),
    ],
)
def test_a_bad_solution_is_named_by_field(change, field):
    instance = made("tight")
    document = serve(instance, Scheduler()).to_json()
    with pytest.raises(InputError, match=field):
        solution_from_json(instance, document | change)
    del document["replica"]
    with pytest.raises(InputError, match="missing"):
        solution_from_json(instance, document)


def test_a_copied_slot_goes_on_alike():
    instance = made("tenants")
    sim = BatchingSim(2, BatchingOptions(agent="route"))
    with pytest.raises(RuntimeError):
        sim.fork([0], [1])
    sim.reset([0, 1], [instance, instance], [0, 0])
    sim.step(np.array([1, 0]))
    sim.fork([0], [1])
    other = BatchingSim(2, BatchingOptions(agent="route"))
    other.load_state_dict(sim.state_dict())
    for each in (sim, other):
        with pytest.raises(RuntimeError):
            each.solution(0)
        with pytest.raises(IndexError):
            each.step(np.array([0, 10**6]))
        with pytest.raises(IndexError):
            each.step(np.array([0]))
        while each.waiting.any():
            each.step(np.zeros(int(each.waiting.sum()), np.int64))
    assert sim.solution(0).to_json() == sim.solution(1).to_json() == other.solution(1).to_json()
    assert sim.costs().tolist() == other.costs().tolist()


def test_a_library_name_is_drawn_alike():
    assert load("tight-00").to_json() == load("tight-00").to_json()
    assert load("tight-00").name == "tight-00"
    with pytest.raises(InputError, match="not one of"):
        load("tight-99")


def test_every_card_and_model_has_times():
    for gpu in GPUS:
        for model in MODELS:
            table = linear_table(gpu, model, 4)
            assert np.isfinite(table).all()
            assert (table > 0).all()
