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


def ranked(sim, rules):
    """Costs of all slots where candidates are chosen by rules with a hidden layer."""
    while len((obs := sim.observe())["slot"]):
        actions = []
        for low, high, kind in zip(*pairwise_ends(obs), obs["kind"].tolist(), strict=True):
            rule, rows = rules[kind], obs["candidate"][low:high]
            actions.append(
                int(np.argmax(np.maximum(rows @ rule.inner + rule.bias, 0) @ rule.outer))
            )
        sim.step(np.array(actions))
    return sim.costs()


def pairwise_ends(obs):
    """Beginnings and ends of blocks."""
    return obs["candidate_ptr"][:-1].tolist(), obs["candidate_ptr"][1:].tolist()


def built(name, network, **asked):
    """A learner of a domain's small preset."""
    preset = {"memory": "improve", "jobshop": "small"}[name]
    config = load_config(name, preset, None, {"network": network, "device": "cpu", **asked})
    domain = get_domain(name)
    source = InstanceSource(domain, config.instances)
    return build_model(config, domain, source, lambda: 0.0), config


def test_a_policy_that_starts_from_hidden_rules_decides_as_they_do() -> None:
    domain = get_domain("memory")
    network = {"hidden_rule": "data/moves.json", "decoder_width": 52}
    model, config = built("memory", network, simulator={"moves": 40})
    make = domain.generators["attention-training"]
    instances = [make(np.random.default_rng(i), "2@4") for i in range(6)]
    options = config.simulator_options()
    sim = domain.simulator(6, options)
    sim.reset(range(6), instances, range(6))
    assert domain.hidden_rules is not None
    expected = ranked(sim, domain.hidden_rules(domain.presets.parent / "data/moves.json"))
    costs = play(model.policy, domain, options, instances)
    assert np.mean(costs == expected) > 0.8  # rounding may tell near ties apart
    assert len(set(costs.tolist())) == 6


@pytest.mark.parametrize(
    ("domain", "network", "problem"),
    [
        ("memory", {"hidden_rule": "data/moves.json", "decoder_width": 8}, "decoder_width"),
        ("memory", {"hidden_rule": "nowhere.json"}, r"nowhere\.json"),
        ("jobshop", {"hidden_rule": "data/cem_linear.json"}, "reads no such rules"),
        ("memory", {"hidden_rule": "a.json", "linear_rule": "b.json"}, "beside a linear_rule"),
    ],
)
def test_hidden_rules_that_can_t_be_are_refused(domain, network, problem) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        built(domain, network)
    assert "\n" not in str(refused.value)
