"""Validation is fixed, fair to the rules, and leaves training's random streams alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import DOMAIN
from graphsched.training.instances import InstanceSource, generator, validation_instances
from graphsched.training.model import build_policy
from graphsched.training.settings.config import Stage, TrainConfig
from graphsched.training.validation import Validation, play

KINDS = {"uniform:4x3": 3.0, "uniform:6x5": 1.0}


@pytest.fixture(scope="module")
def validation() -> Validation:
    """Five instances of each of two sizes, with two sampled runs."""
    return Validation(DOMAIN, DOMAIN.options(), KINDS, count=5, seed=0, samples=2)


def test_instances_are_the_same_every_time() -> None:
    """For the same seed; another seed and another kind give others."""
    first, again = (validation_instances(DOMAIN, list(KINDS), 3, 0) for _ in range(2))
    other = validation_instances(DOMAIN, list(KINDS), 3, 1)
    as_json = [[i.to_json() for kind in found for i in kind] for found in (first, again, other)]
    assert as_json[0] == as_json[1]
    assert all(a != b for a, b in zip(as_json[0], as_json[2], strict=True))


def test_more_instances_keep_the_first_ones() -> None:
    """Raising the count leaves results comparable."""
    (few,) = validation_instances(DOMAIN, ["uniform:4x3"], 2, 0)
    (many,) = validation_instances(DOMAIN, ["uniform:4x3"], 4, 0)
    assert [i.to_json() for i in few] == [i.to_json() for i in many[:2]]


def test_rules_are_judged_as_a_policy_is(validation: Validation) -> None:
    """The best rule's gap is recomputed here from its own solutions, weighted by kind."""
    assert validation.best_rule is not None
    solve = DOMAIN.baseline(validation.best_rule)
    gaps = np.array(
        [100 * (DOMAIN.cost(i, solve(i)) / DOMAIN.lower_bound(i) - 1) for i in validation.instances]
    )
    expected = 0.75 * gaps[:5].mean() + 0.25 * gaps[5:].mean()
    assert validation.best_rule_gap_pct == pytest.approx(expected)
    assert validation.best_rule_gap_pct == min(validation.rules.values())
    assert set(validation.rules) == {n for n, b in DOMAIN.baselines.items() if b.is_rule}


def test_scores_fit_each_other(validation: Validation) -> None:
    """The mean over kinds is the gap; sampling differs from greedy; nothing random is touched."""
    torch.manual_seed(0)
    policy = build_policy(TrainConfig("jobshop"), DOMAIN)
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    scores = validation.run(policy)
    assert scores == validation.run(policy)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_equal(np.random.get_state(), before[1])  # noqa: NPY002
    kinds = list(scores.kinds.values())
    assert scores.gap_pct == pytest.approx(0.75 * kinds[0] + 0.25 * kinds[1])
    assert scores.sampled_gap_pct is not None
    assert scores.sampled_gap_pct != scores.gap_pct
    assert scores.score == pytest.approx((scores.gap_pct + scores.sampled_gap_pct) / 2)


def test_play_costs_are_those_of_the_simulator(validation: Validation) -> None:
    """No cost undercuts the lower bound, whatever the weights."""
    policy = build_policy(TrainConfig("jobshop"), DOMAIN)
    costs = play(policy, DOMAIN, DOMAIN.options(), validation.instances, seed=1, greedy=False)
    bounds = [DOMAIN.lower_bound(i) for i in validation.instances]
    assert np.all(costs >= bounds)


def test_source_draws_by_weight_and_stage() -> None:
    """Three quarters of one kind at first; all of another once its stage has begun."""
    stage = Stage(0.5, {"uniform:7x2": 1.0})
    source = InstanceSource(DOMAIN, KINDS, (stage,))
    rng = np.random.default_rng(0)
    small = sum(source(rng).num_jobs == 4 for _ in range(400))
    assert 270 <= small <= 330
    source.progress = 0.5
    assert {source(rng).num_jobs for _ in range(20)} == {7}


@pytest.mark.parametrize("spec", ["nope:4x4", "uniform:4", "uniform:0x3", "uniform"])
def test_malformed_kinds(spec: str) -> None:
    """Complaints come before training starts; a generator's default size is fine."""
    if spec == "uniform":
        assert generator(DOMAIN, spec)(np.random.default_rng(0)).num_jobs == 10
        return
    with pytest.raises(InputError):
        generator(DOMAIN, spec)
