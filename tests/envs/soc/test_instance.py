"""Instances say in one line what is wrong with them, and survive JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.generators import GENERATORS
from graphsched.envs.soc.instance import (
    Job,
    Noise,
    Platform,
    SocInstance,
    Stream,
    instance_from_json,
)


def job(duration=((1.0, 2.0), (3.0, 4.0)), edge=((0,), (1,)), volume=(5.0,)):
    names = tuple(f"t{i}" for i in range(len(duration)))
    return Job("j", names, np.array(duration), np.array(edge, np.int64), np.array(volume))


def platform(bandwidth=((1.0, 1.0), (1.0, 1.0)), **fields):
    return Platform("p", ("a", "b"), np.array(bandwidth), **fields)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: job(edge=((0, 1), (1, 0)), volume=(1.0, 1.0)), "cycle"),
        (lambda: job(edge=((0,), (2,))), "no task 2"),
        (lambda: job(edge=((0, 0), (1, 1)), volume=(1.0, 1.0)), "twice"),
        (lambda: job(volume=(-1.0,)), "volume"),
        (lambda: job(volume=()), "volume"),
        (lambda: job(duration=((1.0, -2.0), (3.0, 4.0))), "'t0'.*-2"),
        (lambda: job(duration=((1.0, np.nan), (3.0, 4.0))), "'t0'.*nan"),
        (lambda: job(duration=((1.0, 2.0), (np.inf, np.inf))), "'t1'.*no PE"),
        (lambda: platform(bandwidth=((1.0, 0.0), (1.0, 1.0))), r"bandwidth\[0\]\[1\].*0"),
        (lambda: platform(bandwidth=((1.0, np.nan), (1.0, 1.0))), "NaN"),
        (lambda: platform(bandwidth=((1.0,),)), "shape"),
        (lambda: platform(capacity=(1, 0)), "capacity"),
        (lambda: platform(capacity=(1, 1.5)), "capacity"),
        (lambda: platform(busy_power=(1, -1)), "busy_power"),
        (lambda: Stream(0.0), "horizon"),
        (lambda: Stream(10.0, mean_gap=-1.0), "mean_gap"),
        (lambda: Stream(10.0, mean_gap=1e-9), "mean_gap"),
        (lambda: Stream(10.0, max_in_system=0), "max_in_system"),
        (lambda: Stream(10.0, mix=(0.5, 0.4)), "mix"),
        (lambda: Stream(10.0, when_full="wait"), "when_full"),
        (lambda: Noise("white"), "kind"),
        (lambda: Noise("gaussian", -1.0), "std"),
        (lambda: SocInstance("s", platform(), (job(), job())), "one job"),
        (lambda: SocInstance("s", platform(), (job(),), Stream(9.0, mix=(0.5, 0.5))), "mix"),
        (
            lambda: SocInstance("s", platform(), (job(),), Stream(9.0, mean_gap=0.05), ticks=True),
            "mean_gap.*in ticks",  # e^20 - 1 arrivals come in each tick before a gap is not 0
        ),
        (lambda: SocInstance("s", Platform("p", ("a",), np.ones((1, 1))), (job(),)), "columns"),
        (lambda: SocInstance("s", platform(), (job(),), seed=-1), "seed"),
    ],
)
def test_a_bad_instance_is_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_json_keeps_everything(name):
    instance = GENERATORS[name](np.random.default_rng(1), "")
    document = json.loads(json.dumps(instance.to_json()))
    assert instance_from_json(document).to_json() == instance.to_json()


def test_a_missing_field_is_named():
    document = GENERATORS["toy"](np.random.default_rng(0), "").to_json()
    del document["platform"]
    with pytest.raises(InputError, match="platform: missing"):
        instance_from_json(document)


def test_tasks_come_in_topological_order():
    made = job(duration=((1.0, 1.0),) * 4, edge=((3, 1, 0), (1, 0, 2)), volume=(1.0, 1.0, 1.0))
    assert made.order.tolist() == [3, 1, 0, 2]
