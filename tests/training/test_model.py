"""A learner starts as its configuration says."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.linear import linear_costs, load_weights
from graphsched.envs.core.registry import get_domain
from graphsched.training.instances import InstanceSource
from graphsched.training.model import build_model
from graphsched.training.settings.config import load_config
from graphsched.training.validation import play

RULE = "data/cem_linear.json"


def model_and_domain(**network: object):
    domain = get_domain("jobshop")
    config = load_config("jobshop", "small", None, {"network": network, "device": "cpu"})
    source = InstanceSource(domain, config.instances)
    return build_model(config, domain, source, lambda: 0.0), domain, config


def test_a_policy_that_starts_from_a_linear_rule_decides_as_the_rule() -> None:
    model, domain, config = model_and_domain(linear_rule=RULE, linear_scale=50.0)
    instances = [domain.generators["uniform"](np.random.default_rng(i), "8x6") for i in range(6)]
    options = config.simulator_options()
    weights, _ = load_weights(domain.schema, domain.presets.parent / RULE)
    expected = linear_costs(domain.simulator, options, instances, weights[None])[0]
    costs = play(model.policy, domain, options, instances)
    assert np.mean(costs == expected) > 0.8  # ties may be broken otherwise
    assert np.mean(costs) == pytest.approx(np.mean(expected), rel=0.02)


def test_a_missing_rule_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.json"):
        model_and_domain(linear_rule="nowhere.json")


def test_a_scale_must_be_positive() -> None:
    with pytest.raises(InputError, match="linear_scale"):
        model_and_domain(linear_scale=0.0)
